"""Runs in an HDF5 file."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawstore import _core
from drawstore.groups import from_npz, to_npz_bytes
from drawstore.hdf5.errors import locked
from drawstore.hdf5.pending import Pending, Segment, Snapshot
from drawstore.hdf5.runs import (
    Layout,
    create_run,
    created_at,
    decoded,
    delete_run,
    encoded,
    find_run,
    missing_rows,
    read_meta,
    run_size,
    store_bytes,
    stored_runs,
)
from drawstore.hdf5.store_file import PATIENCE, StoreFile, store_file
from drawstore.hdf5.writer import Writer, chain_group, find_pending, find_writer, start_chain
from drawstore.interface import Backend, Chain, Group, Run, RunInfo
from drawstore.meta import RunMeta

__all__ = ["HDF5Backend"]

_CLOSE_WAIT = 60.0


class HDF5Backend(Backend):
    """Keeps runs in an HDF5 file.

    Draws gather in memory and are written in blocks by a background thread, each block whole or
    not at all. All handles of a process see every draw; other programs see those that were
    written: all after `Chain.flush` and `Chain.close` and when the process ends, and a draw after
    `flush_interval` seconds at the latest. What else is in the file is left alone. One process
    writes to a file at a time; any number may read it meanwhile.

    Parameters
    ----------
    filename : path-like
        Of the file. It is made with the first run.
    flush_interval : float
        Seconds after which a draw is in the file at the latest. What came since the last flush is
        lost when the process is killed.
    compression, compression_opts
        Of `h5py.Group.create_dataset`.
    mode : {"a", "r"}
        "r" refuses to change the file, which has to exist.

    Raises
    ------
    FileNotFoundError
        Where there is no file to read.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        *,
        flush_interval: float = 1.0,
        compression: Any = None,
        compression_opts: Any = None,
        mode: str = "a",
    ) -> None:
        if not flush_interval >= 0:
            raise ValueError(f"flush_interval is a number of seconds, got {flush_interval!r}")
        if mode not in ("a", "r"):
            raise ValueError(f"mode is 'a' or 'r', got {mode!r}")
        self.filename = os.path.realpath(os.fspath(filename))
        self.flush_interval = flush_interval
        self.compression = compression
        self.compression_opts = compression_opts
        self.mode = mode
        self._begun: weakref.WeakSet[Pending] = weakref.WeakSet()
        if mode == "r" and not os.path.exists(self.filename):
            raise FileNotFoundError(f"there is no file {self.filename!r}")

    def __repr__(self) -> str:
        return f"HDF5Backend({self.filename!r}, mode={self.mode!r})"

    @property
    def _file(self) -> StoreFile:
        return store_file(self.filename)

    def init_run(self, meta: RunMeta) -> Run:  # noqa: D102 - said by the interface
        own = RunMeta()
        own.CopyFrom(meta)
        own.rid = meta.rid or _core.fresh_rid()
        Segment(own, 0, 0)  # checks what is declared
        now = datetime.now(UTC)
        self._change(lambda file: create_run(file, own, now), create=True)
        return HDF5Run(self, own)

    def get_runs(self) -> list[RunInfo]:  # noqa: D102
        if not self._exists():
            return []
        with self._file.reading() as file:
            runs = stored_runs(file)
        infos = []
        for run in runs:
            waiting = self._waiting(run.rid)
            chains = run.chains | {pending.number: len(pending) for pending in waiting}
            size = run.size + sum(pending.size for pending in waiting)
            infos.append(RunInfo(run.rid, run.created_at, chains, size))
        return infos

    def get_run(self, rid: str) -> Run:  # noqa: D102
        with self._group(rid) as group:
            return HDF5Run(self, read_meta(group))

    def delete_run(self, rid: str) -> None:  # noqa: D102
        with self._group(rid):
            pass
        if numbers := [pending.number for pending in self._waiting(rid)]:
            raise RuntimeError(f"run {rid!r} is being written: close its chains first, {numbers}")
        self._change(lambda file: delete_run(file, rid, self.filename))

    def close(self) -> None:
        """Close the chains that were begun through this object."""
        self._close_chains(lambda pending: True)

    # How it is done.

    def _exists(self) -> bool:
        return os.path.exists(self.filename) and os.path.getsize(self.filename) > 0

    def _change(self, change: Callable[[h5py.File], None], create: bool = False) -> None:
        self._check_writable()
        file = self._file
        with file.owned():
            if not file.update(change, timeout=PATIENCE, create=create):
                raise locked(self.filename, PATIENCE)

    def _check_writable(self) -> None:
        if self.mode == "r":
            raise RuntimeError(f"{self.filename!r} was opened to be read; open it with mode='a'")

    @contextmanager
    def _group(self, rid: str) -> Iterator[h5py.Group]:
        if not self._exists():
            raise KeyError(f"there is no run {rid!r} in {self.filename!r}; it has none")
        with self._file.reading() as file:
            yield find_run(file, rid, self.filename)

    def _waiting(self, rid: str) -> list[Pending]:
        writer = find_writer(self.filename)
        chains = [] if writer is None else list(writer.chains.values())
        return [pending for pending in chains if pending.rid == rid]

    def _close_chains(self, which: Callable[[Pending], bool]) -> None:
        for pending in [pending for pending in self._begun if which(pending)]:
            if found := find_pending(self.filename, pending.rid, pending.number):
                found[0].close(found[1], _CLOSE_WAIT)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_begun"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _begun=weakref.WeakSet())


