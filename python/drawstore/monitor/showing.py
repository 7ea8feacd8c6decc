"""A display of a monitor that is kept up to date."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from ..closing import Closing
from ..text import seconds_text
from .screens import here
from .status import Status, count_all

__all__ = ["Showing", "Until"]

_SHARE = 25.0  # times what a look takes are to pass before the next one
_QUIET = 10.0  # seconds without a draw after which that is said

Until = Literal["ended", "converged"] | Callable[[Status], bool]

_ENOUGH: dict[str, Callable[[Status], bool]] = {
    "ended": lambda status: False,
    "converged": lambda status: status.converged,
}


class Showing(Closing):
    """What `Monitor.show` shows. It is kept up to date while the monitor is asked.

    Nothing that goes wrong here ends who asks: that the run cannot be looked at is shown.

    Parameters
    ----------
    look : callable
        Gives the status as of now.
    interval : float, optional
        Seconds from one look to the next, at least.
    """

    def __init__(self, look: Callable[[], Status], interval: float | None) -> None:
        self._look = look
        self._screen = here(self._end_of_cell)
        self._interval = self._screen.interval if interval is None else interval
        self._is_stale = self._is_closed = False
        self._due = 0.0
        self.status = look()
        self._grown = time.monotonic()
        self._show("")

    def asked(self) -> None:
        """Look again, where that is due."""
        self._is_stale = True
        if time.monotonic() >= self._due:
            self.refresh()

    def take(self, status: Status) -> None:
        """Take a status that somebody has asked for; it is shown where that is due, or news.

        Parameters
        ----------
        status : Status
        """
        is_news = status.converged != self.status.converged
        self._keep(status)
        if is_news or time.monotonic() >= self._due:
            self._show("")

    def refresh(self, note: str = "") -> None:
        """Look, and show it.

        Parameters
        ----------
        note : str
            What else is to be said.
        """
        if self._is_closed:
            return
        began, failed = time.monotonic(), False
        try:
            self._keep(self._look())
        except Exception as error:  # the sampler goes on
            note, failed = f"cannot be looked at: {error or type(error).__name__}", True
        self._show(note)
        self._is_stale = failed
        now = time.monotonic()
        self._due = max(self._due, now + _SHARE * (now - began))

    def watch(self, until: Until, is_over: Callable[[], bool]) -> None:
        """Look again and again, until it is enough, or is interrupted.

        Parameters
        ----------
        until : {"ended", "converged"} or callable
            As for `Monitor.watch`.
        is_over : callable
            Says whether nothing more is to be expected; it may raise where that cannot be told.
        """
        if not callable(until) and until not in _ENOUGH:
            known = ", ".join(map(repr, _ENOUGH))
            raise ValueError(f"until is a function, or one of {known}; got {until!r}")
        enough = until if callable(until) else _ENOUGH[until]
        was_over = False
        try:
            while not enough(self.status):
                with suppress(KeyError, OSError, RuntimeError, ValueError):
                    # Whoever writes it may be about to begin another chain.
                    if (over := is_over()) and was_over:
                        self.refresh("no process writes it any more")
                        break
                    was_over = over
                time.sleep(max(0.0, self._due - time.monotonic()))
                quiet = time.monotonic() - self._grown
                self.refresh(f"no draw for {seconds_text(quiet)}" if quiet >= _QUIET else "")
        except KeyboardInterrupt:
            pass  # that is how one ends it

    def close(self) -> None:
        """Bring it up to date, and leave it so."""
        if not self._is_closed:
            self._end_of_cell()
            self._is_closed = True
            self._screen.close()

    def _end_of_cell(self) -> None:
        if self._is_stale:
            self.refresh()

    def _keep(self, status: Status) -> None:
        if count_all(status.chains) != count_all(self.status.chains):
            self._grown = time.monotonic()
        self.status, self._is_stale = status, True

    def _show(self, note: str) -> None:
        if self._is_closed:
            return
        try:
            self._screen.show(self.status, note)
        except OSError:  # nobody reads it any more
            self._is_closed = True
        self._is_stale = False
        self._due = time.monotonic() + self._interval
