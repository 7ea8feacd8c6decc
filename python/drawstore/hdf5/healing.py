"""What a process that died has left in a journal goes into its HDF5 file, where it fits."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING

import h5py

from drawstore._core import JournalScan, read_into
from drawstore.backends.core import core_meta

from .binding import Binding
from .errors import locked
from .journal import GapError, UnfitError, first_missing, lock_journal
from .journaled import Journaled, find_journaled
from .runs import Layout

if TYPE_CHECKING:
    from drawstore._core import WriteLock

    from .store_file import StoreFile

__all__ = ["explain", "heal"]

logger = logging.getLogger("drawstore")

_HEADER_BYTES = 32
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
        Where rows do not fit; it says why, and where they are. That some are damaged or missing, as
        after a loss of power, is only logged.

    Raises
    ------
    BlockingIOError
        Where another process writes the journal.
    """
    try:
        fd, lock = lock_journal(path)
    except FileNotFoundError:
        return
    try:
        if _was_begun(fd):
            _heal(file, path, os.fstat(fd).st_size, lock)
        else:
            os.unlink(path)
    finally:
        lock.release()
        os.close(fd)


def explain(file: StoreFile, path: str) -> list[str]:
    """Say what `heal` would do with a journal; nothing is changed."""
    try:
        scan = JournalScan(path)
    except FileNotFoundError:
        return []
    lines = [scan.damaged, *(piece.damaged for piece in scan.chains)]
    with file.reading() as opened:
        for piece in scan.chains:
            try:
                first = _find(opened, piece)[1]
            except UnfitError as error:
                lines.append(f"the journal {path!r} would be set aside: {error}")
            else:
                if first < piece.stop:
                    lines.append(
                        f"{piece.stop - first} rows of {piece.label!r} would be written from the "
                        f"journal to {file.path!r}"
                    )
    return [line for line in lines if line]


def _was_begun(fd: int) -> bool:
    """Whether there may be rows: they come after the header."""
    header = bytearray(_HEADER_BYTES)
    read_into(fd, header, 0)
    return any(header)


def _heal(file: StoreFile, path: str, size: int, lock: WriteLock) -> None:
    scan = JournalScan(path)
    misfits = [] if any(scan.id) else [scan.damaged]  # it is no journal
    lost = [scan.damaged] if any(scan.id) else []
    lost = [text for text in (*lost, *(piece.damaged for piece in scan.chains)) if text]
    for piece in scan.chains:
        if piece.first == piece.stop:
            continue
        try:
            written = _deliver(file, scan, piece, size)
        except GapError as error:
            lost.append(str(error))
        except UnfitError as error:
            misfits.append(str(error))
        else:
            if written:
                logger.info(
                    "%d rows of %r, which a process that died had left in the journal, were "
                    "written to %r",
                    written,
                    piece.label,
                    file.path,
                )
    lock.check()
    if not misfits and not lost:
        os.unlink(path)
        return
    text = (
        f"not all rows of a journal were written to {file.path!r}, because "
        f"{'; '.join(misfits + lost)}. The journal is kept as {_set_aside(path)!r}, and can be "
        "deleted"
    )
    if misfits:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    else:
        logger.warning("%s", text)


def _deliver(file: StoreFile, scan: JournalScan, piece: JournalScan.Chain, size: int) -> int:
    """Write the rows of a chain that its group lacks; gives how many."""
    if not os.path.exists(file.path) or not os.path.getsize(file.path):
        raise UnfitError(f"{piece.label!r} is not in the file any more")
    with file.reading() as opened:
        begin = first = _find(opened, piece)[1]

    def write(opened: h5py.File) -> None:
        nonlocal first
        found, start = _find(opened, piece)
        layout = Layout(found.meta)
        row_bytes = size // (piece.stop - piece.first) if layout.is_ragged else layout.row_bytes
        stop = min(piece.stop, start + max(1, _BLOCK_BYTES // max(1, row_bytes)))
        rows = scan.load(piece.id, core_meta(found.meta), found.number, start, stop)
        found.append(rows, start)
        last = piece.sum_before(stop)
        assert last is not None
        Binding(piece.id, stop, last).write(found.group)
        first = stop

    while first < piece.stop:
        if not file.update(write, timeout=_PATIENCE):
            raise locked(file.path, _PATIENCE)
    return first - begin


def _find(opened: h5py.File, piece: JournalScan.Chain) -> tuple[Journaled, int]:
    """Find the group of a chain, and the first row that it lacks."""
    found = find_journaled(opened, piece.id, piece.label)
    if found is None:
        raise UnfitError(f"{piece.label!r} is not in the file any more, or was begun anew")
    return found, first_missing(piece, Binding.of(found.group), found.rows)


def _set_aside(path: str) -> str:
    """Rename a journal; gives its new name."""
    aside = f"{path}.set-aside"
    n = 0
    while os.path.lexists(aside):
        n += 1
        aside = f"{path}.set-aside-{n}"
    os.rename(path, aside)
    return aside
