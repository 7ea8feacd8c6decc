"""Threads that wait for disks and databases, and that need not be waited for themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

__all__ = ["Threads", "end_threads", "thread"]

_NAME = "drawstore dashboard"

P = ParamSpec("P")
T = TypeVar("T")


def thread(target: Callable[[], None]) -> threading.Thread:
    """Start a thread of the dashboard."""
    started = threading.Thread(target=target, name=_NAME, daemon=True)
    started.start()
    return started


def end_threads(seconds: float) -> bool:
    """Wait for all threads of dashboards, which were told to end; say whether they have.

    An interpreter must not be finalized while there are some: where a thread wants to go on from
    compiled code, it is torn out of it.
    """
    end = time.monotonic() + seconds
    left = [other for other in threading.enumerate() if other.name == _NAME]
    for other in left:
        other.join(max(0.0, end - time.monotonic()))
    return not any(other.is_alive() for other in left)


class Threads(Executor):
    """An executor of daemon threads: a server that does not answer does not hold up Ctrl-C.

    Parameters
    ----------
    n : int
        How many there are.
    """

    def __init__(self, n: int) -> None:
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = [thread(self._run) for _ in range(n)]

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done: see `concurrent.futures.Executor.submit`."""
        future: Future[T] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads, each after what it is doing."""
        for _ in self._threads:
            self._work.put(None)
        if wait:
            for started in self._threads:
                started.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            future, call = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            del future, call, work
