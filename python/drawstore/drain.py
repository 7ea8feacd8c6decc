"""The background thread, one a process, that takes rows to slow places."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from .threads import join

_SWITCH_INTERVAL = 2e-4  # seconds
_LONGEST_TASK = 60.0  # seconds; it ends as soon as it sees that it is cancelled

__all__ = ["Task", "forget", "register", "schedule"]


class Task(Protocol):
    """Something that has rows to deliver."""

    def drain(self, cancelled: Callable[[], bool]) -> float | None:
        """Deliver what there is; called by the background thread.

        Parameters
        ----------
        cancelled : callable
            True when the thread is to come back soon, because the process forks or ends.

        Returns
        -------
        float or None
            Seconds after which to be called again, or None where there is nothing left to do.
        """

    def finish(self) -> None:
        """Deliver everything, because the process ends."""


@contextlib.contextmanager
def _sharing_evenly() -> Iterator[None]:
    """Have a thread that computes give the interpreter up sooner than after 5 ms.

    A task gives it up, and waits to get it back, at each of a hundred calls into HDF5 and into the
    system. A sampler that never rests would make half a second of that, in which what it appends
    piles up, instead of some milliseconds.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(_SWITCH_INTERVAL, before))
    ours = sys.getswitchinterval()
    try:
        yield
    finally:
        if sys.getswitchinterval() == ours:  # else somebody else has set it meanwhile
            sys.setswitchinterval(before)


class _Drain:
    """Runs tasks when they are due. The thread lives only while there are any."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._due: dict[Task, float] = {}
        self._known: set[Task] = set()
        self._thread: threading.Thread | None = None
        self._parked = 0
        self._ending = False
        self._finalizer_pid = 0

    def register(self, task: Task) -> None:
        """Have a task finished when the process ends."""
        with self._lock:
            self._known.add(task)
            self._deliver_when_worker_ends()

    def schedule(self, task: Task, delay: float) -> None:
        """Have a task drained after ``delay`` seconds, or sooner where it is due sooner."""
        with self._lock:
            due = time.monotonic() + delay
            self._due[task] = min(due, self._due.get(task, due))
            self.register(task)
            self._start()
            self._changed.notify()
        if self._ending:
            task.finish()

    def forget(self, task: Task) -> None:
        """Drop a task that has nothing more to deliver."""
        with self._lock:
            self._due.pop(task, None)
            self._known.discard(task)
            self._changed.notify()  # the thread may be waiting for it, and would keep it so long

    def _start(self) -> None:
        if self._thread is None and self._due and not self._parked and not self._ending:
            thread = threading.Thread(target=self._run, name="drawstore", daemon=True)
            # Refused while the interpreter ends, when all is delivered anyway, and where there
            # are too many threads: then the next step tries again.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._parked or self._ending or not self._due:
                    self._thread = None
                    return
                task = min(self._due, key=self._due.__getitem__)
                wait = self._due[task] - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                del self._due[task]
            with _sharing_evenly():
                again = task.drain(lambda: self._parked > 0 or self._ending)
            if again is not None:
                self.schedule(task, again)

    # Around a fork there is no thread: none is copied in the middle of its work, and Python has
    # nothing to warn about.

    def park(self) -> None:
        with self._lock:
            self._parked += 1
            thread = self._thread
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            join(thread)

    def unpark(self) -> None:
        with self._lock:
            self._parked -= 1
            self._start()

    # When the process ends.

    def _deliver_when_worker_ends(self) -> None:
        # Workers of multiprocessing end without running atexit, but run its finalizers.
        util = sys.modules.get("multiprocessing.util")
        if util is not None and self._finalizer_pid != os.getpid():
            self._finalizer_pid = os.getpid()
            util.Finalize(None, self.finish_all, exitpriority=100)

    def finish_all(self) -> None:
        with self._lock:
            tasks = list(self._known)
        for task in tasks:
            task.finish()

    def end(self) -> None:
        with self._lock:
            self._ending = True
            thread = self._thread
            self._changed.notify()
        # The interpreter kills threads that live on, and the process where one is in compiled code.
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LONGEST_TASK)
        self.finish_all()


_drain = _Drain()


def register(task: Task) -> None:
    """Have a task finished when the process ends; no thread is started for that."""
    _drain.register(task)


def schedule(task: Task, delay: float) -> None:
    """Have a task drained by the background thread after ``delay`` seconds at the latest.

    Parameters
    ----------
    task : Task
    delay : float
        Seconds.
    """
    _drain.schedule(task, delay)


def forget(task: Task) -> None:
    """Drop a task that has nothing more to deliver."""
    _drain.forget(task)


def _renew() -> None:
    global _drain
    _drain = _Drain()


def park_around_forks() -> None:
    """Have the thread come to rest before a fork does what others do before one.

    Who has tasks that wait for a lock, which a library takes around forks as h5py does, calls this
    when the library is imported: what is registered last is done first.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lambda: _drain.park(),
            after_in_parent=lambda: _drain.unpark(),
            after_in_child=_renew,
        )


atexit.register(lambda: _drain.end())
park_around_forks()
