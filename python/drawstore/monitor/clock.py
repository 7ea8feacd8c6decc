"""Steps a second."""

from __future__ import annotations

import time

__all__ = ["Clock"]

_SPAN = 0.5  # seconds in which steps are counted, at least


class Clock:
    """Measures steps a second.

    Parameters
    ----------
    n_steps : int
        That there are at first.
    """

    def __init__(self, n_steps: int) -> None:
        self._first = (time.monotonic(), n_steps)
        self._before = self._last = self._first
        self.rate: float | None = None
        self.mean_rate: float | None = None

    def tick(self, n_steps: int) -> None:
        """Measure from the update before, or the one before that where it is too near."""
        now = (time.monotonic(), n_steps)
        if now[0] - self._last[0] >= _SPAN:
            self._before = self._last
        self.rate, self.mean_rate = _rate(self._before, now), _rate(self._first, now)
        if now[0] - self._last[0] >= _SPAN:
            self._last = now


def _rate(before: tuple[float, int], now: tuple[float, int]) -> float | None:
    seconds, n_steps = now[0] - before[0], now[1] - before[1]
    # That none has come in a moment says nothing.
    return n_steps / seconds if seconds >= _SPAN or (seconds > 0 and n_steps) else None
