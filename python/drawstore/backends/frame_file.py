"""Data frames as runs: a Parquet or Arrow IPC file holds one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from drawstore.backends.one_run import FileOfOneRun
from drawstore.frames.columns import Column, Item
from drawstore.frames.rows import ChainRows, chain_rows
from drawstore.frames.shape import shape_of
from drawstore.frames.table import Table
from drawstore.groups import SAMPLING
from drawstore.interface import Chain, Group, Run
from drawstore.meta import RunMeta
from drawstore.read_only import ReadOnlyChain, only_row

__all__ = ["FrameFile"]

Array = NDArray[Any]


class FrameFile(FileOfOneRun["FrameRun"]):
    """The run in a Parquet file, or an Arrow IPC file (Feather), to be read.

    A file that `drawstore.convert` wrote is the run that it was. In others each row is a draw and
    each column a variable: numbers, text, times, and lists of them. Columns "lp", "lp__" and
    "log_prob", and those that mark warm-up ("tune", "in_warmup"), are sampler stats. A column
    "chain", ".chain" or "chain_number" tells the chains; without one there is chain 0. By a column
    "draw", ".iteration", ".draw" or "iteration" it is seen that the draws of a chain ascend.

    Draws are read when they are asked for, one column of one row group at a time.

    Parameters
    ----------
    path : path-like
        Of the file.

    Raises
    ------
    ImportError
        Where there is no pyarrow.
    """

    contents = "data frames"

    def _open(self) -> FrameRun:
        return FrameRun(self)

    def _close(self, run: FrameRun) -> None:
        run.table.close()


class FrameRun(Run):
    """The run in a file of a data frame; `FrameFile` makes it."""

    def __init__(self, backend: FrameFile) -> None:
        self._backend = backend
        self.table = Table(backend.path)
        try:
            self._shape = shape_of(self.table.schema, Path(backend.path).stem)
            chains = chain_rows(self.table, self._shape.chain, self._shape.draw)
        except BaseException:
            self.table.close()
            raise
        for number in self._shape.empty:
            chains.setdefault(number, ChainRows())
        self.chains = dict(sorted(chains.items()))
        self.items: dict[bool, dict[str, Item]] = {False: {}, True: {}}
        for item in self._shape.items:
            self.items[item.is_stat][item.name] = item
        for problem in self._shape.problems:
            warnings.warn(f"{backend.path}: {problem}", stacklevel=3)

    @property
    def meta(self) -> RunMeta:
        meta = RunMeta()
        meta.CopyFrom(self._shape.meta)
        return meta

    @property
    def rid(self) -> str:
        return self._shape.meta.rid

    @property
    def created_at(self) -> datetime:
        known = self._shape.created_at
        return known or datetime.fromtimestamp(os.path.getmtime(self._backend.path), UTC)

    @property
    def size(self) -> int:
        return os.path.getsize(self._backend.path)

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        raise self._backend._reads_only()

    def get_chains(self) -> list[Chain]:
        return [FrameChain(self, number, rows) for number, rows in self.chains.items()]

    def _save_group(self, name: str, group: Group) -> None:
        raise self._backend._reads_only()

    def _load_groups(self) -> dict[str, Group]:
        after = self._shape.after
        return {SAMPLING: Group({}, {}, attrs=dict(after))} if after else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._backend.path,)


class FrameChain(ReadOnlyChain):
    """A chain in a file of a data frame; `FrameRun` makes it."""

    def __init__(self, run: FrameRun, number: int, rows: ChainRows) -> None:
        self._run = run
        self._number = number
        self._rows = rows

    @property
    def rid(self) -> str:
        return self._run.rid

    @property
    def chain_number(self) -> int:
        return self._number

    def __len__(self) -> int:
        return len(self._rows)

    def _refusal(self) -> RuntimeError:
        return self._run._backend._reads_only()

    def get_draws(self, name: str, slc: slice = slice(None)) -> Array:
        return self._read(self._run.items[False], name, slc)

    def get_stats(self, name: str, slc: slice = slice(None)) -> Array:
        return self._read(self._run.items[True], name, slc)

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        return self._at(self.get_draws, i, self._run.items[False] if names is None else names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        return self._at(self.get_stats, i, self._run.items[True] if names is None else names)

    def _at(
        self, get: Callable[[str, slice], Array], i: int, names: Iterable[str]
    ) -> dict[str, Array]:
        row = self._row(i)
        rows = {name: get(name, slice(row, row + 1)) for name in names}
        return {name: only_row(values) for name, values in rows.items()}

    def _read(self, known: Mapping[str, Item], name: str, slc: slice) -> Array:
        if name not in known:
            raise KeyError(f"there is no {name!r}; there are {', '.join(map(repr, known))}")
        draws = range(len(self))[slc]
        rows = self._rows.of(draws[::-1] if draws.step < 0 else draws)

        def read(column: Column) -> Any:
            return self._run.table.take(column.name, rows)

        try:
            values = known[name].values(read, len(rows))
        except ValueError as error:
            raise ValueError(f"{self._run.table.path!r}, chain {self._number}: {error}") from None
        values = values[::-1] if draws.step < 0 else values
        values.flags.writeable = False
        return values


def _reopened(path: str) -> Run:
    return FrameFile(path)._only()
