"""Opening files, making room in them and making them durable, on every system."""

from __future__ import annotations

import os

from drawstore._core import read_into, write_pieces

__all__ = [
    "datasync",
    "open_binary",
    "read_padded",
    "reserve",
    "sync_directory",
]

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def open_binary(path: str, flags: int, mode: int = 0o666) -> int:
    """Open a file as bytes; the descriptor does not survive an exec."""
    return os.open(path, flags | _FLAGS, mode)


def read_padded(fd: int, offset: int, length: int) -> bytes:
    """Read bytes; those behind the end of the file are zero."""
    data = bytearray(length)
    read_into(fd, data, offset)
    return bytes(data)


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
    write_pieces(fd, (), sync=True)


def sync_directory(path: str) -> None:
    """Return when the names in the directory of ``path`` survive a loss of power."""
    if os.name != "posix":  # pragma: no cover - a directory cannot be opened on Windows
        return
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
