"""One look at all runs, which is shared by whoever asks."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..reports.head import reason
from ..reports.place import UNREADABLE
from ..watching import Sight, Watcher

__all__ = ["Looks", "Shared", "View", "key_of"]

_INTERVAL = 0.8  # seconds; pages ask once a second
_SHARE = 25  # times what a look takes go by to the next one, for whoever samples
_LONGEST = 15.0

T = TypeVar("T")


def key_of(where: str, rid: str) -> str:
    """Give what stands for a run in addresses: it is the same each time, and tells nothing."""
    text = f"{len(where)}:{where}{rid}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:24]


class Shared(Generic[T]):
    """What several ask for at once is done once, and not again for a while.

    Belongs to one event loop.

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
        """Give what was made last; or has it made, where that was too long ago."""
        if self._made is None or (self._made.done() and time.monotonic() >= self._until):
            loop = asyncio.get_running_loop()
            self._made = asyncio.ensure_future(loop.run_in_executor(self._executor, self._timed))
        return asyncio.shield(self._made)

    def _timed(self) -> T:
        began = time.monotonic()
        try:
            return self._make()
        finally:
            ended = time.monotonic()
            self._until = ended + min(max(_INTERVAL, _SHARE * (ended - began)), _LONGEST)


@dataclass(frozen=True)
class View:
    """What there is at one moment.

    Attributes
    ----------
    sights : dict of str to Sight
        By key.
    trouble : str
        Why nothing, or not all, is seen.
    is_waiting : bool
        Whether there is nothing yet.
    """

    sights: dict[str, Sight] = field(default_factory=dict)
    trouble: str = ""
    is_waiting: bool = False


class Looks:
    """Looks at a place.

    Parameters
    ----------
    where : str
        As `Watcher` takes it.
    """

    def __init__(self, where: str) -> None:
        self.watcher = Watcher(where)
        self._last = View()

    def look(self) -> View:
        """See what is there now; what went wrong is in it."""
        try:
            if not self.watcher.is_there():
                self._last = View(is_waiting=True)
            else:
                sights = self.watcher.see()
                self._last = View({key_of(sight.where, sight.rid): sight for sight in sights})
        except UNREADABLE as error:
            self._last = View(self._last.sights, reason(error))
        return self._last
