"""The chains that this process writes to one HDF5 file, and how their draws get there."""

from __future__ import annotations

import functools
import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import h5py
import numpy as np

from drawstore import drain
from drawstore._core import Holding
from drawstore.backends.core import core_meta

from .attributes import read
from .binding import Binding
from .delivery import BLOCK_BYTES, Delivery
from .journal import JournalOptions
from .pending import Pending
from .runs import find_run
from .store_file import PATIENCE, StoreFile, store_file

if TYPE_CHECKING:
    from drawstore.interface import Chain
    from drawstore.meta import RunMeta

__all__ = ["Writer", "chain_group", "find_pending", "find_writer", "start_chain"]

_IDLE = 1.0  # how often it is asked whether anyone still holds a chain

Key = tuple[str, int]
_Part = tuple[Pending, int, int]  # of which chain, and the rows


class ChainConflict(RuntimeError):
    """A chain in the file is not as it was left.

    Attributes
    ----------
    pending : Pending
        Whose draws cannot be delivered; those of other chains can.
    """

    def __init__(self, pending: Pending, message: str) -> None:
        super().__init__(message)
        self.pending = pending


class Writer(Delivery):
    """Delivers what waits for one file. `start_chain` makes it.

    Parameters
    ----------
    file : StoreFile
    options : JournalOptions
        Of the chain that is begun first.
    """

    noun: ClassVar[str] = "draws"

    def __init__(self, file: StoreFile, options: JournalOptions) -> None:
        super().__init__(file, options)
        self.chains: dict[Key, Pending] = {}

    @property
    def size(self) -> int:
        return sum(pending.size for pending in list(self.chains.values()))

    def appended(self, pending: Pending) -> None:
        """Act on draws that the journal told of."""
        urgent = pending.check()
        drain.schedule(self, 0.0 if urgent else pending.flush_interval)
        if urgent:
            pending.is_blocked = self.is_behind or self.size > self.max_buffer

    def unblock(self, pending: Pending) -> None:
        """Return when the next draw of a chain may be appended.

        Raises
        ------
        RuntimeError
            In a forked child, and where another program changed the chain.
        OSError
            Where there is no room for what waits, and more may not wait.
        """
        if pending.is_forked:
            raise RuntimeError(
                f"chain {pending.number} of run {pending.rid!r} is written by the process that "
                "this one was forked from; begin another chain here"
            )
        if self.size <= self.max_buffer:
            self.catch_up()
        else:
            self.wait_for_room(functools.partial(self.deliver, first=pending))
        pending.is_blocked = False

    def deliver(
        self,
        timeout: float = math.inf,
        cancelled: Callable[[], bool] | None = None,
        first: Pending | None = None,
    ) -> bool:
        """Write the draws that wait into the file; not those that come meanwhile.

        Parameters
        ----------
        timeout, cancelled
            As `Delivery.deliver` takes them.
        first : Pending, optional
            The chain whose conflict is raised, where there are several.

        Raises
        ------
        OSError
            Where the file cannot be written; the draws stay where they are.
        ChainConflict
            Where another program changed a chain. What waits for the others is delivered.
        """
        ends = {pending: len(pending) for pending in list(self.chains.values())}
        conflicts: list[ChainConflict] = []
        latest = time.monotonic() + timeout
        with Holding(self._delivering, timeout) as is_free:
            if not is_free:
                return False
            while parts := _next_parts(ends):
                if cancelled is not None and cancelled():
                    return False
                try:
                    if not self.file.update(
                        functools.partial(self._write, parts=parts),
                        timeout=max(0.0, latest - time.monotonic()),
                        cancelled=cancelled,
                    ):
                        return False
                except ChainConflict as error:
                    conflicts.append(error)
                    del ends[error.pending]
                    continue
                for pending, *_ in parts:
                    pending.confirm()
            if conflicts:
                # That of the chain which is asked for, or any.
                raise min(conflicts, key=lambda conflict: conflict.pending is not first)
            return True

    def deliver_chain(self, pending: Pending, timeout: float = math.inf) -> bool:
        """Write what waits of one chain, and of others where they can be written."""
        try:
            return self.deliver(timeout, first=pending)
        except ChainConflict as error:
            if error.pending is pending or pending.delivered < len(pending):
                raise
            return True

    def _write(self, file: h5py.File, parts: list[_Part]) -> None:
        for pending, start, stop in parts:
            try:
                group = chain_group(file, pending.rid, pending.number, self.file.path)
            except KeyError as error:
                raise ChainConflict(
                    pending, f"another program deleted it: {error.args[0]}"
                ) from error
            found = int(read(group, "draws", (), np.int64))
            if not pending.write(group, start, stop, found):
                raise ChainConflict(
                    pending,
                    f"{self.file.path!r}, run {pending.rid!r}, chain {pending.number}: another "
                    f"program changed the chain, which has {found} draws where {start} were "
                    "written. What it wrote is left as it is",
                )

    def close(self, pending: Pending, timeout: float) -> None:
        """Deliver everything and let go of a chain.

        Raises
        ------
        TimeoutError
            Where another program holds the file for longer than ``timeout`` seconds.
        """
        pending.close()
        if not self.deliver_chain(pending, timeout):
            raise self.held(len(pending) - pending.delivered, timeout)
        self._let_go(pending)

    def _let_go(self, pending: Pending) -> None:
        with _lock:
            key = (pending.rid, pending.number)
            if self.chains.get(key) is not pending:  # it was let go, and may have been begun again
                return
            del self.chains[key]
            pending.release()
            if not self.chains:
                drain.forget(self)
                _writers.pop(self.file.path, None)
            self.file.release()

    # What the background thread and the end of the process call.

    def drain(self, cancelled: Callable[[], bool]) -> float | None:
        again = self.try_to_deliver(cancelled)
        if again is not None:
            return again
        chains = list(self.chains.values())
        for pending in chains:
            pending.ask()
            with _lock:
                if pending.handle() is None:
                    pending.close()  # nobody can append to it any more
                    if pending.delivered == len(pending):
                        self._let_go(pending)
        waiting = [p.flush_interval for p in chains if p.delivered < len(p)]
        if not self.chains:
            drain.forget(self)  # an append may have scheduled it since
            return None
        return min(waiting) if waiting else _IDLE

    def finish(self) -> None:
        if self.is_of_a_parent:
            return
        latest = time.monotonic() + self.exit_wait
        for pending in list(self.chains.values()):
            try:
                self.close(pending, max(0.0, latest - time.monotonic()))
            except Exception as error:
                self.report_lost(len(pending) - pending.delivered, error)


