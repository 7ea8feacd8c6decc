"""A file that is read without a lock, and known not to have changed meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator

import h5py

from drawstore.fileio import open_binary

from .capture import CapturedFile
from .errors import locked, naming
from .locks import pauses, try_lock, unlock
from .preparing import raise_cause
from .redo import change_to_see

__all__ = ["StillFile"]

_TICK = 0.05  # seconds: changes that are closer may have the same time
_PATIENCE = 1.0


class StillFile:
    """An HDF5 file that may be written by a program that takes no notice of readers.

    A lock would end emcee: it gives up where it cannot open its file. So there is none while the
    file is read; who wants to know whether what was read can be true asks `check` afterwards.

    Parameters
    ----------
    path : str
        Absolute, without symbolic links.

    Raises
    ------
    BlockingIOError
        Where another program holds the file open.
    FileNotFoundError
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = open_binary(path, os.O_RDONLY)
        try:
            self.stat = os.fstat(self._fd)
            time.sleep(min(_TICK, max(0.0, self.stat.st_mtime + _TICK - time.time())))
            with self.held():
                pass
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)

    @contextlib.contextmanager
    def reading(self) -> Iterator[h5py.File]:
        """Open it with h5py, as long as the context lasts."""
        captured = CapturedFile(self._fd, self.path)
        change = change_to_see(self.path, self._fd)
        if change is not None:
            captured.show(change.runs, change.new_size)
        try:
            file = h5py.File(captured, "r", rdcc_nbytes=16 * 2**20)
        except OSError as error:
            raise_cause(self.path, error, captured.take_error())
        with file, naming(self.path):
            yield file

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other programs away for a moment."""
        for waited in pauses(_PATIENCE):
            if try_lock(self._fd):
                break
        else:
            raise locked(self.path, waited)
        try:
            yield
        finally:
            unlock(self._fd)

    @property
    def is_unchanged(self) -> bool:
        """Whether the file is what it was in the beginning."""
        now, named = os.fstat(self._fd), os.stat(self.path)
        return os.path.samestat(now, named) and (
            (now.st_size, now.st_mtime_ns, now.st_ctime_ns)
            == (self.stat.st_size, self.stat.st_mtime_ns, self.stat.st_ctime_ns)
        )

    def check(self) -> None:
        """Raise where the file was changed since it was opened.

        Raises
        ------
        BlockingIOError
        """
        if not self.is_unchanged:
            raise BlockingIOError(
                errno.EWOULDBLOCK,
                f"{self.path!r} is being written by another program: it changed while it was read. "
                "Wait until that ends",
            )
