"""What all writers of HDF5 files share: who delivers, and when it is tried again."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

__all__ = ["EXIT_WAIT", "Delivery"]

logger = logging.getLogger("drawstore")

EXIT_WAIT = 60.0  # seconds that the end of a process, or of a chain, waits for who holds the file
_SAFE_EXIT_WAIT = 10.0  # where the rows survive the process
_RETRY = 1.0
_BUSY = 0.02


class Delivery(ABC):
    """Rows on their way into a file: a task of `drawstore.drain`, but for what it does when done.

    Parameters
    ----------
    path : str
        Of the file, for messages.
    journal : str, optional
        The path of the journal in which the rows wait; None where they wait in memory.
    """

    noun: ClassVar[str]  # what the rows are to the user

    def __init__(self, path: str, journal: str | None = None) -> None:
        self._path = path
        self._kept = "in memory" if journal is None else f"in the journal {journal!r}"
        self._is_safe = journal is not None
        self._pid = os.getpid()
        self._delivering = threading.RLock()  # one thread delivers at a time
        self._warned = ""

    @abstractmethod
    def deliver(
        self, timeout: float = math.inf, cancelled: Callable[[], bool] | None = None
    ) -> bool:
        """Write the rows that wait into the file; not those that come meanwhile.

        Parameters
        ----------
        timeout : float
            Seconds to wait for programs that have the file open.
        cancelled : callable, optional
            Ends the wait when it returns True.

        Returns
        -------
        bool
            Whether they are in the file.

        Raises
        ------
        OSError
            Where the file cannot be written; the rows stay where they are.
        """

    def try_to_deliver(self, cancelled: Callable[[], bool]) -> float | None:
        """Deliver what waits, from the background thread.

        An error is logged, once, and does not leave this method: the rows stay where they are.

        Returns
        -------
        float or None
            Seconds after which to try again, or None where all is delivered.
        """
        if not self._delivering.acquire(timeout=_BUSY):
            return _BUSY
        try:
            if not self.deliver(cancelled=cancelled):
                return _BUSY
        except Exception as error:
            if str(error) != self._warned:
                self._warned = str(error)
                logger.warning("%s wait %s: %s", self.noun, self._kept, error)
            return _RETRY
        finally:
            self._delivering.release()
        self._warned = ""
        return None

    @property
    def is_of_a_parent(self) -> bool:
        """Whether the process that began it forked this one."""
        return self._pid != os.getpid()

    def held(self, waiting: int, timeout: float) -> TimeoutError:
        """Make the error for rows that could not be delivered because the file is in use."""
        return TimeoutError(
            f"{waiting} {self.noun} are not in {self._path!r} yet, because another program holds "
            f"the file; waited {timeout:.1f} s. They are kept {self._kept}: close the file there "
            "and call close() again"
        )

    def report_lost(self, waiting: int, error: Exception) -> None:
        """Say that the process ends before so many rows could be delivered."""
        fate = f"kept {self._kept}, for the next to write to the file" if self._is_safe else "lost"
        print(f"drawstore: the last {waiting} {self.noun} are {fate}: {error}", file=sys.stderr)

    @property
    def exit_wait(self) -> float:
        """Seconds that the end of the process waits for those who hold the file."""
        return _SAFE_EXIT_WAIT if self._is_safe else EXIT_WAIT
