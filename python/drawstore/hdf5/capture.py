"""A file object through which HDF5 changes a file without the file changing yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from drawstore._core import read_into, write_pieces

from .file_object import FileObject

__all__ = ["PAGE", "CapturedFile", "Stage"]

PAGE = 4096
_STAGE_BYTES = 4 * 2**20


class Stage:
    """Pieces on their way to a file, in memory that is used again: fresh memory costs more.

    Attributes
    ----------
    pieces : list of (int, memoryview)
        Offset and contents, in order.
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[int, memoryview]] = []
        self._memory: memoryview | None = None
        self._used = 0

    def add(self, offset: int, data: memoryview) -> bool:
        """Copy a piece, if there is room for it."""
        if self._used + len(data) > _STAGE_BYTES:
            return False
        if self._memory is None:
            self._memory = memoryview(bytearray(_STAGE_BYTES))
        piece = self._memory[self._used : self._used + len(data)]
        piece[:] = data
        self._used += len(data)
        self.pieces.append((offset, piece))
        return True

    def clear(self) -> None:
        """Forget the pieces."""
        self.pieces.clear()
        self._used = 0


class CapturedFile(FileObject):
    """A view of a file in which the pages that are written to stay in memory.

    Pages behind the end of the file go to the disk: nothing in the file refers to them yet, so a
    reader does not see them, and whoever dies in between has changed nothing. Some of them wait in
    memory, to be written at once: each time the file is written, another thread gets the
    interpreter, and a thread that computes keeps it for 5 ms.

    Parameters
    ----------
    fd : int
        The file, open; the caller keeps it, and nobody else writes to it.
    name : str
        Of the file, for messages.
    stage : Stage, optional
        Memory of an earlier one, which is done with it.

    Attributes
    ----------
    old_size, size : int
        Bytes of the file as it is, and as it is to become.
    pages : dict of int to bytearray
        The changed pages among the old ones, by their number.
    wrote_behind : bool
        Whether pages behind the old end were written.
    """

    def __init__(self, fd: int, name: str = "", stage: Stage | None = None) -> None:
        self.old_size = os.fstat(fd).st_size
        super().__init__(self.old_size)
        self._fd = fd
        self._name = name
        self._kept = 1 << 62  # old bytes from here on are cut off
        self._aborted = False
        self.pages: dict[int, bytearray] = {}
        self.wrote_behind = False
        self._stage = Stage() if stage is None else stage
        self._stage.clear()
        self._error: BaseException | None = None
        # The first page that does not overlap the old file. In an empty one, all pages wait.
        self._behind = -(-self.old_size // PAGE) if self.old_size else 1 << 62

    def __repr__(self) -> str:  # h5py takes it for the file's name
        return self._name

    def touch(self, number: int) -> None:
        """Count a page as changed."""
        self._page(number)

    def show(self, runs: Iterable[tuple[int, bytes]], size: int) -> None:
        """Be the file as it is after a change that is written down elsewhere.

        Parameters
        ----------
        runs : iterable of (int, bytes)
            Offset and new contents. Each begins with a page.
        size : int
            Bytes of the file then.
        """
        for start, data in runs:
            for i in range(0, len(data), PAGE):
                page = bytearray(data[i : i + PAGE].ljust(PAGE, b"\0"))
                self.pages[(start + i) // PAGE] = page
        self._behind = 1 << 62  # a page may be anywhere
        self.size = size

    def write_behind(self) -> None:
        """Write what waits behind the old end to the disk."""
        if self._stage.pieces:
            write_pieces(self._fd, self._stage.pieces)
            self._stage.clear()

    def abort(self) -> None:
        """Ignore what is still written: the changes are given up."""
        self._aborted = True

    def take_error(self) -> BaseException | None:
        """Tell what went wrong in a read or a write, where HDF5 would hide it; forgotten then.

        After a write that failed, the others are ignored: who opened the file has to ask, before
        the changes are collected, and where it could not be opened. An error that stayed here would
        never be freed: it leads to what h5py holds, and that holds this object, unseen by the
        garbage collector. h5py then crashes the interpreter at its end.
        """
        error, self._error = self._error, None
        return error

    def writable(self) -> bool:
        return True

    def truncate(self, size: int | None = None) -> int:
        self.size = self._position if size is None else size
        self._kept = min(self._kept, self.size)
        return self.size

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        n = max(0, min(len(target), self.size - self._position))
        try:
            self._read(target[:n], self._position)
        except Exception as error:
            self._error = self._error or error
            raise
        self._position += n
        return n

    def write(self, buffer: Any) -> int:
        source = memoryview(buffer).cast("B")
        if not self._aborted:
            try:
                self._write(source, self._position)
            except BaseException as error:
                # HDF5 does not always pass it on, and cannot close a file that it cannot write.
                self._error = error
                self._aborted = True
        self._position += len(source)
        self.size = max(self.size, self._position)
        return len(source)

    def _read(self, target: memoryview, offset: int) -> None:
        if offset + len(target) > self.old_size:
            self.write_behind()
        done = read_into(self._fd, target, offset)
        target[done:] = bytes(len(target) - done)
        end = offset + len(target)
        low, high = max(self._kept, offset), min(self._behind * PAGE, end)
        if low < high:
            target[low - offset : high - offset] = bytes(high - low)
        if not self.pages:
            return
        for number in range(offset // PAGE, min(-(-end // PAGE), self._behind)):
            page = self.pages.get(number)
            if page is not None:
                start = number * PAGE
                low, high = max(start, offset), min(start + PAGE, end)
                target[low - offset : high - offset] = page[low - start : high - start]

    def _write(self, source: memoryview, offset: int) -> None:
        behind = self._behind * PAGE
        inside = max(0, min(len(source), behind - offset))
        done = 0
        while done < inside:
            number, start = divmod(offset + done, PAGE)
            n = min(PAGE - start, inside - done)
            if n == PAGE:
                self.pages[number] = bytearray(source[done : done + n])
            else:
                self._page(number)[start : start + n] = source[done : done + n]
            done += n
        if done < len(source):
            self.wrote_behind = True
            if not self._stage.add(offset + done, source[done:]):
                self.write_behind()
                if not self._stage.add(offset + done, source[done:]):
                    write_pieces(self._fd, [(offset + done, source[done:])])

    def _page(self, number: int) -> bytearray:
        page = self.pages.get(number)
        if page is None:
            page = bytearray(PAGE)
            self._read(memoryview(page), number * PAGE)
            self.pages[number] = page
        return page
