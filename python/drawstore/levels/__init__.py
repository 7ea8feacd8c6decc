"""Views of the draws of a run at the level of detail of a figure, however many there are.

Of a parameter, a range of draws and a width in pixels they are about two points a pixel: the least
and the greatest value of each bucket of draws, so that no excursion is lost. What is kept of a
series takes in new draws as they come, and takes a bounded room.
"""

from __future__ import annotations

from .background import Builder
from .levels import Levels
from .view import Band, View

__all__ = ["Band", "Builder", "Levels", "View"]
