"""Runs in an HDF5 file: a group a run, in it a group a chain, in it what its variables need.

::

    drawstore                     attribute format
        <rid, percent-encoded>    attribute created_at: microseconds since 1970, UTC
            meta                  the RunMeta message, as bytes
            chains/<number>       attribute draws, and those of `binding`
                variables/<i>     the i-th variable of the message: see `columns`
                stats/<i>         the i-th sampler stat
                missing           a bit for each stat, set in rows that lack it
            groups/<name>         what came after sampling: see `drawstore.groups`
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import h5py
import numpy as np
from numpy.typing import NDArray

from drawstore.delivery.reading import Rows, missing_rows
from drawstore.meta import RunMeta, Variable

from .attributes import change
from .columns import Block, Column, Rigid, column_of

__all__ = [
    "ROOT",
    "Layout",
    "Stored",
    "create_run",
    "created_at",
    "decoded",
    "delete_run",
    "encoded",
    "find_run",
    "read_meta",
    "replace_run",
    "run_size",
    "runs_in",
    "store_bytes",
    "stored_runs",
]

ROOT = "drawstore"
_FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Layout:
    """How rows of a run lie in the group of a chain.

    Parameters
    ----------
    meta : RunMeta
    """

    def __init__(self, meta: RunMeta) -> None:
        self.variables = {variable.name: i for i, variable in enumerate(meta.variables)}
        self.stats = {stat.name: i for i, stat in enumerate(meta.sample_stats)}
        self._columns = {
            "variables": _columns(meta.variables),
            "stats": _columns(meta.sample_stats),
        }
        self._missing = Rigid(np.dtype(np.uint8), ((len(self.stats) + 7) // 8,))
        columns = [column for kind in self._columns.values() for column in kind]
        self.is_ragged = not all(isinstance(column, Rigid) for column in columns)
        self.row_bytes = sum(c.row_bytes for c in columns if isinstance(c, Rigid))

    def column(self, kind: str, name: str) -> Column:
        """Find a column; `kind` is "variables" or "stats".

        Raises
        ------
        KeyError
            Where there is none of that name; the message lists those there are.
        """
        names = self.variables if kind == "variables" else self.stats
        if name not in names:
            what = "variable" if kind == "variables" else "sampler stat"
            there = f"there are {', '.join(map(repr, names))}" if names else "there are none"
            raise KeyError(f"there is no {what} {name!r}; {there}")
        return self._columns[kind][names[name]]

    def append(
        self,
        group: h5py.Group,
        block: Block,
        draws: dict[str, NDArray[Any]],
        stats: dict[str, NDArray[Any]],
    ) -> None:
        """Append rows to a chain, in the form in which chains give them."""
        for kind, values in (("variables", draws), ("stats", stats)):
            part = group.require_group(kind)
            for i, (column, rows) in enumerate(
                zip(self._columns[kind], values.values(), strict=True)
            ):
                column.append(part, str(i), block, np.ma.getdata(rows))
        if stats:
            missing = np.stack([missing_rows(rows) for rows in stats.values()], axis=1)
            bits = np.packbits(missing, axis=1, bitorder="little")
            self._missing.append(group, "missing", block, bits)
        change(group, "draws", block.start + block.n_rows)

    def read(self, group: h5py.Group, kind: str, name: str, rows: range) -> Rows:
        """Read rows of one column, and which of them lack it.

        Parameters
        ----------
        group : h5py.Group
            Of the chain.
        kind, name : str
        rows : range
            With a positive step.
        """
        column = self.column(kind, name)
        if not rows:
            return column.empty(), np.zeros(0, dtype=bool)
        bounds = rows[0], rows[-1] + 1, rows.step
        number = (self.variables if kind == "variables" else self.stats)[name]
        values = column.read(group[kind], str(number), *bounds)
        if kind == "variables":
            return values, np.zeros(len(rows), dtype=bool)
        bits = self._missing.read(group, "missing", *bounds)
        return values, (bits[:, number // 8] >> (number % 8) & 1).astype(bool)


def _columns(variables: Any) -> list[Column]:
    columns: list[Column] = []
    variable: Variable
    for variable in variables:
        columns.append(column_of(variable))
    return columns


@dataclass(frozen=True)
class Stored:
    """What a file says of a run, without its draws.

    Attributes
    ----------
    rid : str
    created_at : datetime
    chains : dict of int to int
        The draws of each chain, by number.
    size : int
        Bytes of its datasets.
    """

    rid: str
    created_at: datetime
    chains: dict[int, int]
    size: int

    @classmethod
    def of(cls, name: str, group: h5py.Group) -> Stored:
        """Read it from the group of a run."""
        numbers = sorted(int(number) for number in group["chains"])
        chains = {n: int(group["chains"][str(n)].attrs["draws"]) for n in numbers}
        return cls(decoded(name), created_at(group), chains, run_size(group))


def created_at(group: h5py.Group) -> datetime:
    """Tell when a run was made."""
    return _EPOCH + timedelta(microseconds=int(group.attrs["created_at"]))


def read_meta(group: h5py.Group) -> RunMeta:
    """Read what a run is made of."""
    return RunMeta.FromString(group["meta"][...].tobytes())


def create_run(file: h5py.File, meta: RunMeta, now: datetime) -> None:
    """Make the group of a run.

    Raises
    ------
    ValueError
        Where a run of that id exists.
    """
    root = runs_in(file)
    if root is None:
        if ROOT in file:
            raise ValueError(f"{ROOT!r} in the file is not a group of runs; it is left as it is")
        root = file.create_group(ROOT)
        root.attrs["format"] = _FORMAT
    name = encoded(meta.rid)
    if name in root:
        raise ValueError(
            f"there is a run {meta.rid!r} in the file already; choose another id, or none"
        )
    group = root.create_group(name)
    group.attrs["created_at"] = np.int64((now - _EPOCH) // timedelta(microseconds=1))
    store_bytes(group, "meta", meta.SerializeToString())
    group.create_group("chains")


def runs_in(file: h5py.File) -> h5py.Group | None:
    """Find the group of all runs.

    Raises
    ------
    ValueError
        Where it is of a newer format.
    """
    root = file.get(ROOT)
    if not isinstance(root, h5py.Group) or "format" not in root.attrs:
        return None
    if root.attrs["format"] > _FORMAT:
        raise ValueError(
            f"the runs in the file are of format {root.attrs['format']}, this version of drawstore "
            f"reads {_FORMAT}; update it"
        )
    return root


def stored_runs(file: h5py.File) -> list[Stored]:
    """List the runs of a file in the order in which they were made."""
    root = runs_in(file)
    runs = [Stored.of(name, root[name]) for name in root] if root is not None else []
    return sorted(runs, key=lambda run: run.created_at)


def find_run(file: h5py.File, rid: str, path: str) -> h5py.Group:
    """Find the group of a run.

    Raises
    ------
    KeyError
        Where there is none of that id; the message lists those there are.
    """
    root = runs_in(file)
    name = encoded(rid)
    if root is not None and name in root:
        return root[name]
    raise no_such_run(rid, path, [] if root is None else [decoded(known) for known in root])


def delete_run(file: h5py.File, rid: str, path: str) -> None:
    """Delete the group of a run."""
    group = find_run(file, rid, path)
    del group.parent[group.name.rpartition("/")[2]]


def replace_run(file: h5py.File, rid: str, by: str, path: str) -> None:
    """Give a run the id of another, which is deleted where it is there."""
    group = find_run(file, by, path)
    root, name = group.parent, encoded(rid)
    if name in root:
        del root[name]
    root.move(encoded(by), name)
    meta = read_meta(root[name])
    meta.rid = rid
    store_bytes(root[name], "meta", meta.SerializeToString())


def no_such_run(rid: str, path: str, known: list[str]) -> KeyError:
    """Make the error for a run that is not there."""
    there = f"it has {', '.join(map(repr, known))}" if known else "it has none"
    return KeyError(f"there is no run {rid!r} in {path!r}; {there}")


def store_bytes(group: h5py.Group, key: str, data: bytes) -> None:
    """Keep bytes as a dataset, in place of one of that name."""
    with contextlib.suppress(KeyError):
        del group[key]
    values = np.frombuffer(data, dtype=np.uint8)
    chunks = (min(len(values), 2**20),) if len(values) else None
    group.create_dataset(key, data=values, chunks=chunks, fletcher32=chunks is not None)


def encoded(name: str) -> str:
    """Give the name of the group or dataset that stands for a run, or for one of its groups."""
    return quote(name, safe=" ").replace(".", "%2E") if set(name) <= {"."} else quote(name, " ")


def decoded(name: str) -> str:
    """Give back what `encoded` was given."""
    return unquote(name)


def run_size(group: h5py.Group) -> int:
    """Count the bytes of the datasets of a run."""
    return sum(dataset.id.get_storage_size() for dataset in _datasets(group))


def _datasets(group: h5py.Group) -> Iterator[h5py.Dataset]:
    for name in group:
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item)
        else:
            yield item
