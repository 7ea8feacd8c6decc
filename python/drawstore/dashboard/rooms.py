"""The runs whose pages are open."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from .view import RunView

if TYPE_CHECKING:
    from ..interface import Run

__all__ = ["Room", "Rooms"]

_MOST = 8  # that are kept
_UNUSED = 300.0  # seconds after which one is let go


class Room:
    """A run whose page is open, and what is known of it.

    Parameters
    ----------
    open_run : callable
        Opens it, as it is now.
    """

    def __init__(self, open_run: Callable[[], Run]) -> None:
        self._open_run = open_run
        self._view: RunView | None = None
        self._signs: tuple[object, ...] = ()
        self.turn = asyncio.Lock()  # of those who ask, so that they wait without a thread
        self.used = time.monotonic()

    def view(self) -> RunView:
        """Give the view of the run; a new one where it is another run by now, or has other chains.

        Raises
        ------
        OSError, RuntimeError, ValueError, KeyError
            Where it cannot be read.
        """
        run = self._open_run()
        counts = [len(chain) for chain in run.get_chains()]
        signs = (run.created_at, len(counts))
        if self._view is None or signs != self._signs or self._has_shrunk(counts):
            self._view = RunView.of(run)
            self._signs = signs
        self._counts = counts
        return self._view

    def _has_shrunk(self, counts: list[int]) -> bool:
        return any(n < before for n, before in zip(counts, self._counts, strict=True))


class Rooms:
    """The rooms that were used last."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, Room] = OrderedDict()

    def room(self, key: str, open_run: Callable[[], Run]) -> Room:
        """Give the room of a run; lets those go that were not used for long."""
        room = self._rooms.pop(key, None) or Room(open_run)
        self._rooms[key] = room
        room.used = time.monotonic()
        for other, of in list(self._rooms.items()):
            if len(self._rooms) > _MOST or time.monotonic() - of.used > _UNUSED:
                del self._rooms[other]
        return room
