"""The autocorrelation time over the steps, of which a bounded number of points is kept."""

from __future__ import annotations

import math

__all__ = ["History"]

_MOST = 128


class History:
    """Points of a curve; where they become too many, every second one is dropped."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, float]] = []
        self._last: tuple[int, float] | None = None
        self._apart = 1  # steps between two points, at least

    def add(self, n_steps: int, tau: float) -> None:
        """Take in the time of so many steps, more than before or as many."""
        if not math.isfinite(tau):
            return
        self._last = n_steps, tau
        if self._kept and n_steps - self._kept[-1][0] < self._apart:
            return
        self._kept.append(self._last)
        if len(self._kept) > _MOST:
            self._kept = self._kept[::2]
            self._apart = max(1, (self._kept[-1][0] - self._kept[0][0]) // (len(self._kept) - 1))

    def points(self) -> tuple[tuple[int, float], ...]:
        """Give the points; the newest is always among them."""
        newest = [] if self._last is None or self._last in self._kept[-1:] else [self._last]
        return (*self._kept, *newest)
