"""Following a run in the background, as long as somebody asks for it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..ensemble import steps_of
from ..monitor import Monitor
from ..reports.head import reason
from ..reports.place import UNREADABLE
from ..reports.steps import Stuck, stuck_walkers, window_of
from ..watching.trace import Trace
from .threads import Crew

if TYPE_CHECKING:
    from ..interface import Run
    from ..monitor import Status

__all__ = ["Follower", "Known"]

_INTERVAL = 1.0  # seconds from one update to the next, at least
_SHARE = 25  # times what an update takes go by to the next one, for whoever samples
_LONGEST_PAUSE = 30.0
_ASKED = 5.0  # seconds after the last question in which updates begin
_ASKED_READING = 60.0  # and go on, where much is to be read
_STUCK_INTERVAL = 10.0
_MOST_BYTES = 2**28  # of draws that are read at once
_MOST_ELEMENTS = 10_000  # of a variable, of which there is a curve
_AT_ONCE = threading.BoundedSemaphore(2)  # updates of all followers


class _Enough(Exception):
    """Nobody asks any more."""


class _TooMuch(RuntimeError):
    """It would take more memory than a page is worth."""


@dataclass(frozen=True)
class Known:
    """What a follower knows of its run.

    Attributes
    ----------
    status : Status or None
        None until all draws have been read once.
    curve : tuple of (list of int, list of float)
        Numbers of draws, and the values of the first parameter there.
    stuck : tuple of Stuck
        Walkers that do not move any more.
    read : tuple of (int, int) or None
        How many draws were read, of how many, while there is no status.
    error : str
        Why it cannot be followed; "" where it can.
    """

    status: Status | None = None
    curve: tuple[list[int], list[float]] = field(default=([], []))
    stuck: tuple[Stuck, ...] = ()
    read: tuple[int, int] | None = None
    error: str = ""


class Follower:
    """Follows a run with a `Monitor`, in a thread that ends when nobody asks.

    Parameters
    ----------
    open_run : callable
        Opens it.
    crew : Crew
        To which the thread belongs.
    """

    def __init__(self, open_run: Callable[[], Run], crew: Crew) -> None:
        self._open_run = open_run
        self._crew = crew
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked = -math.inf
        self._monitor: Monitor | None = None
        self._trace: Trace | None = None
        self._n_chains = 0
        self._stuck_at = -math.inf
        self.known = Known(read=(0, 0))

    def ask(self) -> Known:
        """Say what is known by now, and have it go on."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None:
                self._wake.clear()
                self._thread = self._crew.start(self._run)
        return self.known

    def close(self) -> None:
        """End the thread soon."""
        with self._lock:
            self._asked = -math.inf
            self._wake.set()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                with _AT_ONCE:
                    self._update()
            except _Enough:
                pass
            except UNREADABLE as error:
                self._monitor = self._trace = None
                self.known = Known(error=reason(error))
            took = time.monotonic() - began
            self._wake.wait(min(max(_INTERVAL - took, _SHARE * took), _LONGEST_PAUSE))
            with self._lock:
                if not self._is_asked(_ASKED):
                    self._thread = None
                    return

    def _is_asked(self, within: float) -> bool:
        return time.monotonic() - self._asked < within

    def _update(self) -> None:
        if self._monitor is None:
            self._monitor = Monitor(self._open_run())
        status = self._monitor.update(self._reading)
        if self._trace is None or self._n_chains != len(status.chains):
            first = _first_variable(status.names)
            is_small = 0 < len(first) <= _MOST_ELEMENTS
            self._trace = Trace(self._open_run(), first) if is_small else None
            self._n_chains = len(status.chains)
        curve = self.known.curve
        if self._trace is not None:
            both = [chain.n_steps + chain.n_left_out for chain in status.chains]
            self._trace.update(max(both, default=0))
            at, values = self._trace.values(0)
            curve = at.tolist(), values.tolist()
        stuck = self.known.stuck
        if time.monotonic() - self._stuck_at >= _STUCK_INTERVAL:
            stuck = tuple(_stuck_of(self._open_run()))
            self._stuck_at = time.monotonic()
        self.known = Known(status, curve, stuck)

    def _reading(self, start: int, stop: int, n: int, n_bytes: int) -> None:
        if not self._is_asked(_ASKED_READING):
            raise _Enough
        if n_bytes > _MOST_BYTES:
            raise _TooMuch(
                "it has too many draws of too many parameters, or they take too long to become "
                "independent, for it to be told in bounded memory whether it has converged"
            )
        if self.known.status is None:
            self.known = replace(self.known, read=(start, n), error="")


def _first_variable(names: Sequence[str]) -> list[str]:
    """Give the names of the elements of the first variable."""
    variable = names[0].rpartition("[")[0] if names else ""
    return (
        [name for name in names if name.rpartition("[")[0] == variable]
        if variable
        else [*names[:1]]
    )


def _stuck_of(run: Run) -> list[Stuck]:
    """Find walkers that do not move any more."""
    steps = steps_of(run)
    window = window_of(steps) if steps is not None and len(steps) else None
    return [] if steps is None or window is None else stuck_walkers(steps, window)
