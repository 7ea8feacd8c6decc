"""The journal beside an HDF5 file, and what of it readers see.

`drawstore.delivery.journals` tells in which order rows go through a journal. Of an HDF5 file:
`StoreFile.acquire` heals it first. The change that begins a group, or goes on with it, calls
``Binding.begin(group, rows)``; ``StoreFile.journal(options)`` gives the journal. The label of a
chain is the path of its group, without a slash in front. A change that writes rows also writes
``Binding(id, stop, chain.sum_of(stop - 1))``. The last `StoreFile.release` removes the journal.

Readers use `Tails`. Of a group they need no more than `Journaled` says.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Literal, TypeGuard

import h5py

from drawstore._core import Journal, JournalScan
from drawstore.backends.core import core_meta
from drawstore.delivery import journals
from drawstore.delivery.journals import JournalOptions, UnfitError
from drawstore.delivery.look import Look

from .binding import Binding
from .elsewhere import forget, note, noted

if TYPE_CHECKING:
    from drawstore._core import Chain
    from drawstore.meta import RunMeta

__all__ = [
    "Journals",
    "Tail",
    "Tails",
    "first_missing",
    "journal_options",
    "journal_path",
    "journals_of",
]


_LOOKS = 3  # at journals, for what follows the rows of a group


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


def journals_of(path: str, journal: bool | str | os.PathLike[str] = True) -> list[str]:
    """Find the journals that hold rows of a store, or may.

    Parameters
    ----------
    path : str
        Of the store.
    journal : bool or path-like
        As `drawstore.HDF5Backend` takes it.

    Returns
    -------
    list of str
        Those that are there: beside the store, where it says, and the one that is named.
    """
    path = os.path.realpath(path)
    found = [journal_path(path), journal_path(path, journal)]
    found += [each.journal for each in noted(path) if each.is_there]
    return [name for name in dict.fromkeys(found) if os.path.exists(name)]


def journal_options(
    path: str,
    journal: bool | str | os.PathLike[str],
    sync_interval: float,
    max_buffer: int,
    store: Literal["auto", "mapped", "written"],
) -> JournalOptions:
    """Make them from those of a backend that writes to the file ``path``."""
    where = None if journal is False else journal_path(path, journal)
    return JournalOptions(where, sync_interval, max_buffer, store)


class Journals:
    """The journals that this process writes for one file: one, but for unlike options.

    Parameters
    ----------
    file : str
        Its path.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: dict[str | None, Journal] = {}
        self._kept: set[str | None] = set()

    def __contains__(self, path: object) -> bool:
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
            journal = Journal(path, store=options.store, sync_interval=options.sync_interval)
            if self._is_elsewhere(path):
                try:
                    note(self._file, path)
                except BaseException:
                    journal.close(remove=True)
                    raise
            self._open[path] = journal
        return self._open[path]

    def keep(self, journal: Journal) -> None:
        """Leave the file of a journal, because the store cannot have all of its rows."""
        self._kept.add(journal.path)

    def remove(self) -> None:
        """Remove the files, of which the store has all rows, but for those to be kept."""
        while self._open:
            path, journal = self._open.popitem()
            if self._is_elsewhere(path) and path not in self._kept:
                # Where that cannot be said, a journal is missed that has nothing.
                with contextlib.suppress(OSError):
                    forget(self._file, path)
            journal.close(remove=path not in self._kept)
            self._kept.discard(path)

    def _is_elsewhere(self, path: str | None) -> TypeGuard[str]:
        return path is not None and path != journal_path(self._file)

    def abandon(self) -> None:
        """Let go in a forked child of what is the parent's."""
        self._open.clear()


def first_missing(piece: JournalScan.Chain, binding: Binding | None, rows: int) -> int:
    """Tell which rows of a journal a group lacks, as `journals.first_missing` does.

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
    return journals.first_missing(piece, rows, binding.sum)


class Tail:
    """Rows of a group that are in a journal and not in the file yet; `Tails` finds them.

    Attributes
    ----------
    start, stop : int
        The first of them, and the one that follows.
    """

    def __init__(self, look: Look, piece: JournalScan.Chain, start: int) -> None:
        self.start = start
        self.stop = piece.stop
        self._look = look
        self._id = piece.id

    def load(self, meta: RunMeta, number: int, start: int, stop: int) -> Chain:
        """Give rows [start, stop) as rows 0, 1, ... of a chain in memory.

        Raises
        ------
        RuntimeError, ValueError
            Where they are not there any more, because the file has them by now: look again.
        """
        try:
            return self._look.scan.load(self._id, core_meta(meta), number, start, stop)
        except (RuntimeError, ValueError):
            self._look.forget()  # the next one reads all again, and says what is damaged
            raise


class Tails:
    """What the journals of a store, which another process may be writing, hold besides its file.

    Nothing is written. As long as the file is open, the rows stay where they are: who writes them
    to the file, to drop them from the journal, waits for its readers. So the file is opened first.

    Parameters
    ----------
    path : str
        Of the file.
    journal : bool or path-like
        As `drawstore.HDF5Backend` takes it.
    """

    def __init__(self, path: str, journal: bool | str | os.PathLike[str] = True) -> None:
        self._path = path
        self._journal = journal
        self._look()

    def _look(self) -> None:
        self.looks = []
        for name in journals_of(self._path, self._journal):
            with contextlib.suppress(FileNotFoundError):
                self.looks.append(Look(name))

    def of(self, group: h5py.Group, rows: int) -> Tail | None:
        """Find the rows that follow those of a group in the open file, which are so many."""
        binding = Binding.of(group)
        if binding is None:
            return None
        for n_before in range(_LOOKS):
            if n_before:
                # What the file has had for a moment only may be written over during a look.
                self._look()
            with contextlib.suppress(UnfitError):
                return self._find(binding, rows)
        return None

    def _find(self, binding: Binding, rows: int) -> Tail | None:
        """Find them as of the last look; raises UnfitError where only others are there."""
        unfit = None
        for look in self.looks:
            for piece in (piece for piece in look.scan.chains if piece.id == binding.id):
                try:
                    start = first_missing(piece, binding, rows)
                except UnfitError as error:
                    unfit = error
                else:
                    if start < piece.stop:
                        return Tail(look, piece, start)
        if unfit is not None:
            raise unfit
        return None
