"""The journal beside an HDF5 file: what a killed process left in it, and what a live one holds.

Rows go through a journal in this order, whoever writes them (`writer` for chains of HDF5Backend,
emcee's runs in `drawstore.emcee`):

1. ``StoreFile.acquire(journal=options.path)`` heals the file first. In the change that begins a
   group, or goes on with it, call ``Binding.begin(group, rows)``. Then
   ``StoreFile.journal(options)`` gives the journal, and ``journal.begin_chain(binding.id, label,
   core_meta(meta), number, binding.rows, binding.sum)`` the chain. The label is the path of the
   group in the file, without a slash in front.
2. Rows are appended; what belongs to a row is a column of its own.
3. Rows go into the file by `StoreFile.update`, and the same change writes ``Binding(id, stop,
   chain.sum_of(stop - 1))``. The file has them durably then; whether the journal had does not
   matter any more. Then ``chain.release(stop)``.
4. When all rows are delivered, or given up: ``chain.discard()``. The last `StoreFile.release`
   removes the journal.

Where the process dies in between, the next `StoreFile.acquire` calls `healing.heal`; readers
use `Tails`. Of a group they need no more than `Journaled` says.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import h5py

from drawstore._core import Journal, JournalScan, lock_file_holder, take_write_lock
from drawstore.backends.core import core_meta

from .binding import Binding
from .fileio import open_binary

if TYPE_CHECKING:
    from drawstore._core import Chain, WriteLock
    from drawstore.meta import RunMeta

__all__ = [
    "GapError",
    "JournalOptions",
    "Journals",
    "Tail",
    "Tails",
    "UnfitError",
    "first_missing",
    "journal_path",
    "lock_journal",
]


def journal_path(path: str, journal: bool | str | os.PathLike[str] = True) -> str:
    """Name the journal of a store.

    Parameters
    ----------
    path : str
        Of the store.
    journal : bool or path-like
        As `drawstore.HDF5Backend` takes it.
    """
    return path + "-journal" if isinstance(journal, bool) else os.path.realpath(os.fspath(journal))


@dataclass(frozen=True)
class JournalOptions:
    """Where rows wait for a file, and how.

    Attributes
    ----------
    path : str or None
        Of the journal; None where rows wait in memory.
    sync_interval : float
        Seconds after which a row survives a loss of power; 0: when it is flushed with ``sync``.
    max_buffer : int
        Bytes of rows that may wait.
    store : {"auto", "mapped", "written"}
        How rows get into the journal.
    """

    path: str | None
    sync_interval: float = 1.0
    max_buffer: int = 2**30
    store: Literal["auto", "mapped", "written"] = "auto"

    def __post_init__(self) -> None:
        if not self.sync_interval >= 0:
            raise ValueError(f"sync_interval is a number of seconds, got {self.sync_interval!r}")
        if not self.max_buffer > 0:
            raise ValueError(f"max_buffer is a number of bytes, got {self.max_buffer!r}")
        if self.store not in ("auto", "mapped", "written"):
            raise ValueError(f"store is 'auto', 'mapped' or 'written', got {self.store!r}")

    @classmethod
    def of(
        cls,
        path: str,
        journal: bool | str | os.PathLike[str],
        sync_interval: float,
        max_buffer: int,
        store: Literal["auto", "mapped", "written"],
    ) -> JournalOptions:
        """Make them from those of a backend that writes to the file ``path``."""
        where = None if journal is False else journal_path(path, journal)
        return cls(where, sync_interval, max_buffer, store)


def lock_journal(path: str) -> tuple[int, WriteLock]:
    """Open a journal that is nobody's, and take its lock.

    Returns
    -------
    fd : int
    lock : WriteLock
        To be released before ``fd`` is closed.

    Raises
    ------
    BlockingIOError
        Where another process holds it.
    """
    fd = open_binary(path, os.O_RDWR)
    lock = take_write_lock(fd, path)
    if lock is None:
        os.close(fd)
        raise BlockingIOError(
            errno.EWOULDBLOCK,
            f"the journal {path!r} is being written by "
            f"{lock_file_holder(path) or 'another process'}; choose another path, or wait until it "
            "ends",
        )
    return fd, lock


class Journals:
    """The journals that this process writes beside one file: one, but for unlike options."""

    def __init__(self) -> None:
        self._open: dict[str | None, Journal] = {}
        self._kept: set[str | None] = set()

    def __contains__(self, path: str | None) -> bool:
        return path in self._open

    def get(self, options: JournalOptions) -> Journal:
        """Give the journal at a path, which is made where there is none yet.

        Raises
        ------
        OSError
            Where there is no room for it.
        """
        path = options.path
        if path not in self._open:
            self._open[path] = Journal(
                path, store=options.store, sync_interval=options.sync_interval
            )
        return self._open[path]

    def keep(self, journal: Journal) -> None:
        """Leave the file of a journal, because the store cannot have all of its rows."""
        self._kept.add(journal.path)

    def remove(self) -> None:
        """Remove the files, of which the store has all rows, but for those to be kept."""
        while self._open:
            path, journal = self._open.popitem()
            journal.close(remove=path not in self._kept)
            self._kept.discard(path)

    def abandon(self) -> None:
        """Let go in a forked child of what is the parent's."""
        self._open.clear()


