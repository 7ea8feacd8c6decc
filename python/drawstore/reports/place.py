"""A place where runs are kept, and the runs in it: also those that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from drawstore._core import run_folder
from drawstore.backends.clickhouse import ClickHouseBackend
from drawstore.ensemble import is_ensemble
from drawstore.opening import open_quietly

if TYPE_CHECKING:
    from drawstore.interface import Backend, Run, RunInfo

__all__ = ["IN_HDF5", "UNREADABLE", "Place", "layout_of"]

UNREADABLE = (OSError, RuntimeError, ValueError, KeyError)
"""What opening and reading damaged runs raises."""

IN_HDF5 = ("hdf5", "emcee", "hdf5 and emcee")
"""Kinds of places that are one HDF5 file, which drawstore writes."""

_META = "run.meta"
_DRAWS = ".draws"
_KINDS = {
    "FileBackend": "directory",
    "HDF5Backend": "hdf5",
    "EmceeFile": "emcee",
    "SeveralKinds": "hdf5 and emcee",
    "ArvizFile": "arviz",
    "StanCSV": "stan",
}
_OF_RUNS = {"StoredRun": "directory", "HDF5Run": "hdf5", "EmceeRun": "emcee"}


@dataclass(frozen=True)
class Place:
    """A store that is open to be read.

    Attributes
    ----------
    path : str
        As it was named; of a database without the password.
    backend : Backend
    """

    path: str
    backend: Backend

    @classmethod
    def at(cls, where: str | os.PathLike[str]) -> Place:
        """Open a store; raises as `drawstore.open` does."""
        backend = open_quietly(where)
        if isinstance(backend, ClickHouseBackend):
            return cls(backend.place, backend)
        return cls(os.fspath(where), backend)

    @classmethod
    def of(cls, backend: Backend) -> Place | None:
        """Take a store that is open; None for one that is nowhere, or in memory."""
        names = ("directory", "filename", "place")
        paths = [path for name in names if (path := getattr(backend, name, None))]
        return cls(paths[0], backend) if paths else None

    @property
    def kind(self) -> str:
        """What kind of store it is.

        One of "directory", "hdf5", "emcee", "hdf5 and emcee", "arviz", "stan", "clickhouse",
        "chdb" and "other".
        """
        if isinstance(self.backend, ClickHouseBackend):
            return self.path.partition("://")[0]
        return _KINDS.get(type(self.backend).__name__, "other")

    def kind_of(self, run: Run) -> str:
        """Tell the kind of one of its runs, where there are several."""
        return _OF_RUNS.get(type(run).__name__, self.kind)

    @cached_property
    def infos(self) -> dict[str, RunInfo]:
        """The runs as they were listed when the place was first asked; none of a directory."""
        listed = [] if self.kind == "directory" else self.backend.get_runs()
        return {info.rid: info for info in listed}

    def runs(self) -> Iterator[tuple[str, Callable[[], Run]]]:
        """Give the ids of the runs, and what opens each."""
        if self.kind == "directory":
            names = sorted(name for name in os.listdir(self.path) if not name.startswith("."))
            for name in names:
                if os.path.exists(os.path.join(self.path, name, _META)):
                    rid = "" if name == "%" else unquote(name)
                    yield rid, partial(self.backend.get_run, rid)
        else:
            for rid in self.infos:
                yield rid, partial(self.backend.get_run, rid)

    def chosen(self, rid: str | None) -> Iterator[tuple[str, Callable[[], Run]]]:
        """Give one of the runs, as `runs` does, or all of them.

        Raises
        ------
        KeyError
            Where there is no run of that id; the message lists those there are.
        """
        found = list(self.runs())
        if rid is not None:
            ids = [name for name, _ in found]
            if rid not in ids:
                there = ", ".join(map(repr, ids)) or "none"
                raise KeyError(f"there is no run {rid!r} in {self.path!r}; there are: {there}")
            found = [found[ids.index(rid)]]
        yield from found

    def run(self, rid: str | None) -> Run:
        """Open one run: where no id is given, the only one there is.

        Raises
        ------
        KeyError
            As for `chosen`.
        ValueError
            Where there is none, or several and no id is given.
        """
        found = list(self.chosen(rid))
        if len(found) != 1:
            ids = ", ".join(repr(name) for name, _ in found)
            there = f"there are several runs in {self.path!r}; name one of {ids}"
            raise ValueError(there if found else f"there are no runs in {self.path!r}")
        return found[0][1]()

    def made_at(self, run: Run) -> datetime | None:
        """Tell when a run was made; emcee does not keep that."""
        return None if self.kind_of(run) == "emcee" else run.created_at

    def written_at(self, run: Run) -> datetime | None:
        """Tell when a run was last written, by the times of its files; None where none is its own.

        A file of several runs says only when any of them was written, and a server nothing.
        """
        kind = self.kind_of(run)
        if kind == "directory":
            folder = run_folder(self.path, run.rid)
            files = [os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(_DRAWS)]
        elif kind in ("hdf5", "emcee") and len(self.infos) == 1:
            from drawstore.hdf5.journal import journals_of

            files = [self.path, *journals_of(self.path)]
        else:
            files = []
        times = [datetime.fromtimestamp(os.path.getmtime(file), UTC) for file in files]
        return max(times, default=None)


def layout_of(run: Run) -> str:
    """Tell what a run is of: independent "chains", or the walkers of an "ensemble".

    These lie in one chain, as `ensemble_meta` describes it, or are the chains, as in files of emcee
    and in what was made of such.
    """
    is_of_walkers = is_ensemble(run) or run.attributes.get("inference_library") == "emcee"
    return "ensemble" if is_of_walkers else "chains"
