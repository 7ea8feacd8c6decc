"""The redo file: what makes a change of another file happen whole or not at all.

The changed pages go into the redo file first, with a checksum, and are made durable; only then are
they written to their places. Who dies in between leaves a redo file from which the next one to
open the store finishes the change. Its bytes are specified in ``cpp/FORMAT.md``.

The redo file is also the mark of who writes to the store: its lock is held for as long as rows
are to come, and its first bytes name the process. It is written under `WriteLock.check`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
import warnings

from drawstore._core import (
    crc32c,
    is_locked,
    lock_file_holder,
    take_write_lock,
    write_pieces,
)
from drawstore.fileio import open_binary, read_padded, sync_directory
from drawstore.holder import holder_at, packed_holder

from .change import Change
from .locks import pauses, try_lock, unlock

__all__ = ["RedoFile", "change_to_see", "left_behind", "redo_path"]

_MAGIC = b"drawredo"
_VERSION = 1
_HOLDER_AT = 0
_HEADER = struct.Struct("<8sIIQ")  # magic, version, CRC-32C of the body, bytes of the body
_HEADER_AT = 512
_BODY_AT = 1024


def redo_path(path: str) -> str:
    """Name the redo file of a store."""
    return path + "-redo"


class RedoFile:
    """The redo file of a store, held by the process that writes to the store.

    Parameters
    ----------
    path : str
        The store.
    timeout : float
        Seconds to wait for another holder.

    Attributes
    ----------
    pending : bool
        Whether a change may be written down that the store does not have yet.

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
            lock = take_write_lock(fd, self._path)
            if lock is not None and self._is_current(fd):
                self._fd = fd
                self._lock = lock
                break
            holder = lock_file_holder(self._path) or holder_at(fd, _HOLDER_AT) or "another process"
            if lock is not None:
                lock.release()
            os.close(fd)
        else:
            raise BlockingIOError(
                errno.EWOULDBLOCK,
                f"{path!r} is being written by {holder}; waited {waited:.1f} s. "
                "Wait until it ends, or write to another file",
            )
        self.pending = True  # until `heal` has looked
        try:
            write_pieces(fd, [(_HOLDER_AT, packed_holder())])
        except OSError:  # there is no room
            os.unlink(self._path)
            self.abandon()
            raise

    def check(self) -> None:
        """Make sure that nobody else writes to the store; before each change of it.

        Raises
        ------
        RuntimeError
            Where another process has taken the store over, because this one was stopped for long.
        OSError
            Where that cannot be found out.
        """
        self._lock.check()

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken the store over."""
        return self._lock.is_lost

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

    def heal(self, timeout: float = 60.0) -> bool:
        """Finish a change that is written down, if there is one.

        Parameters
        ----------
        timeout : float
            Seconds to wait for those who have the store open.

        Returns
        -------
        bool
            Whether the store was changed.

        Raises
        ------
        BlockingIOError
            Where another program has the store open for longer.
        OSError
            Where another version of drawstore wrote the change down.
        """
        self.check()
        change = self._load()
        if change is None:
            self.pending = False
            return False
        try:
            fd = open_binary(self._store, os.O_RDWR)
        except FileNotFoundError:
            self._set_aside("the file is gone")
            return False
        try:
            for waited in pauses(timeout):
                if try_lock(fd):
                    break
            else:
                raise BlockingIOError(
                    errno.EWOULDBLOCK,
                    f"{self._store!r} has to be repaired after a process died while it wrote, but "
                    f"another program holds it open; waited {waited:.1f} s. Close that and try "
                    "again",
                )
            if not change.belongs_to(fd):
                # A loss of power may bring back a change that was done, while bytes of the next one
                # lie behind the end already.
                if change.is_done(fd):
                    self.clear()
                else:
                    self._set_aside("the file was changed or replaced since")
                return False
            self.check()
            change.apply(fd, self.check)
        finally:
            unlock(fd)
            os.close(fd)
        self.clear()
        return True

    def _load(self) -> Change | None:
        return _load(self._fd, self._path)

    def _set_aside(self, reason: str) -> None:
        aside = f"{self._path}.set-aside"
        shutil.copyfile(self._path, aside)
        self.clear()
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
        self.check()
        self.pending = True
        try:
            head = header.ljust(_BODY_AT - _HEADER_AT, b"\0")
            write_pieces(self._fd, [(_HEADER_AT, head), (_BODY_AT, body)], sync=True)
        except OSError:
            os.ftruncate(self._fd, _HEADER_AT)  # gives the space back as well
            self.pending = False
            raise
        if new:
            sync_directory(self._path)

    def clear(self) -> None:
        """Forget the change that was written down."""
        self.check()
        write_pieces(self._fd, [(_HEADER_AT, bytes(_HEADER.size))])
        self.pending = False

    def release(self) -> None:
        """Finish what is open, remove the file and give the store up.

        Where another process has taken the store over, all that is left to it.
        """
        try:
            with contextlib.suppress(RuntimeError):
                self.check()
            if self.is_lost:
                return
            if self.pending:
                self.heal()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        finally:
            self._lock.release()
            os.close(self._fd)

    def abandon(self) -> None:
        """Give the store up as it is; in a forked child, only what it inherited."""
        self._lock.release()
        os.close(self._fd)


def change_to_see(path: str, fd: int) -> Change | None:
    """Give the change that a reader has to see done, though it is not; changes nothing.

    Parameters
    ----------
    path : str
        Of the store.
    fd : int
        The store, open, with a shared lock: nobody changes it meanwhile.

    Returns
    -------
    Change or None
        None where the store can be read as it is.

    Raises
    ------
    OSError
        Where another version of drawstore wrote the change down.
    """
    try:
        redo = open_binary(redo_path(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        change = _load(redo, redo_path(path))
        if change is None or not change.belongs_to(fd):
            return None
        # Before a living writer has touched the store, it may still give the change up.
        is_alive = is_locked(redo, redo_path(path))
        return None if is_alive and change.starts_from(fd) else change
    finally:
        os.close(redo)


def left_behind(path: str) -> bool:
    """Whether a process died in the middle of a change of a store; changes nothing."""
    try:
        fd = open_binary(redo_path(path), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Where it is locked, its writer lives.
        return not is_locked(fd, redo_path(path)) and _load(fd, redo_path(path)) is not None
    finally:
        os.close(fd)


def _load(fd: int, path: str) -> Change | None:
    header = read_padded(fd, _HEADER_AT, _HEADER.size)
    magic, version, checksum, length = _HEADER.unpack(header)
    if magic != _MAGIC or _BODY_AT + length > os.fstat(fd).st_size:
        return None
    body = read_padded(fd, _BODY_AT, length)
    if crc32c(body) != checksum:
        return None
    if version != _VERSION:
        raise OSError(
            f"{path!r} holds a change that another version of drawstore began (format {version}, "
            f"here {_VERSION}); open the store with that version, or remove this file to give the "
            "change up"
        )
    return Change.decode(body)
