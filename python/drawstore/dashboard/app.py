"""What the pages ask for, from what is known of the runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..watching import Sight
from .figures import figures
from .figures.figure import Question
from .looks import Looks, Shared, View
from .rooms import Room, Rooms
from .themes import THEMES
from .view import RunView
from .wire import encoded

__all__ = ["App", "Unknown"]

_THREADS = 8
_MOST_PARAMETERS = 12
_MOST_WIDTH = 8192

T = TypeVar("T")


class Unknown(Exception):
    """There is no such run, or figure."""


class App:
    """The runs of a place, for pages.

    Parameters
    ----------
    where : str
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.pool = ThreadPoolExecutor(_THREADS, "dashboard")
        self._looks = Looks(where)
        self._shared: Shared[View] = Shared(self._looks.look, self.pool)
        self._rooms = Rooms()

    def close(self) -> None:
        """Let go of all."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    async def runs(self) -> dict[str, Any]:
        """Give the runs."""
        view = await self._shared.get()
        return {
            "where": self.where,
            "trouble": view.trouble,
            "is_waiting": view.is_waiting,
            "runs": [_of_sight(key, sight) for key, sight in view.sights.items()],
        }

    async def run(self, key: str) -> dict[str, Any]:
        """Give a run."""
        sight, room = await self._room(key)
        view = await self._in(room, lambda view: view)
        names = [name for name, figure in figures().items() if figure.applies(view)]
        return {
            **_of_sight(key, sight),
            "parameters": list(view.names),
            "figures": [
                {"name": n, "title": figures()[n].title, "about": figures()[n].about} for n in names
            ],
        }

    async def figure(self, key: str, name: str, indices: list[int], theme: str) -> dict[str, Any]:
        """Give a figure, without data."""
        from bokeh.embed import json_item

        figure = figures().get(name)
        if figure is None:
            raise Unknown
        _, room = await self._room(key)

        def make(view: RunView) -> Any:
            return json_item(figure.layout(view, _chosen(view, indices), THEMES[theme]))

        return {"item": await self._in(room, make)}

    async def data(
        self,
        key: str,
        name: str,
        indices: list[int],
        start: int | None,
        stop: int | None,
        width: int,
    ) -> dict[str, Any]:
        """Give the data of a figure."""
        figure = figures().get(name)
        if figure is None:
            raise Unknown
        _, room = await self._room(key)

        def answer(view: RunView) -> dict[str, Any]:
            question = Question(_chosen(view, indices), start, stop, min(width, _MOST_WIDTH))
            given = figure.data(view, question)
            draws = max((followed.count() for followed in view.followed), default=0)
            return {"sources": encoded(given.sources), "notes": list(given.notes), "draws": draws}

        return await self._in(room, answer)

    async def _room(self, key: str) -> tuple[Sight, Room]:
        view = await self._shared.get()
        sight = view.sights.get(key)
        if sight is None:
            raise Unknown
        return sight, self._rooms.room(key, lambda: self._looks.watcher.run(sight))

    async def _in(self, room: Room, ask: Callable[[RunView], T]) -> T:
        def asked() -> T:
            view = room.view()
            with view.lock:
                return ask(view)

        async with room.turn:
            return await asyncio.get_running_loop().run_in_executor(self.pool, asked)


def _chosen(view: RunView, indices: list[int]) -> tuple[str, ...]:
    names = view.names
    chosen = [names[i] for i in dict.fromkeys(indices) if 0 <= i < len(names)]
    return tuple(chosen[:_MOST_PARAMETERS] or names[:4])


def _of_sight(key: str, sight: Sight) -> dict[str, Any]:
    return {
        "key": key,
        "rid": sight.rid,
        "where": sight.where,
        "state": sight.state,
        "error": sight.error,
        "draws": sight.n_draws,
        "age": sight.age,
        "rate": sight.rate,
    }
