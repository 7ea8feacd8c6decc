"""What several ask for at once is done once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

__all__ = ["Shared"]

_INTERVAL = 0.8  # seconds; pages ask once a second
_SHARE = 25  # times what it takes go by before it is done again, for whoever samples
_LONGEST = 15.0

T = TypeVar("T")


class Shared(Generic[T]):
    """Something that is made when it is asked for, and not again for a while.

    Belongs to an event loop.

    Parameters
    ----------
    make : callable
        Runs in the executor.
    executor : Executor
    """

    def __init__(self, make: Callable[[], T], executor: Executor) -> None:
        self._make = make
        self._executor = executor
        self._made: asyncio.Future[T] | None = None
        self._until = 0.0

    def get(self) -> Awaitable[T]:
        """Give what was made last; or have it made, where that was too long ago."""
        if self._made is None or (self._made.done() and time.monotonic() >= self._until):
            loop = asyncio.get_running_loop()
            self._made = loop.run_in_executor(self._executor, self._timed)
        return asyncio.shield(self._made)  # who asked may go away

    def _timed(self) -> T:
        began = time.monotonic()
        try:
            return self._make()
        finally:
            ended = time.monotonic()
            self._until = ended + min(max(_INTERVAL, _SHARE * (ended - began)), _LONGEST)
