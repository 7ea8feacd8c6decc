"""The runs that pages ask for, and what is known of each."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeVar

from ..ensemble import steps_of
from ..reports.head import reason
from ..reports.place import UNREADABLE, Place
from ..watching import Sight, Watcher
from .follower import Follower
from .shared import Shared
from .threads import Crew
from .view import RunView

if TYPE_CHECKING:
    from ..interface import Run

__all__ = ["Room", "Rooms"]

_MOST = 16  # rooms that are kept
_MOST_VIEWS = 4  # with what their figures keep
_INTERVAL = 0.5  # seconds from one look whether a run is still the same to the next
_UNUSED = 300.0  # seconds after which one is let go

T = TypeVar("T")


class Room:
    """A run, and what is known of it.

    Belongs to an event loop, and works in the threads of an executor.

    Parameters
    ----------
    sight : Sight
        The run, as it was seen.
    store : str
        What opens its store.
    executor : Executor
    crew : Crew
        Of the thread that follows it.
    """

    def __init__(self, sight: Sight, store: str, executor: Executor, crew: Crew) -> None:
        self._sight = sight
        self._store = store
        self._executor = executor
        self._watcher = Watcher(store, sight.rid)
        self._shared = Shared(self._see, executor)
        self._turn = asyncio.Lock()  # of those who ask, so that they wait without a thread
        self._view: RunView | None = None
        self._signs: tuple[object, ...] = ()
        self._counts: list[int] = []
        self._checked_at = 0.0
        self.follower = Follower(self.open_run, crew)
        self.used = time.monotonic()
        self.viewed_since = 0  # another time means that figures have to be made anew

    def open_run(self) -> Run:
        """Open the run as it is now."""
        return Place.at(self._store).run(self._sight.rid)

    async def sight(self) -> Sight:
        """See it as it is now; where it is gone, or cannot be read, its error says so."""
        return await self._shared.get()

    async def ask(self, question: Callable[[RunView], T]) -> T:
        """Ask something about its draws, one question at a time.

        Raises
        ------
        OSError, RuntimeError, ValueError, KeyError
            Where it cannot be read, or has nothing that can be shown.
        """

        def asked() -> T:
            view = self._now()
            with view.lock:
                return question(view)

        async with self._turn:
            return await asyncio.get_running_loop().run_in_executor(self._executor, asked)

    async def ask_store(self, question: Callable[[Place, str], T]) -> T:
        """Ask something about what is kept beside its draws; raises as `ask` does."""

        def asked() -> T:
            return question(Place.at(self._store), self._sight.rid)

        return await asyncio.get_running_loop().run_in_executor(self._executor, asked)

    def forget_view(self) -> None:
        """Let go of what its figures keep."""
        self._view = None

    def _see(self) -> Sight:
        try:
            (sight,) = self._watcher.see()
        except UNREADABLE as error:
            return Sight(self._sight.where, self._sight.rid, "damaged", error=reason(error))
        return sight

    def _now(self) -> RunView:
        """Give the view; a new one where it is another run by now, or has other chains."""
        view = self._view
        if view is not None and time.monotonic() - self._checked_at < _INTERVAL:
            return view
        place = Place.at(self._store)
        run = place.run(self._sight.rid)
        with run.held_open():
            counts = [len(chain) for chain in run.get_chains()]
            signs = (place.made_at(run) or _first_step(run), len(counts))
        shrunk = any(n < before for n, before in zip(counts, self._counts, strict=False))
        if view is None or signs != self._signs or shrunk:
            view = self._view = RunView.of(run)
            self.viewed_since = time.time_ns()
            self._signs = signs
        self._counts = counts
        self._checked_at = time.monotonic()
        view.status = self.follower.known.status
        return view


def _first_step(run: Run) -> bytes:
    """Give that by which a run of emcee is told from the one before it, as after `reset`."""
    steps = steps_of(run)
    assert steps is not None
    return steps.read("chain", range(min(1, len(steps)))).tobytes()


class Rooms:
    """The rooms that were used last."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, Room] = OrderedDict()

    def room(self, key: str, make: Callable[[], Room]) -> Room:
        """Give the room of a key, which is made where there is none; lets others go for it."""
        room = self._rooms.pop(key, None) or make()
        self._rooms[key] = room
        room.used = time.monotonic()
        for other, unused in list(self._rooms.items()):
            if len(self._rooms) > _MOST or time.monotonic() - unused.used > _UNUSED:
                unused.follower.close()
                del self._rooms[other]
        for old in list(self._rooms.values())[:-_MOST_VIEWS]:
            old.forget_view()
        return room

    def find(self, key: str) -> Room | None:
        """Give the room of a key, where there is one."""
        room = self._rooms.get(key)
        return None if room is None else self.room(key, lambda: room)

    def close(self) -> None:
        """Let all go."""
        for room in self._rooms.values():
            room.follower.close()
        self._rooms.clear()
