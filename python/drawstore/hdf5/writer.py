"""The chains that this process writes to one HDF5 file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import h5py
import numpy as np

from drawstore.backends.core import core_meta
from drawstore.delivery import writer
from drawstore.delivery.pending import Pending, Waiting
from drawstore.delivery.writer import ChainConflict, Part, Writer

from .attributes import read
from .binding import Binding
from .delivery import FileDelivery
from .pending import PendingGroup
from .runs import Layout, find_run
from .store_file import PATIENCE, store_file

if TYPE_CHECKING:
    from drawstore.delivery.journals import JournalOptions
    from drawstore.interface import Chain
    from drawstore.meta import RunMeta

__all__ = ["FileWriter", "chain_group", "start_chain"]


class FileWriter(FileDelivery, Writer):
    """Delivers what waits for one file. `start_chain` makes it."""

    def put(self, parts: list[Part], timeout: float, cancelled: Callable[[], bool] | None) -> bool:
        change = functools.partial(self._write, parts=parts)
        return self.file.update(change, timeout=timeout, cancelled=cancelled)

    def _write(self, file: h5py.File, parts: list[Part]) -> None:
        for pending, start, stop in parts:
            try:
                group = chain_group(file, pending.rid, pending.number, self.file.path)
            except KeyError as error:
                raise ChainConflict(
                    pending, f"another program deleted it: {error.args[0]}"
                ) from error
            found = int(read(group, "draws", (), np.int64))
            if not cast(PendingGroup, pending).write(group, start, stop, found):
                raise ChainConflict(
                    pending,
                    f"{self.file.path!r}, run {pending.rid!r}, chain {pending.number}: another "
                    f"program changed the chain, which has {found} draws where {start} were "
                    "written. What it wrote is left as it is",
                )

    def released(self, pending: Pending) -> None:
        self.file.release()


def chain_group(file: h5py.File, rid: str, number: int, path: str) -> h5py.Group:
    """Find the group of a chain.

    Raises
    ------
    KeyError
        Where it is not there.
    """
    chains = find_run(file, rid, path)["chains"]
    if str(number) not in chains:
        raise KeyError(f"run {rid!r} in {path!r} has no chain {number}; it has {list(chains)}")
    return chains[str(number)]


def start_chain(
    path: str,
    meta: RunMeta,
    number: int,
    resume: bool,
    flush_interval: float,
    compression: Any,
    compression_opts: Any,
    options: JournalOptions,
    make_handle: Callable[[Writer, Pending], Chain],
) -> Chain:
    """Become the writer of a chain, or find that this process is.

    Parameters
    ----------
    path : str
        Of the file.
    meta : RunMeta
    number : int
        Of the chain.
    resume : bool
        Go on with the chain where it exists.
    flush_interval, compression, compression_opts
        As `drawstore.HDF5Backend` takes them.
    options : JournalOptions
        Where draws wait; a chain that is begun while others are shares their journal.
    make_handle : callable
        Makes the handle, where there is none yet.

    Raises
    ------
    ValueError
        Where the chain exists and ``resume`` is not said.
    RuntimeError
        Where another process writes to the file; the message names it.
    BlockingIOError
        Where another program has it open for longer than some seconds.
    """
    file = store_file(path)

    def make_pending() -> Pending:
        binding = Binding.new()
        label = ""

        def begin(opened: h5py.File) -> None:
            nonlocal binding, label
            chains = find_run(opened, meta.rid, file.path)["chains"]
            if str(number) not in chains:
                chains.create_group(str(number)).attrs["draws"] = np.int64(0)
            elif not resume:
                draws = int(chains[str(number)].attrs["draws"])
                raise writer.exists(meta.rid, number, draws)
            group = chains[str(number)]
            label = group.name.strip("/")
            binding = Binding.begin(group, int(group.attrs["draws"]))

        try:
            file.acquire(journal=options.path)
        except BlockingIOError as error:
            raise RuntimeError(error.strerror) from error
        try:
            if not file.update(begin, timeout=PATIENCE):
                raise BlockingIOError(
                    f"{file.path!r} is locked by another program that has it open"
                )
            journal = file.journal(options)
            rows = journal.begin_chain(
                binding.id, label, core_meta(meta), number, binding.rows, binding.sum
            )
        except BaseException:
            file.release()
            raise
        layout = Layout(meta)
        row_bytes = None if layout.is_ragged else layout.row_bytes
        waiting = Waiting.of(journal, rows, options, flush_interval, row_bytes)
        return PendingGroup(meta, number, waiting, layout, binding, compression, compression_opts)

    return writer.begin(
        file.path,
        meta.rid,
        number,
        resume,
        PATIENCE,
        make_pending,
        lambda: FileWriter(file, options),
        make_handle,
    )
