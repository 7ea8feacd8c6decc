"""Opening files, reading them and making them durable, on every system."""

from __future__ import annotations

import os

from drawstore._core import read_into, write_pieces

__all__ = [
    "datasync",
    "must_be_free",
    "open_binary",
    "read_padded",
    "sync_directory",
]

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def open_binary(path: str, flags: int, mode: int = 0o666) -> int:
    """Open a file as bytes; the descriptor does not survive an exec."""
    return os.open(path, flags | _FLAGS, mode)


def must_be_free(path: str) -> None:
    """Check that nothing has a name yet, and that its directory is there.

    Raises
    ------
    FileExistsError, FileNotFoundError
    """
    if os.path.lexists(path):
        raise FileExistsError(f"{path!r} is there already; name another target")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no directory {folder!r} for {path!r}; make it first")


def read_padded(fd: int, offset: int, length: int) -> bytes:
    """Read bytes; those behind the end of the file are zero."""
    data = bytearray(length)
    read_into(fd, data, offset)
    return bytes(data)


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
