"""What the pages ask for, from what is known of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..reports.head import reason
from ..reports.place import UNREADABLE
from ..reports.show import report_run
from ..text import escaped
from ..watching import Sight, Watcher
from .figures import figures
from .figures.figure import Figure, Question
from .follower import Known
from .looks import Look, look
from .rooms import Room, Rooms
from .shared import Shared
from .table import LEVELS, table
from .themes import THEMES
from .threads import Crew, Threads
from .view import RunView
from .wire import encoded
from .words import BAD, answer, troubles, worst

__all__ = ["App", "Unknown"]

_THREADS = 8
_PATIENCE = 1.0  # seconds
_MOST_PARAMETERS = 12  # of a figure
_MOST_ROWS = 100  # of a table
_MOST_WIDTH = 8192  # pixels
_FOLLOWED = 8  # runs that the page of runs has followed
_SMALL = 2**26  # bytes of a run that is followed although it has ended
_ORDER = {"running": 1, "unknown": 2, "ended": 3}  # of states; others are trouble, and come first


class Unknown(Exception):
    """There is no such run, or figure."""


class App:
    """The runs of a place, for pages; belongs to an event loop.

    Parameters
    ----------
    where : str
        As `Watcher` takes it.

    Raises
    ------
    ValueError
        For a URL that is none.
    """

    def __init__(self, where: str) -> None:
        self._watcher = Watcher(where)
        self.name = self._watcher.name
        self._crew = Crew()
        self._pool = Threads(_THREADS, self._crew)
        self._shared: Shared[Look] = Shared(lambda: look(self._watcher), self._pool)
        self._rooms = Rooms()

    def close(self) -> None:
        """Let go of all, and wait a moment for what is being done."""
        self._rooms.close()
        self._pool.shutdown(wait=False)
        self._crew.end(_PATIENCE)

    async def runs(self) -> dict[str, Any]:
        """Give all runs: those in trouble first, then those to which draws come."""
        seen = await self._shared.get()
        ordered = sorted(seen.sights.items(), key=lambda item: _rank(item[1]))
        followed = 0
        given = []
        for key, sight in ordered:
            known = Known()
            is_small = sight.head.size <= _SMALL or not sight.is_over
            if followed < _FOLLOWED and sight.head.is_readable and sight.n_draws and is_small:
                known = self._room(key, sight).follower.ask()
                followed += 1
            given.append({**_of_sight(key, sight, known), "curve": known.curve})
        return {
            "where": escaped(self.name),
            "trouble": escaped(seen.trouble),
            "is_waiting": seen.is_waiting,
            "runs": given,
        }

    async def run(self, key: str, indices: Sequence[int]) -> dict[str, Any]:
        """Give a run: how it is, and its figures."""
        room = await self._of(key)
        sight, known = await room.sight(), room.follower.ask()
        given = {**_of_sight(key, sight, known), "signature": "", "n_parameters": 0}
        try:
            given |= await room.ask(_about)
            given["signature"] = str(room.viewed_since)
        except UNREADABLE as error:
            given |= {"figures": [], "error": escaped(reason(error))}
        if known.status is not None:
            given["parameters"] = _numbers(known, indices)
            given["chains"] = [
                {
                    "label": escaped(chain.label),
                    "draws": chain.n_steps,
                    "left_out": chain.n_left_out,
                    "acceptance": None if chain.acceptance is None else chain.acceptance.mean(),
                }
                for chain in known.status.chains[:_MOST_ROWS]
            ]
        return given

    async def names(self, key: str) -> dict[str, Any]:
        """Give the names of all parameters."""
        room = await self._of(key)
        return {"names": await room.ask(lambda view: [escaped(name) for name in view.names])}

    async def facts(self, key: str) -> dict[str, Any]:
        """Give what a run is made of."""
        room = await self._of(key)
        found = await room.ask_store(
            lambda place, rid: report_run(place, rid, lambda: place.backend.get_run(rid))
        )
        return {
            "made": found.made_at,
            "written": found.written_at,
            "size": found.size,
            "kind": found.kind,
            "waiting": found.waiting,
            "writers": sorted({escaped(str(c.writer)) for c in found.chains if c.writer}),
            "groups": [escaped(name) for name in found.groups],
            "variables": [_variable(v) for v in found.variables],
            "stats": [_variable(v) for v in found.sample_stats],
            "data": [_variable(v) for v in found.data],
            "coords": {escaped(name): n for name, n in found.coords.items()},
            "attributes": {
                escaped(name): _shortened(value) for name, value in found.attributes.items()
            },
        }

    async def table(self, key: str, indices: Sequence[int]) -> dict[str, Any]:
        """Give parameters in numbers."""
        room = await self._of(key)

        def ask(view: RunView) -> dict[str, Any]:
            chosen = [i for i in indices if 0 <= i < len(view.names)][:_MOST_ROWS]
            found = table(view, chosen)
            return {"levels": LEVELS, **vars(found)}

        return await room.ask(ask)

    async def figure(
        self, key: str, name: str, indices: Sequence[int], theme: str
    ) -> dict[str, Any]:
        """Give a figure, without data."""
        from bokeh.embed import json_item

        figure, room = _figure(name), await self._of(key)

        def make(view: RunView) -> dict[str, Any]:
            made = figure.layout(view, _chosen(view, indices), THEMES[theme])
            return {"item": json_item(made)}

        return await room.ask(make)

    async def data(
        self,
        key: str,
        name: str,
        indices: Sequence[int],
        start: int | None,
        stop: int | None,
        width: int,
    ) -> dict[str, Any]:
        """Give the data of a figure."""
        figure, room = _figure(name), await self._of(key)

        def ask(view: RunView) -> dict[str, Any]:
            question = Question(_chosen(view, indices), start, stop, min(width, _MOST_WIDTH))
            given = figure.data(view, question)
            draws = max((followed.count() for followed in view.followed), default=0)
            return {"sources": encoded(given.sources), "notes": list(given.notes), "draws": draws}

        return await room.ask(ask)

    async def _of(self, key: str) -> Room:
        room = self._rooms.find(key)
        if room is not None:
            return room
        sight = (await self._shared.get()).sights.get(key)
        if sight is None or (not sight.rid and not sight.head.is_readable):
            raise Unknown
        return self._room(key, sight)

    def _room(self, key: str, sight: Sight) -> Room:
        return self._rooms.room(
            key, lambda: Room(sight, self._watcher.store_of(sight), self._pool, self._crew)
        )


def _rank(sight: Sight) -> tuple[int, float]:
    written = sight.head.written_at or sight.head.made_at
    return _ORDER.get(sight.state, 0), -(0 if written is None else written.timestamp())


def _of_sight(key: str, sight: Sight, known: Known) -> dict[str, Any]:
    status, head = known.status, sight.head
    wrong = sorted(troubles(sight, known), key=lambda trouble: trouble.level != BAD)
    given: dict[str, Any] = {
        "key": key,
        "rid": escaped(sight.rid),
        "where": escaped(sight.where),
        "state": sight.state,
        "is_over": sight.is_over,
        "draws": sight.n_draws,
        "n_chains": len(sight.draws),
        "walkers": sight.walkers,
        "layout": head.layout,
        "size": head.size,
        "age": sight.age,
        "rate": sight.rate,
        "answer": answer(sight, known),
        "troubles": wrong,
        "is_troubled": any(trouble.level == BAD for trouble in wrong),
        "error": escaped(sight.error),
        "acceptance": None,
        "worst": None,
    }
    if status is not None:
        given |= {"acceptance": status.acceptance, "worst": worst(status)}
        given["left_out"] = sum(chain.n_left_out for chain in status.chains)
    return given


def _about(view: RunView) -> dict[str, Any]:
    shown: list[Figure] = [figure for figure in figures().values() if figure.applies(view)]
    counts = [followed.n_walkers for followed in view.followed]
    return {
        "n_parameters": len(view.names),
        "is_ensemble": counts != [1] * len(counts),
        "figures": [
            {"name": figure.name, "title": figure.title, "about": figure.about} for figure in shown
        ],
    }


def _numbers(known: Known, indices: Sequence[int]) -> list[dict[str, Any]]:
    status = known.status
    assert status is not None
    return [
        {
            "index": i,
            "tau": status.tau[i],
            "ess": status.ess[i],
            "rhat": None if status.rhat is None else status.rhat[i],
        }
        for i in list(indices)[:_MOST_ROWS]
        if 0 <= i < len(status.names)
    ]


def _figure(name: str) -> Figure:
    if (figure := figures().get(name)) is None:
        raise Unknown
    return figure


def _chosen(view: RunView, indices: Sequence[int]) -> tuple[str, ...]:
    names = view.names
    chosen = [names[i] for i in dict.fromkeys(indices) if 0 <= i < len(names)]
    return tuple(chosen[:_MOST_PARAMETERS] or names[:1])


def _variable(variable: Any) -> dict[str, Any]:
    return {
        "name": escaped(variable.name),
        "dtype": variable.dtype,
        "shape": None if variable.shape is None else list(variable.shape),
        "dims": [escaped(dim) for dim in variable.dims],
    }


def _shortened(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 64:
        return f"array of {value.dtype}, shape {value.shape}"
    text = escaped(value if isinstance(value, str) else repr(value))
    return text if len(text) <= 2000 else text[:2000] + "…"
