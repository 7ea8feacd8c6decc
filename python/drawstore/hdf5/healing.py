"""What a process that died has left in a journal goes into its HDF5 file, where it fits."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING

import h5py

from drawstore._core import JournalScan
from drawstore.backends.core import core_meta

from .binding import Binding
from .errors import locked
from .journal import follows, lock_journal
from .journaled import find_journaled
from .locks import unlock
from .runs import Layout

if TYPE_CHECKING:
    from .store_file import StoreFile

__all__ = ["heal"]

logger = logging.getLogger("drawstore")

_BLOCK_BYTES = 16 * 2**20
_PATIENCE = 60.0  # seconds that healing waits for those who have the file open


def heal(file: StoreFile, path: str) -> None:
    """Write what a journal holds to its store, and remove it.

    It can be killed at any moment, and done again. What does not fit the store is never written to
    it: the journal is then renamed.

    Parameters
    ----------
    file : StoreFile
        Which is acquired.
    path : str
        Of the journal, which nobody writes any more.

    Warns
    -----
    RuntimeWarning
        Where rows do not fit; it says why, and where they are.

    Raises
    ------
    BlockingIOError
        Where another process writes the journal.
    """
    try:
        fd = lock_journal(path)
    except FileNotFoundError:
        return
    try:
        _heal(file, path, os.fstat(fd).st_size)
    finally:
        unlock(fd)
        os.close(fd)


def _heal(file: StoreFile, path: str, size: int) -> None:
    scan = JournalScan(path)
    problems = [scan.damaged] if scan.damaged and size else []
    for piece in scan.chains:
        problem, written = _deliver(file, scan, piece, size)
        if written:
            logger.info(
                "%d rows of %r, which a process that died had left in the journal, were written "
                "to %r",
                written,
                piece.label,
                file.path,
            )
        problems += [text for text in (problem, piece.damaged) if text]
    if problems:
        _set_aside(file.path, path, problems)
    else:
        os.unlink(path)


def _deliver(
    file: StoreFile, scan: JournalScan, piece: JournalScan.Chain, size: int
) -> tuple[str, int]:
    """Write the rows of a chain that its group lacks: what speaks against it, and how many."""
    problem = ""
    first = stop = 0

    def write(opened: h5py.File) -> None:
        nonlocal problem, first, stop
        problem, first, stop = _write_block(opened, scan, piece, size)

    if os.path.exists(file.path) and os.path.getsize(file.path):
        with file.reading() as opened:
            problem, first = _missing(opened, piece)
    else:
        problem = f"{piece.label!r} is not in the file any more"
    begin = first
    while not problem and first < piece.stop:
        if not file.update(write, timeout=_PATIENCE):
            raise locked(file.path, _PATIENCE)
        first = stop
    return problem, first - begin


def _missing(opened: h5py.File, piece: JournalScan.Chain) -> tuple[str, int]:
    """Tell what speaks against writing the rows of a chain, and which is the first missing."""
    if piece.first == piece.stop:
        return "", piece.stop
    found = find_journaled(opened, piece.id, piece.label)
    if found is None:
        return f"{piece.label!r} is not in the file any more, or was begun anew", 0
    return follows(piece, Binding.of(found.group), found.rows)


def _write_block(
    opened: h5py.File, scan: JournalScan, piece: JournalScan.Chain, size: int
) -> tuple[str, int, int]:
    problem, first = _missing(opened, piece)
    if problem or first == piece.stop:
        return problem, first, first
    found = find_journaled(opened, piece.id, piece.label)
    assert found is not None
    layout = Layout(found.meta)
    row_bytes = size // (piece.stop - piece.first) if layout.is_ragged else layout.row_bytes
    stop = min(piece.stop, first + max(1, _BLOCK_BYTES // max(1, row_bytes)))
    found.append(scan.load(piece.id, core_meta(found.meta), found.number, first, stop), first)
    last = piece.sum_before(stop)
    assert last is not None
    Binding(piece.id, stop, last).write(found.group)
    return "", first, stop


def _set_aside(store: str, path: str, problems: list[str]) -> None:
    aside = f"{path}.set-aside"
    n = 0
    while os.path.lexists(aside):
        n += 1
        aside = f"{path}.set-aside-{n}"
    os.rename(path, aside)
    warnings.warn(
        f"not all rows of a journal were written to {store!r}, because {'; '.join(problems)}. "
        f"The journal is kept as {aside!r}, and can be deleted",
        RuntimeWarning,
        stacklevel=2,
    )
