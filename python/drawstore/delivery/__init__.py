"""Rows on their way from samplers into slow stores, whichever these are."""
