"""The journals in which rows wait: what a killed process left there, and what a live one holds.

Rows go through a journal in this order, whoever writes them:

1. What a process that died has left is delivered first: `heal`.
2. ``Journal.begin_chain(id, label, core_meta(meta), number, rows, sum)`` begins a chain behind the
   rows that the store has; the sum is that of the last of them. The store knows the id, too.
3. Rows are appended; what belongs to a row is a column of its own.
4. Rows go into the store, in one change with what says how many it has, and durably; whether the
   journal had them does not matter any more. Then ``chain.release(stop)``.
5. When all rows are delivered, or given up: ``chain.discard()``, and the journal is removed.
"""

from __future__ import annotations

import errno
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drawstore._core import JournalScan, lock_file_holder, read_into, take_write_lock
from drawstore.fileio import open_binary
from drawstore.holder import holder_at

if TYPE_CHECKING:
    from drawstore._core import WriteLock

__all__ = [
    "GapError",
    "JournalOptions",
    "UnfitError",
    "first_missing",
    "heal",
    "lock_journal",
]

logger = logging.getLogger("drawstore")

_HEADER_BYTES = 32
_HOLDER_AT = 512


@dataclass(frozen=True)
class JournalOptions:
    """Where rows wait for a store, and how.

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
        maker = holder_at(fd, _HOLDER_AT)  # where it has ended, another delivers what it left
        holder = lock_file_holder(path) or (maker if maker and maker.lives else "another process")
        os.close(fd)
        raise BlockingIOError(
            errno.EWOULDBLOCK,
            f"the journal {path!r} is being written by {holder}; choose another path, or wait "
            "until it ends",
        )
    return fd, lock


class UnfitError(Exception):
    """Rows of a journal do not belong behind those of the store; the message says why."""


class GapError(UnfitError):
    """Rows between those of the store and those of a journal were lost."""


def first_missing(piece: JournalScan.Chain, rows: int, last_sum: int | None) -> int:
    """Tell which rows of a journal a store lacks: those from this one on.

    Parameters
    ----------
    piece : JournalScan.Chain
    rows : int
        That the store has.
    last_sum : int or None
        Checksum of the last of them; None where there is none, or nobody knows.

    Raises
    ------
    UnfitError
        Where they do not follow those of the store.
    """
    if piece.stop <= rows:
        return piece.stop
    if piece.first > rows:
        raise GapError(f"rows {rows} to {piece.first - 1} of {piece.label!r} are in neither")
    if last_sum is not None and piece.sum_before(rows) != last_sum:
        raise UnfitError(f"the last row of {piece.label!r} is not the one that the journal knows")
    return rows


def heal(
    path: str, place: str, deliver: Callable[[JournalScan, JournalScan.Chain, int], int]
) -> None:
    """Write what a journal holds to its store, and remove it.

    It can be killed at any moment, and done again. What does not fit the store is never written to
    it: the journal is then renamed.

    Parameters
    ----------
    path : str
        Of the journal, which nobody writes any more; there may be none.
    place : str
        The store, as messages call it.
    deliver : callable
        Writes the rows of a chain that the store lacks, and tells how many; also gets the bytes of
        the journal. Raises UnfitError.

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
            _heal(path, place, deliver, os.fstat(fd).st_size, lock)
        else:
            os.unlink(path)
    finally:
        lock.release()
        os.close(fd)


def _was_begun(fd: int) -> bool:
    """Whether there may be rows: they come after the header."""
    header = bytearray(_HEADER_BYTES)
    read_into(fd, header, 0)
    return any(header)


def _heal(
    path: str,
    place: str,
    deliver: Callable[[JournalScan, JournalScan.Chain, int], int],
    size: int,
    lock: WriteLock,
) -> None:
    scan = JournalScan(path)
    misfits = [] if any(scan.id) else [scan.damaged]  # it is no journal
    lost = [scan.damaged] if any(scan.id) else []
    lost = [text for text in (*lost, *(piece.damaged for piece in scan.chains)) if text]
    for piece in scan.chains:
        if piece.first == piece.stop:
            continue
        try:
            written = deliver(scan, piece, size)
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
                    place,
                )
    lock.check()
    if not misfits and not lost:
        os.unlink(path)
        return
    text = (
        f"not all rows of a journal were written to {place!r}, because "
        f"{'; '.join(misfits + lost)}. The journal is kept as {_set_aside(path)!r}, and can be "
        "deleted"
    )
    if misfits:
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    else:
        logger.warning("%s", text)


def _set_aside(path: str) -> str:
    """Rename a journal; gives its new name."""
    aside = f"{path}.set-aside"
    n = 0
    while os.path.lexists(aside):
        n += 1
        aside = f"{path}.set-aside-{n}"
    os.rename(path, aside)
    return aside
