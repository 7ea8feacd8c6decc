"""What all who deliver rows share: who does it, and when it is tried again."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from drawstore._core import Holding

from .pace import Pace

if TYPE_CHECKING:
    from .journals import JournalOptions

__all__ = ["BACKLOG_BYTES", "BACKLOG_WAIT", "BLOCK_BYTES", "EXIT_WAIT", "Delivery"]

logger = logging.getLogger("drawstore")

EXIT_WAIT = 60.0  # seconds that the end of a process, or of a chain, waits for the store
_SAFE_EXIT_WAIT = 10.0  # where the rows survive the process
# Of one drain: so long, at most, the store is busy, and so much memory is held a few times over.
BLOCK_BYTES = 12 * 2**20
# From here on the sampler waits for a disk that is slower than it: a journal that stays small lies
# in pages that are used again, and new ones are what costs.
BACKLOG_BYTES = 64 * 2**20
BACKLOG_WAIT = 2.0
_RETRY = 1.0
_BUSY = 0.02


class Delivery(ABC):
    """Rows on their way into a store: a task of `drawstore.drain`, but for what it does when done.

    Parameters
    ----------
    place : str
        The store, as messages call it.
    options : JournalOptions
        Where the rows wait, and how many may.
    """

    noun: ClassVar[str]  # what the rows are to the user
    held_because: ClassVar[str] = "another program has open"  # a store
    patience: ClassVar[float] = math.inf  # seconds that the background thread waits in `deliver`

    def __init__(self, place: str, options: JournalOptions) -> None:
        self.place = place
        self.max_buffer = options.max_buffer
        self._kept = "in memory" if options.path is None else f"in the journal {options.path!r}"
        self._is_safe = options.path is not None
        self._pid = os.getpid()
        self._delivering = threading.RLock()  # one thread delivers at a time
        self._warned = ""
        self._has_said_that_it_waits = False
        self._pace = Pace()

    @property
    def seconds_to_deliver(self) -> float:
        """How long it is going to take to deliver what waits, by how long the last drains took."""
        return self._pace.expected(self.size)

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of the rows that wait."""

    @abstractmethod
    def deliver(
        self, timeout: float = math.inf, cancelled: Callable[[], bool] | None = None
    ) -> bool:
        """Write the rows that wait into the store; not those that come meanwhile.

        Parameters
        ----------
        timeout : float
            Seconds to wait for those who are in the way.
        cancelled : callable, optional
            Ends the wait when it returns True.

        Returns
        -------
        bool
            Whether they are in the store.

        Raises
        ------
        OSError
            Where the store cannot be written; the rows stay where they are.
        """

    @property
    @abstractmethod
    def is_held(self) -> bool:
        """Whether others have the store in use, so that nothing can be delivered now."""

    def busy_pause(self) -> float:
        """Give the seconds after which to try again what was not possible now."""
        return _BUSY

    def warn(self, trouble: object) -> None:
        """Log, once, why rows wait."""
        if str(trouble) != self._warned:
            self._warned = str(trouble)
            logger.warning("%s wait %s: %s", self.noun, self._kept, trouble)

    def try_to_deliver(self, cancelled: Callable[[], bool]) -> float | None:
        """Deliver what waits, from the background thread.

        An error is logged, once, and does not leave this method: the rows stay where they are.

        Returns
        -------
        float or None
            Seconds after which to try again, or None where all is delivered.
        """
        try:
            with Holding(self._delivering, _BUSY) as is_free:
                if not is_free:
                    return _BUSY
                if not self.deliver(self.patience, cancelled):
                    return self.busy_pause()
        except Exception as error:
            self.warn(error)
            return _RETRY
        self._warned = ""
        return None

    # What makes the sampler wait.

    @property
    def is_behind(self) -> bool:
        """Whether more waits than is good, and nobody else is the reason."""
        return self.size > BACKLOG_BYTES and not self.is_held

    def catch_up(self) -> None:
        """Deliver, for a moment, about half of what is good to wait; never wait for a reader."""
        end = time.monotonic() + BACKLOG_WAIT

        def is_over() -> bool:
            return self.is_held or self.size <= BACKLOG_BYTES // 2

        with contextlib.suppress(OSError, RuntimeError):  # the background thread tells of it
            while time.monotonic() < end and not is_over():
                self.deliver(_BUSY, is_over)  # for a moment: that thread may wait for a reader

    def wait_for_room(self, deliver: Callable[[float, Callable[[], bool]], bool]) -> None:
        """Return when no more than ``max_buffer`` waits; a warning says so where that takes long.

        Parameters
        ----------
        deliver : callable
            The method, or what calls it.
        """
        is_held = False

        def has_room() -> bool:
            nonlocal is_held
            is_held = is_held or self.is_held
            return self.size <= self.max_buffer

        while not has_room():
            if not deliver(BACKLOG_WAIT, has_room) and not has_room():
                self.say_that_it_waits(is_held)

    def say_that_it_waits(self, is_held: bool) -> None:
        """Log, once, that the sampler waits."""
        if not self._has_said_that_it_waits:
            self._has_said_that_it_waits = True
            logger.warning(
                "the sampler waits, because %.1f MiB of %s wait for %r, which %s; max_buffer "
                "says how much may wait",
                self.size / 2**20,
                self.noun,
                self.place,
                self.held_because if is_held else "is written slowly",
            )

    @property
    def is_of_a_parent(self) -> bool:
        """Whether the process that began it forked this one."""
        return self._pid != os.getpid()

    @abstractmethod
    def undelivered(self, waiting: int, timeout: float) -> TimeoutError:
        """Make the error for rows that could not be delivered in so many seconds."""

    def report_lost(self, waiting: int, error: Exception) -> None:
        """Say that the process ends before so many rows could be delivered."""
        fate = f"kept {self._kept}, for the next to write there" if self._is_safe else "lost"
        print(f"drawstore: the last {waiting} {self.noun} are {fate}: {error}", file=sys.stderr)

    @property
    def exit_wait(self) -> float:
        """Seconds that the end of the process waits for the store."""
        return _SAFE_EXIT_WAIT if self._is_safe else EXIT_WAIT
