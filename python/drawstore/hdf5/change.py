"""What a change of a file is: the pages that get new contents, and what they had before."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drawstore._core import sector_sums, write_pieces
from drawstore.fileio import datasync, read_padded

from .capture import PAGE, CapturedFile

__all__ = ["Change"]

_BODY = struct.Struct("<QQQQ")  # old size, size when written, new size, number of runs
_RUN = struct.Struct("<QQ")  # offset, bytes
_SECTOR = 512


@dataclass(frozen=True)
class Change:
    """The change of a file from one state to the next.

    Attributes
    ----------
    old_size, held_size, new_size : int
        Bytes of the file before; with what is in it already behind the old end; and after.
    runs : list of (int, bytes)
        Offset and new contents, in order. The first page is always among them: it tells of the
        file's length, so whoever else makes the file longer or shorter changes it.
    old_sums : list of bytes
        For each run, the CRC-32C of each of its old sectors of 512 bytes; bytes that were not
        there count as zero.
    """

    old_size: int
    held_size: int
    new_size: int
    runs: list[tuple[int, bytes]]
    old_sums: list[bytes]

    @classmethod
    def of(cls, captured: CapturedFile, fd: int) -> Change:
        """Collect what HDF5 did to a captured file: the pages that are not what they were."""
        runs: list[tuple[int, bytes]] = []
        sums: list[bytes] = []
        captured.touch(0)
        for first, joined in _neighbours(captured.pages):
            start = first * PAGE
            data = b"".join(joined)[: max(0, captured.size - start)]
            old = read_padded(fd, start, len(data))
            for low, high in _differing(old, data, start == 0):
                runs.append((start + low, data[low:high]))
                sums.append(sector_sums(old[low:high], _SECTOR))
        held_size = os.fstat(fd).st_size
        return cls(captured.old_size, held_size, captured.size, runs, sums)

    def starts_from(self, fd: int) -> bool:
        """Whether the file is still as it was when the change was collected."""
        return os.fstat(fd).st_size == self.held_size and all(
            sector_sums(read_padded(fd, start, len(data)), _SECTOR) == sums
            for (start, data), sums in zip(self.runs, self.old_sums, strict=True)
        )

    def belongs_to(self, fd: int) -> bool:
        """Whether the file is somewhere between the old state and the new one."""
        low, high = sorted((self.held_size, self.new_size))
        if not low <= os.fstat(fd).st_size <= high:
            return False
        for (start, data), sums in zip(self.runs, self.old_sums, strict=True):
            found = sector_sums(read_padded(fd, start, len(data)), _SECTOR)
            new = sector_sums(data, _SECTOR)
            for i in range(0, len(sums), 4):
                if found[i : i + 4] not in (sums[i : i + 4], new[i : i + 4]):
                    return False
        return True

    def is_done(self, fd: int) -> bool:
        """Whether the file has the new state, with or without bytes behind its end."""
        return os.fstat(fd).st_size >= self.new_size and all(
            read_padded(fd, start, len(data)) == data for start, data in self.runs
        )

    def apply(self, fd: int, check: Callable[[], None]) -> None:
        """Bring the file into the new state, durably.

        Parameters
        ----------
        fd : int
            The file, open and locked.
        check : callable
            Raises where somebody else writes to it by now, because this process was stopped.
        """
        is_longer = os.fstat(fd).st_size > self.new_size
        write_pieces(fd, self.runs, sync=not is_longer)
        check()  # else what he wrote would be cut off
        if is_longer or os.fstat(fd).st_size != self.new_size:
            os.ftruncate(fd, self.new_size)
            datasync(fd)

    def encode(self) -> bytes:
        sizes = self.old_size, self.held_size, self.new_size
        parts = [_BODY.pack(*sizes, len(self.runs))]
        parts += [_RUN.pack(start, len(data)) for start, data in self.runs]
        for (_, data), sums in zip(self.runs, self.old_sums, strict=True):
            parts += [sums, data]
        return b"".join(parts)

    @classmethod
    def decode(cls, body: bytes) -> Change:
        old_size, held_size, new_size, count = _BODY.unpack_from(body)
        table = [_RUN.unpack_from(body, _BODY.size + i * _RUN.size) for i in range(count)]
        at = _BODY.size + count * _RUN.size
        runs, old_sums = [], []
        for start, length in table:
            n_sums = 4 * -(-length // _SECTOR)
            old_sums.append(body[at : at + n_sums])
            runs.append((start, body[at + n_sums : at + n_sums + length]))
            at += n_sums + length
        return cls(old_size, held_size, new_size, runs, old_sums)


def _neighbours(pages: dict[int, bytearray]) -> Iterator[tuple[int, list[bytearray]]]:
    """Join pages that follow each other; gives the number of the first, and the pages."""
    joined: list[bytearray] = []
    first = 0
    for number in sorted(pages):
        if joined and number != first + len(joined):
            yield first, joined
            joined = []
        if not joined:
            first = number
        joined.append(pages[number])
    if joined:
        yield first, joined


def _differing(old: bytes, new: bytes, with_first: bool) -> Iterator[tuple[int, int]]:
    """Find the pages in which two contents differ, neighbours joined; the first one if asked."""
    begin = None
    for low in range(0, len(new), PAGE):
        same = old[low : low + PAGE] == new[low : low + PAGE] and not (with_first and low == 0)
        if not same and begin is None:
            begin = low
        elif same and begin is not None:
            yield begin, low
            begin = None
    if begin is not None:
        yield begin, len(new)
