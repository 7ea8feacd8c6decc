"""The redo file: what makes a change of another file happen whole or not at all.

The changed pages go into the redo file first, with a checksum, and are made durable; only then are
they written to their places. Who dies in between leaves a redo file from which the next one to
open the store finishes the change. Its bytes are specified in ``cpp/FORMAT.md``.

The redo file is also the mark of who writes to the store: its lock is held for as long as rows
are to come, and its first bytes name the process.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from drawstore._core import crc32c, sector_sums

from .capture import PAGE, CapturedFile
from .fileio import datasync, open_binary, read_into, sync_directory, write_at
from .locks import pauses, try_lock

__all__ = ["Change", "RedoFile", "redo_path"]

_MAGIC = b"drawredo"
_VERSION = 1
_HOLDER = struct.Struct("<qH")  # process id, length of the host's name
_HOLDER_AT = 0
_HEADER = struct.Struct("<8sIIQ")  # magic, version, CRC-32C of the body, bytes of the body
_HEADER_AT = 512
_BODY = struct.Struct("<QQQ?7x")  # old size, new size, number of runs, pages behind the old end
_BODY_AT = 1024
_RUN = struct.Struct("<QQ")  # offset, bytes
_SECTOR = 512


def redo_path(path: str) -> str:
    """Name the redo file of a store."""
    return path + "-redo"


@dataclass(frozen=True)
class Change:
    """The change of a file from one state to the next.

    Attributes
    ----------
    old_size, new_size : int
        Bytes of the file before and after.
    behind : bool
        Whether the bytes behind the old end are in the file already.
    runs : list of (int, bytes)
        Offset and new contents, in order.
    old_sums : list of bytes
        For each run, the CRC-32C of each of its old sectors of 512 bytes.
    """

    old_size: int
    new_size: int
    behind: bool
    runs: list[tuple[int, bytes]]
    old_sums: list[bytes]

    @classmethod
    def of(cls, captured: CapturedFile, fd: int) -> Change:
        """Collect what HDF5 did to a captured file: the pages that are not what they were."""
        runs: list[tuple[int, bytes]] = []
        sums: list[bytes] = []
        for first, joined in _neighbours(captured.pages):
            start = first * PAGE
            data = b"".join(joined)[: max(0, captured.size - start)]
            old = _read(fd, start, len(data))
            for low, high in _differing(old, data):
                runs.append((start + low, data[low:high]))
                sums.append(sector_sums(old[low:high], _SECTOR))
        return cls(captured.old_size, captured.size, captured.wrote_behind, runs, sums)

    def starts_from(self, fd: int) -> bool:
        """Whether the file is still as it was before the change."""
        return all(
            sector_sums(_read(fd, start, len(data)), _SECTOR) == sums
            for (start, data), sums in zip(self.runs, self.old_sums, strict=True)
        )

    def belongs_to(self, fd: int) -> bool:
        """Whether the file is somewhere between the old state and the new one."""
        size = os.fstat(fd).st_size
        if size < min(self.old_size, self.new_size) or (self.behind and size < self.new_size):
            return False
        for (start, data), sums in zip(self.runs, self.old_sums, strict=True):
            found = sector_sums(_read(fd, start, len(data)), _SECTOR)
            new = sector_sums(data, _SECTOR)
            for i in range(0, len(sums), 4):
                if found[i : i + 4] not in (sums[i : i + 4], new[i : i + 4]):
                    return False
        return True

    def apply(self, fd: int) -> None:
        """Bring the file into the new state, durably."""
        for start, data in self.runs:
            write_at(fd, data, start)
        if os.fstat(fd).st_size != self.new_size:
            os.ftruncate(fd, self.new_size)
        datasync(fd)

    def encode(self) -> bytes:
        parts = [_BODY.pack(self.old_size, self.new_size, len(self.runs), self.behind)]
        parts += [_RUN.pack(start, len(data)) for start, data in self.runs]
        for (_, data), sums in zip(self.runs, self.old_sums, strict=True):
            parts += [sums, data]
        return b"".join(parts)

    @classmethod
    def decode(cls, body: bytes) -> Change:
        old_size, new_size, count, behind = _BODY.unpack_from(body)
        table = [_RUN.unpack_from(body, _BODY.size + i * _RUN.size) for i in range(count)]
        at = _BODY.size + count * _RUN.size
        runs, old_sums = [], []
        for start, length in table:
            n_sums = 4 * -(-length // _SECTOR)
            old_sums.append(body[at : at + n_sums])
            runs.append((start, body[at + n_sums : at + n_sums + length]))
            at += n_sums + length
        return cls(old_size, new_size, behind, runs, old_sums)


class RedoFile:
    """The redo file of a store, held by the process that writes to the store.

    Parameters
    ----------
    path : str
        The store.
    timeout : float
        Seconds to wait for another holder.

    Raises
    ------
    BlockingIOError
        Where another process holds it.
    """

    def __init__(self, path: str, timeout: float = 0.0) -> None:
        self._store = path
        self._path = redo_path(path)
        for waited in pauses(timeout):
            fd = self._open()
            if try_lock(fd) and self._is_current(fd):
                self._fd = fd
                break
            holder = _holder(fd)
            os.close(fd)
        else:
            raise BlockingIOError(
                errno.EWOULDBLOCK,
                f"{path!r} is being written by {holder}; waited {waited:.1f} s. "
                "Wait until it ends, or write to another file",
            )
        host = socket.gethostname().encode()[:256]
        write_at(fd, _HOLDER.pack(os.getpid(), len(host)) + host, _HOLDER_AT)

    def _open(self) -> int:
        try:
            return open_binary(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{self._store!r} cannot be written, because {self._path!r} cannot be made beside "
                f"it: {error.strerror}. Make the directory, or name one that you may write to",
            ) from error

    def _is_current(self, fd: int) -> bool:
        """Whether the name still stands for the open file: its last holder removes it."""
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(fd))

    def heal(self) -> bool:
        """Finish the change that a process which died has left, if there is one.

        Returns
        -------
        bool
            Whether the store was changed.
        """
        change = self._load()
        if change is None:
            return False
        try:
            fd = open_binary(self._store, os.O_RDWR)
        except FileNotFoundError:
            self._set_aside("the file is gone")
            return False
        try:
            for _ in pauses(60.0):
                if try_lock(fd):
                    break
            else:
                raise BlockingIOError(
                    errno.EWOULDBLOCK,
                    f"{self._store!r} has to be repaired after a process died while it wrote, but "
                    "another program holds it open; close that and try again",
                )
            if not change.belongs_to(fd):
                self._set_aside("the file was changed or replaced since")
                return False
            change.apply(fd)
        finally:
            os.close(fd)
        self.clear()
        return True

    def _load(self) -> Change | None:
        try:
            header = _read(self._fd, _HEADER_AT, _HEADER.size)
            magic, version, checksum, length = _HEADER.unpack(header)
        except struct.error:
            return None
        if magic != _MAGIC or version != _VERSION:
            return None
        if length > os.fstat(self._fd).st_size:
            return None
        body = _read(self._fd, _BODY_AT, length)
        return Change.decode(body) if crc32c(body) == checksum else None

    def _set_aside(self, reason: str) -> None:
        aside = f"{self._path}.set-aside"
        os.replace(self._path, aside)
        os.close(self._fd)
        self._fd = self._open()
        try_lock(self._fd)
        warnings.warn(
            f"an unfinished change of {self._store!r} was not applied, because {reason}; "
            f"it is kept in {aside!r} and can be deleted",
            RuntimeWarning,
            stacklevel=2,
        )

    def prepare(self, change: Change) -> None:
        """Write a change down, durably; from here on it will happen, whoever dies."""
        new = os.fstat(self._fd).st_size < _BODY_AT
        body = change.encode()
        header = _HEADER.pack(_MAGIC, _VERSION, crc32c(body), len(body))
        write_at(self._fd, header.ljust(_BODY_AT - _HEADER_AT, b"\0") + body, _HEADER_AT)
        datasync(self._fd)
        if new:
            sync_directory(self._path)

    def clear(self) -> None:
        """Forget the change that was prepared."""
        write_at(self._fd, bytes(_HEADER.size), _HEADER_AT)

    def release(self) -> None:
        """Remove the file and give the store up."""
        os.unlink(self._path)
        os.close(self._fd)

    def abandon(self) -> None:
        """Close the descriptor that a forked child inherited; the parent keeps the lock."""
        os.close(self._fd)


def _read(fd: int, offset: int, length: int) -> bytes:
    data = bytearray(length)
    return bytes(data[: read_into(fd, memoryview(data), offset)])


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


def _differing(old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    """Find the pages in which two contents differ, neighbours joined."""
    begin = None
    for low in range(0, len(new), PAGE):
        same = old[low : low + PAGE] == new[low : low + PAGE]
        if not same and begin is None:
            begin = low
        elif same and begin is not None:
            yield begin, low
            begin = None
    if begin is not None:
        yield begin, len(new)


def _holder(fd: int) -> str:
    data = _read(fd, _HOLDER_AT, _HEADER_AT)
    if len(data) < _HOLDER.size:
        return "another process"
    pid, length = _HOLDER.unpack_from(data)
    host = data[_HOLDER.size : _HOLDER.size + length].decode(errors="replace")
    return f"process {pid} on {host or 'an unknown host'}"