class HDF5Run(Run):
    """A run in an HDF5 file; `HDF5Backend` makes it."""

    def __init__(self, backend: HDF5Backend, meta: RunMeta) -> None:
        self._backend = backend
        self._meta = meta

    @property
    def meta(self) -> RunMeta:
        meta = RunMeta()
        meta.CopyFrom(self._meta)
        return meta

    @property
    def rid(self) -> str:
        return self._meta.rid

    @property
    def created_at(self) -> datetime:
        with self._backend._group(self.rid) as group:
            return created_at(group)

    @property
    def size(self) -> int:
        with self._backend._group(self.rid) as group:
            stored = run_size(group)
        return stored + sum(pending.size for pending in self._backend._waiting(self.rid))

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        if chain_number < 0:
            raise ValueError(f"chain_number={chain_number}: chains are numbered from 0 on")
        backend = self._backend
        backend._check_writable()

        def make_handle(writer: Writer, pending: Pending) -> Chain:
            return HDF5Chain(backend, self._meta, int(chain_number), writer, pending)

        chain = start_chain(
            backend.filename,
            self._meta,
            int(chain_number),
            resume,
            backend.flush_interval,
            backend.compression,
            backend.compression_opts,
            make_handle,
        )
        return chain

    def get_chains(self) -> list[Chain]:
        with self._backend._group(self.rid) as group:
            numbers = sorted(int(number) for number in group["chains"])
        chains: list[Chain] = []
        for number in numbers:
            found = find_pending(self._backend.filename, self.rid, number)
            live = None if found is None else found[1].handle()
            chains.append(live or HDF5Chain(self._backend, self._meta, number))
        return chains

    def flush(self, sync: bool = False) -> None:
        if writer := find_writer(self._backend.filename):
            writer.deliver()

    def close(self) -> None:
        self._backend._close_chains(lambda pending: pending.rid == self.rid)

    def _save_group(self, name: str, group: Group) -> None:
        data = to_npz_bytes(group)

        def save(file: h5py.File) -> None:
            run = find_run(file, self.rid, self._backend.filename)
            store_bytes(run.require_group("groups"), encoded(name), data)

        self._backend._change(save)

    def _load_groups(self) -> dict[str, Group]:
        with self._backend._group(self.rid) as run:
            groups = run.get("groups", {})
            return {decoded(name): from_npz(groups[name][...].tobytes()) for name in groups}


