"""How fast rows get into a store."""

from __future__ import annotations

__all__ = ["Pace"]

_FADING = 0.95  # of what a slow drain counts with each that follows
_MOST = 60.0  # seconds that one counts: so long, at most, the end waits for others


class Pace:
    """Tells how long it takes to deliver rows, by how long the last drains took.

    The slowest of them lately counts. One that moved few bytes took as long for other reasons, such
    as a disk or a server that was slow to confirm it, so as many bytes are expected to take as
    long, and more to take longer in proportion to the largest drain.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._bytes = 0.0

    def note(self, n_bytes: int, seconds: float) -> None:
        """Take note of a drain of so many bytes."""
        self._seconds = max(min(seconds, _MOST), _FADING * self._seconds)
        self._bytes = max(float(n_bytes), _FADING * self._bytes)

    def expected(self, n_bytes: int) -> float:
        """Give the seconds that it takes to deliver so many bytes; 0 where there was no drain yet.

        At least as long as one drain, since the last one syncs what others left.
        """
        return self._seconds * max(1.0, n_bytes / max(1.0, self._bytes))
