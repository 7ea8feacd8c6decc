"""How fast a store is read, and what was read taken in."""

from __future__ import annotations

__all__ = ["Pace"]

_FIRST_GUESS = 2**28  # bytes a second
_TELLING_BYTES = 2**16  # less says more of the call than of the store
_FEWEST_BYTES = 2**18  # that may always be read
_MOST_BYTES = 2**25
_WEIGHT = 0.5  # of what was measured last


class Pace:
    """Measures bytes a second, so that no more is read than there is time for."""

    def __init__(self) -> None:
        self._rate = float(_FIRST_GUESS)

    def measured(self, n_bytes: int, seconds: float) -> None:
        """Learn from what was read."""
        if n_bytes >= _TELLING_BYTES:
            rate = n_bytes / max(seconds, 1e-6)
            self._rate += _WEIGHT * (rate - self._rate)

    def n_bytes(self, seconds: float) -> int:
        """Say how much may be read in this time; in none at all, nothing."""
        if seconds <= 0:
            return 0
        return int(min(max(self._rate * seconds, _FEWEST_BYTES), _MOST_BYTES))
