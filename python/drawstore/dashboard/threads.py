"""Threads that wait for disks and databases, and that need not be waited for themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

__all__ = ["Crew", "Threads"]

_NAME = "drawstore dashboard"

P = ParamSpec("P")
T = TypeVar("T")


class Crew:
    """The threads of a dashboard.

    An interpreter must not be finalized while there are some: where a thread wants to go on from
    compiled code, it is torn out of it.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, target: Callable[[], None]) -> threading.Thread:
        """Start a thread."""
        started = threading.Thread(target=target, name=_NAME, daemon=True)
        started.start()
        self._threads = [*(other for other in self._threads if other.is_alive()), started]
        return started

    def end(self, seconds: float) -> None:
        """Wait so long for all of them, which were told to end."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @staticmethod
    def is_left() -> bool:
        """Say whether there are threads of any dashboard, as where a database does not answer."""
        return any(thread.name == _NAME for thread in threading.enumerate())


class Threads(Executor):
    """An executor of daemon threads: a server that does not answer does not hold up Ctrl-C.

    Parameters
    ----------
    n : int
        How many there are.
    crew : Crew
        Which they belong to.
    """

    def __init__(self, n: int, crew: Crew) -> None:
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = [crew.start(self._run) for _ in range(n)]

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
