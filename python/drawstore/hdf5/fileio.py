"""Reading and writing at offsets, and making it durable, on every system."""

from __future__ import annotations

import os

__all__ = [
    "datasync",
    "open_binary",
    "read_into",
    "read_padded",
    "reserve",
    "sync_directory",
    "write_at",
]

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def open_binary(path: str, flags: int, mode: int = 0o666) -> int:
    """Open a file as bytes; the descriptor does not survive an exec."""
    return os.open(path, flags | _FLAGS, mode)


def read_into(fd: int, target: memoryview, offset: int) -> int:
    """Fill ``target`` from ``offset`` on; returns the bytes there were."""
    done = 0
    while done < len(target):
        if hasattr(os, "preadv"):
            n = os.preadv(fd, [target[done:]], offset + done)
        else:  # pragma: no cover - Windows
            os.lseek(fd, offset + done, os.SEEK_SET)
            data = os.read(fd, len(target) - done)
            n = len(data)
            target[done : done + n] = data
        if n == 0:
            break
        done += n
    return done


def read_padded(fd: int, offset: int, length: int) -> bytes:
    """Read bytes; those behind the end of the file are zero."""
    data = bytearray(length)
    read_into(fd, memoryview(data), offset)
    return bytes(data)


def write_at(fd: int, data: memoryview | bytes | bytearray, offset: int) -> None:
    """Write all of ``data`` at ``offset``."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        if hasattr(os, "pwrite"):
            done += os.pwrite(fd, view[done:], offset + done)
        else:  # pragma: no cover - Windows
            os.lseek(fd, offset + done, os.SEEK_SET)
            done += os.write(fd, view[done:])


def reserve(fd: int, start: int, stop: int) -> None:
    """Make a file at least ``stop`` bytes long, with room on the disk for those from ``start`` on.

    What is there already stays as it is.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, start, stop - start)
    elif os.fstat(fd).st_size < stop:  # pragma: no cover - macOS, Windows
        os.ftruncate(fd, stop)


def datasync(fd: int) -> None:
    """Return when the contents of a file survive a loss of power."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_directory(path: str) -> None:
    """Return when the names in the directory of ``path`` survive a loss of power."""
    if os.name != "posix":  # pragma: no cover - a directory cannot be opened on Windows
        return
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
