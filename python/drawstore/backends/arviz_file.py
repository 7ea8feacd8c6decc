"""Files of ArviZ as runs: a netCDF file, or a Zarr directory, holds one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from drawstore.backends.one_run import FileOfOneRun
from drawstore.interface import Chain, Group, Run
from drawstore.meta import RunMeta
from drawstore.read_only import ReadOnlyChain

try:
    import xarray as xr

    from drawstore.arviz.datasets import as_group
    from drawstore.arviz.tree_columns import Column
    from drawstore.arviz.trees import TreeShape, shape_of
except ImportError as error:
    raise ImportError(
        "drawstore needs xarray to read files of ArviZ: pip install 'drawstore[convert]'"
    ) from error

__all__ = ["ArvizFile"]

Array = NDArray[Any]


class ArvizFile(FileOfOneRun["ArvizRun"]):
    """The run in a netCDF file or a Zarr directory of ArviZ, to be read.

    What ArviZ, PyMC, `Run.to_datatree` or `drawstore.convert` wrote: the variables of the group
    posterior are those of the run, sample_stats are its stats, and the draws of the groups
    "warmup_..." come first, marked by the stat "tune". Draws are read when they are asked for,
    except for text, which xarray reads as a whole.

    Parameters
    ----------
    path : path-like
        Of the file, or the directory.

    Raises
    ------
    ImportError
        Where the package is missing that reads it.
    """

    contents = "files of ArviZ"

    def _open(self) -> ArvizRun:
        return ArvizRun(self)

    def _close(self, run: ArvizRun) -> None:
        run.close_groups()


class ArvizRun(Run):
    """The run in a file of ArviZ; `ArvizFile` makes it."""

    def __init__(self, backend: ArvizFile) -> None:
        self._backend = backend
        self._groups = _open_groups(backend.path)
        try:
            self.shape: TreeShape = shape_of(self._groups, Path(backend.path).stem)
        except BaseException:
            self.close_groups()
            raise
        for problem in self.shape.problems:
            warnings.warn(f"{backend.path}: {problem}", stacklevel=3)

    def close_groups(self) -> None:
        """Close the file."""
        for group in self._groups.values():
            group.close()

    @property
    def meta(self) -> RunMeta:
        meta = RunMeta()
        meta.CopyFrom(self.shape.meta)
        return meta

    @property
    def rid(self) -> str:
        return self.shape.meta.rid

    @property
    def created_at(self) -> datetime:
        known = self.shape.created_at
        return known or datetime.fromtimestamp(os.path.getmtime(self._backend.path), UTC)

    @property
    def size(self) -> int:
        path = self._backend.path
        if not os.path.isdir(path):
            return os.path.getsize(path)
        files = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
        return sum(file.stat().st_size for file in files)

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        raise self._backend._reads_only()

    def get_chains(self) -> list[Chain]:
        return [ArvizChain(self, index) for index in range(len(self.shape.chains))]

    def _save_group(self, name: str, group: Group) -> None:
        raise self._backend._reads_only()

    def _load_groups(self) -> dict[str, Group]:
        kept = {name: as_group(self._groups[name]) for name in self.shape.others}
        return kept | self.shape.made_groups

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._backend.path,)


class ArvizChain(ReadOnlyChain):
    """A chain in a file of ArviZ; `ArvizRun` makes it."""

    def __init__(self, run: ArvizRun, index: int) -> None:
        self._run = run
        self._index = index
        self._of = run.shape.chains[index]

    @property
    def rid(self) -> str:
        return self._run.rid

    @property
    def chain_number(self) -> int:
        return self._of.number

    def __len__(self) -> int:
        return self._of.warmup + self._of.draws

    def _refusal(self) -> RuntimeError:
        return self._run._backend._reads_only()

    def get_draws(self, name: str, slc: slice = slice(None)) -> Array:
        return self._read(self._run.shape.draws, name, slc)

    def get_stats(self, name: str, slc: slice = slice(None)) -> Array:
        return self._read(self._run.shape.stats, name, slc)

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        return self._at(self.get_draws, i, self._run.shape.draws if names is None else names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        return self._at(self.get_stats, i, self._run.shape.stats if names is None else names)

    def _at(
        self, get: Callable[[str, slice], Array], i: int, names: Iterable[str]
    ) -> dict[str, Array]:
        row = self._row(i)
        rows = {name: get(name, slice(row, row + 1)) for name in names}
        return {name: values.reshape(values.shape[1:]) for name, values in rows.items()}

    def _read(self, known: Mapping[str, Column], name: str, slc: slice) -> Array:
        if name not in known:
            raise KeyError(f"there is no {name!r}; there are {', '.join(map(repr, known))}")
        rows = range(len(self))[slc]
        ascending = rows[::-1] if rows.step < 0 else rows
        values = known[name].read(self._index, self._of.warmup, ascending)
        values = values[::-1] if rows.step < 0 else values
        values.flags.writeable = False
        return values


def _open_groups(path: str) -> dict[str, xr.Dataset]:
    """Open the groups of a file, by name; those within groups are left out."""
    engine: Any = "zarr" if os.path.isdir(path) else "h5netcdf"
    try:
        found = xr.open_groups(path, engine=engine, cache=False, decode_timedelta=True)
    except ValueError as error:
        if engine not in str(error):
            raise
        raise ImportError(
            f"drawstore needs {engine} to read {path!r}: pip install 'drawstore[convert]'"
        ) from error
    return {name.strip("/"): group for name, group in found.items()}


def _reopened(path: str) -> Run:
    return ArvizFile(path)._only()
