"""Runs in an HDF5 file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import h5py

from drawstore import _core
from drawstore.backends.core import tuples_of
from drawstore.delivery.backend import DeliveredBackend
from drawstore.delivery.delivery import EXIT_WAIT
from drawstore.delivery.pending import Pending
from drawstore.delivery.writer import Writer, find_pending, find_writer
from drawstore.groups import from_npz, to_npz_bytes
from drawstore.hdf5.chain import HDF5Chain
from drawstore.hdf5.errors import locked
from drawstore.hdf5.journal import Tails, journal_options
from drawstore.hdf5.runs import (
    Stored,
    create_run,
    created_at,
    decoded,
    delete_run,
    encoded,
    find_run,
    read_meta,
    replace_run,
    run_size,
    store_bytes,
    stored_runs,
)
from drawstore.hdf5.store_file import PATIENCE, StoreFile, store_file
from drawstore.hdf5.writer import start_chain
from drawstore.interface import Chain, Group, Run, RunInfo
from drawstore.meta import RunMeta

__all__ = ["HDF5Backend"]


class HDF5Backend(DeliveredBackend):
    """Keeps runs in an HDF5 file.

    Draws gather in a journal, a file beside it, and are written to the HDF5 file in blocks by a
    background thread, each block whole or not at all. Once an append returns, the draw survives the
    death of the process, and after `sync_interval` seconds a loss of power: the next one to open
    the file to write to it puts it there. The journal goes away when all is delivered and closed.

    drawstore sees every draw at once, in any process. Other programs see those that are in the
    file: all after `Chain.flush` and `Chain.close` and when the process ends, and a draw after
    `flush_interval` seconds at the latest. What else is in the file is left alone. One process
    writes to a file at a time; any number may read it meanwhile.

    Parameters
    ----------
    filename : path-like
        Of the file. It is made with the first run.
    flush_interval : float
        Seconds after which a draw is in the file at the latest. A drain costs a part of a
        millisecond for each variable of each chain: for thousands of variables choose a longer
        interval, or `FileBackend`.
    compression, compression_opts
        Of `h5py.Group.create_dataset`.
    mode : {"a", "r"}
        "r" refuses to change the file, which has to exist.
    journal : bool or path-like
        Where the journal is: beside the file, as ``<filename>-journal``, or at a path, which a
        small file beside it, ``<filename>-journal-at``, tells all who open the file. False keeps
        draws in memory until they are in the file: what came since the last flush is then lost when
        the process is killed.
    sync_interval : float
        Seconds after which a draw survives a loss of power; 0: when it is flushed with ``sync``.
    max_buffer : int
        Bytes of draws that may wait for the file, where others hold it or the disk is slow. Then
        an append waits.
    store : {"auto", "mapped", "written"}
        How draws get into the journal: mapped into memory, or by a call of the system for each;
        "auto" chooses by the file system.

    Raises
    ------
    FileNotFoundError
        Where there is no file to read.

    Examples
    --------
    >>> import drawstore
    >>> with drawstore.HDF5Backend("runs.h5", compression="gzip") as backend:
    ...     run = backend.init_run(drawstore.make_meta({"x": ("float64", ())}, rid="mine"))
    ...     chain = run.init_chain(0)
    ...     chain.append({"x": 1.5})
    >>> drawstore.HDF5Backend("runs.h5", mode="r").get_run("mine").get_chains()[0].get_draws("x")
    array([1.5])
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        *,
        flush_interval: float = 1.0,
        compression: Any = None,
        compression_opts: Any = None,
        mode: str = "a",
        journal: bool | str | os.PathLike[str] = True,
        sync_interval: float = 1.0,
        max_buffer: int = 2**30,
        store: Literal["auto", "mapped", "written"] = "auto",
    ) -> None:
        super().__init__(os.path.realpath(os.fspath(filename)), flush_interval, mode)
        self.compression = compression
        self.compression_opts = compression_opts
        self.journal = journal
        self._journal = journal_options(self.filename, journal, sync_interval, max_buffer, store)
        if mode == "r" and not os.path.exists(self.filename):
            raise FileNotFoundError(f"there is no file {self.filename!r}")

    @property
    def filename(self) -> str:
        """Path of the file, absolute."""
        return self.place

    @property
    def _file(self) -> StoreFile:
        return store_file(self.filename)

    def init_run(self, meta: RunMeta) -> Run:  # noqa: D102 - said by the interface
        own = RunMeta()
        own.CopyFrom(meta)
        own.rid = meta.rid or _core.fresh_rid()
        variables, stats = tuples_of(own.variables), tuples_of(own.sample_stats)
        _core.memory_backend(0).init_run(own.rid, variables, stats, b"")  # checks them
        now = datetime.now(UTC)
        self._change(lambda file: create_run(file, own, now), create=True)
        return HDF5Run(self, own)

    def get_runs(self) -> list[RunInfo]:  # noqa: D102
        if not self._exists():
            return []
        with self._file.reading() as file:
            runs = stored_runs(file)
            tails = Tails(self.filename, self.journal)
            ends = {run.rid: _ends(tails, file, run, self.filename) for run in runs}
        infos = []
        for run in runs:
            waiting = self.waiting(run.rid)
            chains = ends[run.rid] | {pending.number: len(pending) for pending in waiting}
            size = run.size + sum(pending.size for pending in waiting)
            infos.append(RunInfo(run.rid, run.created_at, chains, size))
        return infos

    def get_run(self, rid: str) -> Run:  # noqa: D102
        with self._group(rid) as group:
            return HDF5Run(self, read_meta(group))

    def delete_run(self, rid: str) -> None:  # noqa: D102
        with self._group(rid):
            pass
        self.check_not_written(rid)
        self._change(lambda file: delete_run(file, rid, self.filename))

    def replace_run(self, rid: str, by: str) -> None:
        """Give a run the id of another, which is deleted: all of that at once.

        Parameters
        ----------
        rid : str
            Of which there may be a run, or none.
        by : str
            Of the run that is to have this id.

        Raises
        ------
        KeyError
            Where there is no such run.
        RuntimeError
            Where one of them is being written.
        """
        for each in (rid, by):
            self.check_not_written(each)
        self._change(lambda file: replace_run(file, rid, by, self.filename))

    # How it is done.

    def _exists(self) -> bool:
        return os.path.exists(self.filename) and os.path.getsize(self.filename) > 0

    def _change(self, change: Callable[[h5py.File], None], create: bool = False) -> None:
        self.check_writable()
        file = self._file
        try:
            file.acquire(journal=self._journal.path)
        except BlockingIOError as error:
            raise RuntimeError(error.strerror) from error
        try:
            if not file.update(change, timeout=PATIENCE, create=create):
                raise locked(self.filename, PATIENCE)
        finally:
            file.release()

    @contextmanager
    def _group(self, rid: str) -> Iterator[h5py.Group]:
        if not self._exists():
            raise KeyError(f"there is no run {rid!r} in {self.filename!r}; it has none")
        with self._file.reading() as file:
            yield find_run(file, rid, self.filename)


def _ends(tails: Tails, file: h5py.File, run: Stored, path: str) -> dict[int, int]:
    """Tell how many draws chains have, those that wait in a journal included."""
    chains = find_run(file, run.rid, path)["chains"]
    ends = {}
    for number, draws in run.chains.items():
        tail = tails.of(chains[str(number)], draws)
        ends[number] = draws if tail is None else tail.stop
    return ends


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
        return stored + sum(pending.size for pending in self._backend.waiting(self.rid))

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        if chain_number < 0:
            raise ValueError(f"chain_number={chain_number}: chains are numbered from 0 on")
        backend = self._backend
        backend.check_writable()

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
            backend._journal,
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

    def close(self, timeout: float = EXIT_WAIT) -> None:
        """Close the chains of the run, as `HDF5Backend.close` does."""
        self._backend.close_chains(lambda pending: pending.rid == self.rid, timeout)

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