class UnfitError(Exception):
    """Rows of a journal do not belong behind those of a group; the message says why."""


class GapError(UnfitError):
    """Rows between those of a group and those of a journal were lost."""


def first_missing(piece: JournalScan.Chain, binding: Binding | None, rows: int) -> int:
    """Tell which rows of a journal a group lacks: those from this one on.

    Parameters
    ----------
    piece : JournalScan.Chain
    binding : Binding or None
        Of the group.
    rows : int
        That the group has.

    Raises
    ------
    UnfitError
        Where they do not follow those of the group.
    """
    if binding is None or binding.id != piece.id:
        raise UnfitError(f"{piece.label!r} was begun anew")
    if binding.rows != rows:
        raise UnfitError(
            f"another program changed {piece.label!r}, which has {rows} rows where "
            f"{binding.rows} were written"
        )
    if piece.stop <= rows:
        return piece.stop
    if piece.first > rows:
        raise GapError(f"rows {rows} to {piece.first - 1} of {piece.label!r} are in neither")
    if piece.sum_before(rows) != binding.sum:
        raise UnfitError(f"the last row of {piece.label!r} is not the one that the journal knows")
    return rows


class Tail:
    """Rows of a group that are in a journal and not in the file yet; `Tails` finds them.

    Attributes
    ----------
    start, stop : int
        The first of them, and the one that follows.
    """

    def __init__(self, scan: JournalScan, piece: JournalScan.Chain, start: int) -> None:
        self.start = start
        self.stop = piece.stop
        self._scan = scan
        self._id = piece.id

    def load(self, meta: RunMeta, number: int, start: int, stop: int) -> Chain:
        """Give rows [start, stop) as rows 0, 1, ... of a chain in memory.

        Raises
        ------
        RuntimeError, ValueError
            Where they are not there any more, because the file has them by now: look again.
        """
        return self._scan.load(self._id, core_meta(meta), number, start, stop)


class Tails:
    """What a journal, which another process may be writing, holds besides its file.

    Nothing is written. As long as the file is open, the rows stay where they are: who writes them
    to the file, to drop them from the journal, waits for its readers. So the file is opened first.

    Parameters
    ----------
    path : str
        Of the journal.
    """

    def __init__(self, path: str) -> None:
        try:
            self._scan: JournalScan | None = JournalScan(path)
        except FileNotFoundError:
            self._scan = None

    def of(self, group: h5py.Group, rows: int) -> Tail | None:
        """Find the rows that follow those of a group in the open file, which are so many."""
        binding = Binding.of(group)
        if binding is None or self._scan is None:
            return None
        for piece in self._scan.chains:
            if piece.id == binding.id:
                with contextlib.suppress(UnfitError):
                    start = first_missing(piece, binding, rows)
                    if start < piece.stop:
                        return Tail(self._scan, piece, start)
        return None
