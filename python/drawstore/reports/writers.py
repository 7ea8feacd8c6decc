"""Who writes a store, or wrote it, and in what state that process left the runs.

Where processes mark what they write, the marks are read: locks, the files that name their holders
(see cpp/FORMAT.md), and journals. Nothing is changed.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drawstore._core import crc32c, is_locked, lock_file_holder, run_folder
from drawstore.backends.clickhouse import ClickHouseBackend
from drawstore.fileio import open_binary, read_padded
from drawstore.holder import Holder, holder_at
from drawstore.origin import read_signature

if TYPE_CHECKING:
    import h5py

    from drawstore.hdf5.elsewhere import Noted
    from drawstore.interface import Run

    from .place import Place

__all__ = [
    "ENDED",
    "LEFT",
    "RUNNING",
    "UNKNOWN",
    "Marks",
    "Writer",
    "holder_of_file",
    "holder_of_journal",
    "marks_of",
]

RUNNING = "running"
ENDED = "ended"  # all is where it belongs
LEFT = "left"  # by a process that died
UNKNOWN = "unknown"  # whoever writes it leaves no mark that can be seen from here

_OF_DRAWS, _OF_JOURNAL, _OF_REDO = 512, 512, 0  # where a file names its holder
_SYNC_RECORDS = (2048, 2560)
# Sequence number, rows in blocks, three that do not matter here, rows in the tail, checksum.
_SYNC_RECORD = struct.Struct("<QQQQIII")
_LOCK_FILE = re.compile(r"process (\d+) on host '(.*)'", re.DOTALL)


@dataclass(frozen=True)
class Writer:
    """A process that writes, or wrote.

    Attributes
    ----------
    pid : int or None
        None where only a text tells of it.
    host : str
    holds : bool
        Whether it holds the store, so that nobody else may write; else it has let go, or died.
    lives : bool or None
        Whether there is such a process; None where that cannot be seen from this machine.
    job : str
        Its batch job, where that is known.
    """

    pid: int | None
    host: str
    holds: bool
    lives: bool | None
    job: str = ""

    def __str__(self) -> str:
        job = f" ({self.job})" if self.job else ""
        return f"{self.host if self.pid is None else f'process {self.pid} on {self.host}'}{job}"

    @classmethod
    def of(cls, holder: Holder, *, holds: bool = False, job: str = "") -> Writer:
        """Make it from what a file tells."""
        is_here = holder.host == socket.gethostname()
        lives = True if holds else holder.lives if is_here else None
        return cls(holder.pid, holder.host or "an unknown host", holds, lives, job)

    @classmethod
    def in_words(cls, text: str) -> Writer:
        """Make it from what the core says of the holder of a lock file."""
        match = _LOCK_FILE.fullmatch(text)
        if match is None:
            return cls(None, text, True, True)
        return cls(int(match[1]), match[2], True, True)


@dataclass(frozen=True)
class Marks:
    """What is known of who writes a run.

    Attributes
    ----------
    state : str
        `RUNNING`, `ENDED`, `LEFT` or `UNKNOWN`; of several chains the first of these that holds.
    chains : dict of int to str
        The state of each chain, where it has one of its own.
    writers : dict of int to Writer
        Of each chain.
    waiting : int
        Draws, or steps, that wait in journals of processes that died.
    far : list of Noted
        Journals that cannot be reached from here.
    """

    state: str
    chains: dict[int, str] = field(default_factory=dict)
    writers: dict[int, Writer] = field(default_factory=dict)
    waiting: int = 0
    far: list[Noted] = field(default_factory=list)


def marks_of(place: Place, run: Run, lengths: dict[int, int]) -> Marks:
    """Tell who writes a run.

    Parameters
    ----------
    place : Place
    run : Run
        Of it.
    lengths : dict of int to int
        Draws of each chain.
    """
    if isinstance(place.backend, ClickHouseBackend):
        return _of_database(place.backend, run, lengths)
    kind = place.kind_of(run)
    if kind == "directory":
        return _of_directory(place.path, run.rid, lengths)
    if kind in ("hdf5", "emcee"):
        return _of_file(place.path, run, kind)
    return Marks(UNKNOWN)


def _holder_of(path: str, at: int) -> Writer | None:
    """Tell who holds a file, or held it last."""
    if text := lock_file_holder(path):
        return Writer.in_words(text)
    try:
        fd = open_binary(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        holder = holder_at(fd, at)
        if holder is None:
            return None
        # To look whether it is locked may be in the way of one who begins to write just now.
        return Writer.of(holder, holds=holder.lives and is_locked(fd, path))
    finally:
        os.close(fd)


def holder_of_file(path: str) -> Writer | None:
    """Tell who writes to an HDF5 file, or died while it did; None where all is done."""
    return _holder_of(path + "-redo", _OF_REDO)


def holder_of_journal(path: str) -> Writer | None:
    """Tell who writes a journal, or has left it."""
    return _holder_of(path, _OF_JOURNAL)


def _of_directory(directory: str, rid: str, lengths: dict[int, int]) -> Marks:
    chains, writers = {}, {}
    for number, draws in lengths.items():
        file = os.path.join(run_folder(directory, rid), f"chain-{number}.draws")
        writer = _holder_of(file, _OF_DRAWS)
        if writer is not None:
            writers[number] = writer
        if writer is not None and writer.holds:
            chains[number] = RUNNING
        else:  # who closes a chain syncs it
            synced = _synced_rows(file)
            chains[number] = ENDED if synced is None or synced >= draws else LEFT
    return Marks(_of_all(chains), chains, writers)


def _synced_rows(file: str) -> int | None:
    """Tell how many rows a data file says are durable; None where it does not say so."""
    fd = open_binary(file, os.O_RDONLY)
    try:
        id_ = read_padded(fd, 16, 16)
        records = []
        for at in _SYNC_RECORDS:
            data = read_padded(fd, at, _SYNC_RECORD.size)
            sequence, in_blocks, _, _, _, in_tail, sum_ = _SYNC_RECORD.unpack(data)
            if crc32c(id_ + data[:-4]) == sum_:
                records.append((sequence, in_blocks + in_tail))
    finally:
        os.close(fd)
    return max(records)[1] if records else None


def _of_file(path: str, run: Run, kind: str) -> Marks:
    from drawstore.hdf5.binding import Binding, signed_by
    from drawstore.hdf5.elsewhere import lost
    from drawstore.hdf5.journal import Tails
    from drawstore.hdf5.store_file import store_file

    holder, far = holder_of_file(path), lost(path)
    bound, waiting, writers = {}, {}, {}
    with store_file(path).reading() as file:
        tails = Tails(path)
        named = {piece.id for look in tails.looks for piece in look.scan.chains}
        for number, (group, rows) in _groups(file, path, run, kind).items():
            if (binding := Binding.of(group)) is not None:
                bound[number] = binding.id
                if (by := signed_by(group)) is not None:
                    writers[number] = Writer.of(Holder(by.pid, by.host), job=by.job)
                tail = tails.of(group, rows)
                waiting[number] = 0 if tail is None else tail.stop - tail.start
    if not bound:
        return Marks(UNKNOWN if kind == "emcee" else ENDED)
    # A journal that names no chain may be that of any.
    written = [n for n, id_ in bound.items() if id_ in named or not named]
    if holder is not None and holder.holds:
        state = RUNNING
    else:
        state = LEFT if holder or tails.looks or far else ENDED
    chains = {n: state if n in written else ENDED for n in bound}
    if holder is not None:
        for n in written:
            signed = writers.get(n)
            is_same = signed is not None and (signed.pid, signed.host) == (holder.pid, holder.host)
            writers[n] = replace(holder, job=signed.job) if signed and is_same else holder
    left = sum(waiting.values()) if state == LEFT else 0
    return Marks(_of_all(chains), chains, writers, left, far)


def _groups(file: h5py.File, path: str, run: Run, kind: str) -> dict[int, tuple[h5py.Group, int]]:
    """Find the groups of an open file to which rows of a run go, and how many each has."""
    from drawstore.hdf5.emcee_groups import emcee_groups
    from drawstore.hdf5.runs import ROOT, find_run

    if kind == "hdf5":
        chains = find_run(file, run.rid, path)["chains"]
        return {int(name): (chains[name], int(chains[name].attrs["draws"])) for name in chains}
    group = dict(emcee_groups(file, ROOT))[run.rid]
    return {0: (group, int(group.attrs["iteration"]))}


def _of_database(backend: ClickHouseBackend, run: Run, lengths: dict[int, int]) -> Marks:
    """Read the journals on this machine; what others write cannot be seen from here."""
    chains, writers, left = {}, {}, 0
    record = backend.runs.find(run.rid)
    for number in lengths:
        path = backend.spool.path_of(run.rid, number)
        if path is not None and os.path.exists(path):
            writer = holder_of_journal(path)
            chains[number] = RUNNING if writer is not None and writer.holds else LEFT
            if writer is not None:
                writers[number] = writer
            if chains[number] == LEFT:
                left += backend.spool.waiting(path)
        else:
            who = [read_signature(text) for text in backend.runs.writers(record, number)]
            known = [Writer.of(Holder(by.pid, by.host), job=by.job) for by in who if by]
            gone = bool(known) and all(writer.lives is False for writer in known)
            chains[number] = ENDED if gone or backend.place.startswith("chdb://") else UNKNOWN
            if len(known) == 1:
                writers[number] = known[0]
    return Marks(_of_all(chains), chains, writers, left)


def _of_all(chains: dict[int, str]) -> str:
    """Give the state of a run whose chains are in these."""
    states = set(chains.values())
    return next((s for s in (RUNNING, LEFT, UNKNOWN) if s in states), ENDED)
