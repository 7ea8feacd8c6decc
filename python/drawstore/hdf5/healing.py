"""What a process that died has left in a journal goes into its HDF5 file, where it fits."""

from __future__ import annotations

import functools
import os
from collections.abc import Container
from typing import TYPE_CHECKING

import h5py

from drawstore._core import JournalScan
from drawstore.backends.core import core_meta
from drawstore.delivery import journals
from drawstore.delivery.journals import UnfitError

from .binding import Binding
from .elsewhere import forget, noted
from .errors import locked
from .finding import find_journaled
from .journal import first_missing, journals_of
from .journaled import Journaled
from .runs import Layout

if TYPE_CHECKING:
    from .store_file import StoreFile

__all__ = ["deliver", "explain", "heal_all"]

_BLOCK_BYTES = 16 * 2**20
_PATIENCE = 60.0  # seconds that healing waits for those who have the file open


def heal_all(file: StoreFile, journal: str | None, written: Container[str]) -> None:
    """Write what journals hold to their file, and remove them: see `journals.heal`.

    Parameters
    ----------
    file : StoreFile
        Which is acquired.
    journal : str or None
        Path of one that was named.
    written : container of str
        Paths of those that this process is writing.
    """
    # Of a file that was copied the journal belongs to the one that is still there.
    others = {each.journal for each in noted(file.path) if not each.is_of(file.path)}
    for path in journals_of(file.path, journal or True):
        if path not in written and (path == journal or path not in others):
            journals.heal(path, file.path, functools.partial(deliver, file))
            forget(file.path, path)


def explain(file: StoreFile, path: str) -> list[str]:
    """Say what `heal_all` would do with a journal; nothing is changed."""
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


def deliver(file: StoreFile, scan: JournalScan, piece: JournalScan.Chain, size: int) -> int:
    """Write the rows of a chain that its group lacks; gives how many.

    Parameters
    ----------
    file : StoreFile
        Which is acquired.
    scan : JournalScan
    piece : JournalScan.Chain
        One of its chains.
    size : int
        Bytes of the journal.

    Raises
    ------
    UnfitError
        Where the rows do not belong behind those of the group, or there is none.
    """
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