def _next_parts(ends: dict[Pending, int]) -> list[_Part]:
    """Choose the rows that go into the file at once."""
    parts: list[_Part] = []
    room = BLOCK_BYTES
    for pending, end in ends.items():
        if parts and room <= 0:
            break
        block = pending.next_block(end, room)
        if block is not None:
            start, stop = block
            parts.append((pending, start, stop))
            room -= pending.size * (stop - start) // (len(pending) - start)
    return parts


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


_writers: dict[str, Writer] = {}
_lock = threading.RLock()


def find_pending(path: str, rid: str, number: int) -> tuple[Writer, Pending] | None:
    """Find a chain that this process is writing."""
    writer = _writers.get(path)
    pending = None if writer is None else writer.chains.get((rid, number))
    return None if writer is None or pending is None else (writer, pending)


def find_writer(path: str) -> Writer | None:
    """Find what this process is writing to a file."""
    return _writers.get(path)


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
    with _lock:
        file = store_file(path)
        if found := find_pending(file.path, meta.rid, number):
            if not resume:
                raise _exists(meta.rid, number, len(found[1]))
            if not found[1].closed:
                return _handle(*found, make_handle)
            found[0].close(found[1], PATIENCE)
        binding = Binding.new()
        label = ""

        def begin(opened: h5py.File) -> None:
            nonlocal binding, label
            chains = find_run(opened, meta.rid, file.path)["chains"]
            if str(number) not in chains:
                chains.create_group(str(number)).attrs["draws"] = np.int64(0)
            elif not resume:
                raise _exists(meta.rid, number, int(chains[str(number)].attrs["draws"]))
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
            pending = Pending(
                meta,
                number,
                binding,
                journal,
                rows,
                flush_interval,
                compression,
                compression_opts,
                min(BLOCK_BYTES, 1 + options.max_buffer // 4),
            )
        except BaseException:
            file.release()
            raise
        writer = _writers.setdefault(file.path, Writer(file, options))
        handle = _handle(writer, pending, make_handle)
        writer.chains[meta.rid, number] = pending
        drain.register(writer)  # it holds the file, draws or not, until it is finished
        return handle


def _handle(
    writer: Writer, pending: Pending, make_handle: Callable[[Writer, Pending], Chain]
) -> Chain:
    handle = pending.handle()
    if handle is None:
        handle = make_handle(writer, pending)
        pending.handle = weakref.ref(handle)
    return handle


def _exists(rid: str, number: int, draws: int) -> ValueError:
    return ValueError(
        f"run {rid!r} has a chain {number} already, with {draws} draws; to go on with it, resume it"
    )


def _forget_in_child() -> None:
    global _lock
    for writer in _writers.values():
        for pending in writer.chains.values():
            pending.abandon()
    _writers.clear()
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
