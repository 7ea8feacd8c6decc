"""What the page of a run shows: a figure is a module here."""

from __future__ import annotations

from functools import cache

from .figure import Figure

__all__ = ["figures"]


@cache
def figures() -> dict[str, Figure]:
    """Give all figures by name, in the order of the page."""
    from .acceptance import Acceptance

    every: list[Figure] = [Acceptance()]
    return {figure.name: figure for figure in every}