class HDF5Chain(Chain):
    """A chain in an HDF5 file; `HDF5Run` makes it.

    Parameters
    ----------
    backend : HDF5Backend
    meta : RunMeta
    number : int
    writer, pending : optional
        Of the handle that appends.
    """

    def __init__(
        self,
        backend: HDF5Backend,
        meta: RunMeta,
        number: int,
        writer: Writer | None = None,
        pending: Pending | None = None,
    ) -> None:
        self._backend = backend
        self._meta = meta
        self._number = number
        self._writer = writer
        self._pending = pending
        self._layout = Layout(meta) if pending is None else pending.layout
        if pending is not None:
            backend._begun.add(pending)

    def __reduce__(self) -> tuple[Any, ...]:
        return HDF5Chain, (self._backend, self._meta, self._number)

    @property
    def rid(self) -> str:
        return self._meta.rid

    @property
    def chain_number(self) -> int:
        return self._number

    # Writing.

    def append(
        self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        pending = self._pending
        if pending is None:
            raise self._reads_only()
        if pending.append(draw, stats):
            self._appended(pending)

    def extend(
        self, draws: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        pending = self._pending
        if pending is None:
            raise self._reads_only()
        if pending.extend(draws, stats):
            self._appended(pending)

    def _appended(self, pending: Pending) -> None:
        assert self._writer is not None
        self._writer.appended(pending)

    def _reads_only(self) -> RuntimeError:
        return RuntimeError(
            f"this handle on chain {self._number} of run {self.rid!r} only reads; "
            f"init_chain({self._number}, resume=True) gives one that goes on with it"
        )

    def announce(self, n_draws: int) -> None:
        if self._pending is not None:
            self._pending.announced = max(self._pending.announced, n_draws)

    def flush(self, sync: bool = False) -> None:
        if self._writer is not None and not self._is_forked():
            self._writer.deliver()

    def close(self) -> None:
        """Deliver all draws, and refuse further ones; reading goes on.

        Raises
        ------
        TimeoutError
            Where another program holds the file for a minute; the draws stay in memory.
        """
        if self._writer is not None and self._pending is not None and not self._is_forked():
            self._writer.close(self._pending, _CLOSE_WAIT)

    def _is_forked(self) -> bool:
        return self._pending is not None and self._pending.forked

    # Reading.

    def _snapshot(self) -> Snapshot | None:
        """What of the chain waits in this process, whichever handle appended it."""
        found = find_pending(self._backend.filename, self.rid, self._number)
        return None if found is None else found[1].snapshot()

    @contextmanager
    def _group(self) -> Iterator[h5py.Group]:
        with self._backend._file.reading() as file:
            yield chain_group(file, self.rid, self._number, self._backend.filename)

    def __len__(self) -> int:
        if snapshot := self._snapshot():
            return snapshot.stop
        with self._group() as group:
            return int(group.attrs["draws"])

    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("variables", [name], slc)[name]

    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("stats", [name], slc)[name]

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at("variables", i, self._layout.variables if names is None else names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at("stats", i, self._layout.stats if names is None else names)

    def _read_at(self, kind: str, i: int, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there is no draw {i}: the chain has {n}")
        rows = self._read(kind, names, slice(i % n, i % n + 1))
        return {name: _only(row) for name, row in rows.items()}

    def _read(self, kind: str, names: Iterable[str], slc: slice) -> dict[str, NDArray[Any]]:
        columns = {name: self._layout.column(kind, name) for name in names}
        with ExitStack() as stack:
            group = None
            if (snapshot := self._snapshot()) is None:
                group = stack.enter_context(self._group())
                stop = delivered = int(group.attrs["draws"])
                segments: list[Segment] = []
            else:
                stop, delivered, segments = snapshot.stop, snapshot.delivered, snapshot.segments
            rows, backwards = _ascending(slc, stop)
            stored, waiting = _split(rows, delivered)
            if stored and group is None:
                group = stack.enter_context(self._group())
            out = {}
            for name, column in columns.items():
                parts = _waiting_rows(segments, kind, name, waiting)
                if stored:
                    assert group is not None
                    parts.insert(0, self._layout.read(group, kind, name, stored))
                values, missing = _joined(parts, column.empty())
                step = -1 if backwards else 1
                out[name] = _masked(values[::step], missing[::step])
            return out


_Part = tuple[NDArray[Any], NDArray[np.bool_]]  # rows, and which of them are missing


def _waiting_rows(segments: list[Segment], kind: str, name: str, rows: range) -> list[_Part]:
    """Give rows that are not in the file yet."""
    parts: list[_Part] = []
    for segment in segments:
        own, rows = _split(rows, segment.stop)
        if own:
            get = segment.chain.get_draws if kind == "variables" else segment.chain.get_stats
            values = get(name, slice(own[0] - segment.first, own[-1] + 1 - segment.first, own.step))
            parts.append((np.ma.getdata(values), missing_rows(values)))
    return parts


def _joined(parts: list[_Part], empty: NDArray[Any]) -> _Part:
    if not parts:
        return empty, np.zeros(0, dtype=bool)
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part[0] for part in parts])
    values.flags.writeable = False
    return values, np.concatenate([part[1] for part in parts])


def _ascending(slc: slice, n: int) -> tuple[range, bool]:
    """Give the rows of a slice in their order, and whether they are wanted backwards."""
    rows = range(n)[slc]
    return (rows[::-1], True) if rows.step < 0 else (rows, False)


def _split(rows: range, border: int) -> tuple[range, range]:
    """Split rows into those before a border, and those from it on."""
    n = len(range(rows.start, min(rows.stop, border), rows.step))
    return rows[:n], rows[n:]


def _masked(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    if not missing.any():
        return values
    mask = np.zeros(values.shape, dtype=np.ma.make_mask_descr(values.dtype))
    mask[missing] = True
    return np.ma.MaskedArray(values, mask=mask)


def _only(rows: NDArray[Any]) -> NDArray[Any]:
    """Give the one row, as an array."""
    if rows.dtype == object and rows.ndim == 1 and not np.ma.is_masked(rows):
        item = rows[0]
        if isinstance(item, np.ndarray):
            return item
    return rows.reshape(rows.shape[1:])
