"""A broken HDF5 file as HDF5 can open it: with another superblock, which is never written."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drawstore._core import read_into
from drawstore.hdf5.file_object import FileObject

__all__ = ["FileView", "View", "views"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 2**64 - 1
_FURTHEST = 2**20  # where a superblock is looked for, behind a user block
_GROWN = 2**36  # bytes that a file may have lost at its end; an end behind them is damage


@dataclass(frozen=True)
class View:
    """How a file is looked at.

    Attributes
    ----------
    what : str
        Said of it, where it is not the file as it is.
    at : int
        Where the superblock is.
    superblock : bytes
        Put in place of the one in the file.
    size : int
        Bytes of the file as HDF5 is told. Those that are not there are zero.
    """

    what: str
    at: int
    superblock: bytes
    size: int


class FileView(FileObject):
    """A file that can only be read, through a view.

    Parameters
    ----------
    path : str
    view : View

    Attributes
    ----------
    real_size : int
        Bytes that there are.
    """

    def __init__(self, path: str, view: View) -> None:
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        super().__init__(view.size)
        self._view = view
        self.real_size = os.fstat(self._fd).st_size

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        target = target[: max(0, self.size - self._position)]
        done = 0
        if self._position < self.real_size:
            done = read_into(self._fd, target, self._position)
        target[done:] = bytes(len(target) - done)
        self._patch(target)
        self._position += len(target)
        return len(target)

    def _patch(self, target: memoryview) -> None:
        at, new = self._view.at, self._view.superblock
        low, high = max(at, self._position), min(at + len(new), self._position + len(target))
        if low < high:
            target[low - self._position : high - self._position] = new[low - at : high - at]


def views(path: str) -> Iterator[View]:
    """Give ways to look at a file, the likeliest first.

    With a superblock that says that the file was closed, and ends where it does: who was killed may
    have written behind the end that is written down. Then as it is. Where the superblock is lost,
    with those that HDF5 gives to files of h5py.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(min(size, _FURTHEST))
    for at in _places(len(head)):
        if head[at : at + 8] == _SIGNATURE:
            patched = _patched(head[at : at + 96], size, at)
            if patched is not None:
                end, superblock = patched
                is_same = head[at:].startswith(superblock)
                what = "" if is_same else "its superblock was read as that of a file that is whole"
                yield View(what, at, superblock, max(end, size))
    yield View("", 0, b"", size)
    lost = "its superblock is lost; one was made up that has the first group where h5py puts it"
    yield View(lost, 0, _old_superblock(size), size)
    yield View(lost, 0, _new_superblock(size), size)


def _places(length: int) -> Iterator[int]:
    yield 0
    at = 512
    while at < length:
        yield at
        at *= 2


def _patched(head: bytes, size: int, at: int) -> tuple[int, bytes] | None:
    """Mend a superblock; gives the end of the file, and the bytes."""
    if len(head) < 96:
        return None
    data = bytearray(head)
    if data[8] < 2:
        start = 24 + 4 * (data[8] == 1)
        _, free, end, driver = struct.unpack_from("<4Q", data, start)
        end = end if size < end < size + _GROWN else size
        data[20:24] = bytes(4)
        struct.pack_into("<4Q", data, start, at, free, end, driver)
        return end, bytes(data)
    _, extension, end, root = struct.unpack_from("<4Q", data, 12)
    end = end if size < end < size + _GROWN else size
    data[11] = 0
    struct.pack_into("<4Q", data, 12, at, extension, end, root)
    struct.pack_into("<I", data, 44, _lookup3(bytes(data[:44])))
    return end, bytes(data[:48])


def _old_superblock(size: int) -> bytes:
    head = _SIGNATURE + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    head += struct.pack("<4Q", 0, _UNDEFINED, size, _UNDEFINED)
    return head + struct.pack("<QQII16x", 0, 96, 0, 0)


def _new_superblock(size: int) -> bytes:
    head = _SIGNATURE + bytes([3, 8, 8, 0]) + struct.pack("<4Q", 0, _UNDEFINED, size, 48)
    return head + struct.pack("<I", _lookup3(head))


def _lookup3(data: bytes) -> int:
    """Give the checksum of HDF5's metadata: Bob Jenkins' lookup3 (2006, public domain)."""
    mask = 0xFFFFFFFF

    def turned(x: int, n: int) -> int:
        return (x << n | x >> (32 - n)) & mask

    a: int
    b: int
    c: int
    a = b = c = (0xDEADBEEF + len(data)) & mask
    while len(data) > 12:
        x, y, z = struct.unpack_from("<3I", data)
        a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
        for n, m, k in ((4, 6, 8), (16, 19, 4)):
            a = (a - c & mask) ^ turned(c, n)
            c = c + b & mask
            b = (b - a & mask) ^ turned(a, m)
            a = a + c & mask
            c = (c - b & mask) ^ turned(b, k)
            b = b + a & mask
        data = data[12:]
    if not data:
        return c
    x, y, z = struct.unpack("<3I", data.ljust(12, b"\0"))
    a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
    c = (c ^ b) - turned(b, 14) & mask
    a = (a ^ c) - turned(c, 11) & mask
    b = (b ^ a) - turned(a, 25) & mask
    c = (c ^ b) - turned(b, 16) & mask
    a = (a ^ c) - turned(c, 4) & mask
    b = (b ^ a) - turned(a, 14) & mask
    return (c ^ b) - turned(b, 24) & mask
