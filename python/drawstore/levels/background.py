"""Levels that are built while nobody waits for them."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Sequence

from .levels import Levels

__all__ = ["Builder"]

_STEP = 0.02  # seconds
_PATIENCE = 5.0  # seconds that go on after somebody asked last
_LONGEST_STEP = 10.0  # seconds that the end of the process waits for

_ending = threading.Event()
_threads: set[threading.Thread] = set()


class Builder:
    """Builds levels in a thread of its own, as long as somebody asks for them.

    Parameters
    ----------
    levels : Levels
    lock : Lock
        Held for each step, and by whoever uses the levels.
    """

    def __init__(self, levels: Levels, lock: threading.Lock) -> None:
        self.levels = levels
        self._lock = lock
        self._thread: threading.Thread | None = None
        self._parameters: tuple[int, ...] = ()
        self._asked = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether there is something to be built that somebody asked for."""
        return self._thread is not None

    def ask(self, parameters: Sequence[int]) -> None:
        """Have the levels of some parameters built; the lock is held."""
        self._parameters = tuple(parameters)
        self._asked = time.monotonic()
        if self._thread is None and not _ending.is_set():
            self._thread = threading.Thread(target=self._run, name="drawstore-levels", daemon=True)
            _threads.add(self._thread)
            self._thread.start()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            with self._lock:
                if _ending.is_set() or not self._goes_on():
                    self._thread = None
                    break
            _ending.wait(time.monotonic() - began)  # whoever waits for the lock has it now
        _threads.discard(threading.current_thread())

    def _goes_on(self) -> bool:
        if time.monotonic() - self._asked > _PATIENCE:
            return False
        try:
            return not self.levels.build(self._parameters, _STEP)
        except (OSError, RuntimeError, KeyError, ValueError):
            return False  # whoever asks next is told


def _end() -> None:
    """Have the threads end: Python kills the process where one is in compiled code at its end."""
    _ending.set()
    for thread in list(_threads):
        thread.join(_LONGEST_STEP)


atexit.register(_end)
