"""One HDF5 file as this process reads and writes it."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import h5py

from .capture import CapturedFile
from .fileio import datasync, open_binary
from .locks import pauses, try_lock
from .redo import Change, RedoFile, redo_path

__all__ = ["StoreFile", "store_file"]

# What HDF5 1.10 and later can read, so that older programs can, too.
_LIBVER = ("v110", "v110")
_PATIENCE = 10.0  # seconds that a read waits for another program's lock


class StoreFile:
    """An HDF5 file that is changed whole or not at all, and closed in between.

    Any thread may use it. `store_file` gives each file its one object in a process.

    Parameters
    ----------
    path : str
        Absolute, without symbolic links.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._pid = os.getpid()
        self._lock = threading.RLock()  # who owns the file; held for moments
        self._updating = threading.Lock()  # one change at a time
        self._redo: RedoFile | None = None
        self._owners = 0
        self._opened: weakref.WeakSet[h5py.File] = weakref.WeakSet()
        self.waits_for_lock = False

    # Who writes.

    def acquire(self, timeout: float = 1.0) -> None:
        """Become the process that writes to this file; once for each `release`.

        Raises
        ------
        BlockingIOError
            Where another process is, for longer than ``timeout`` seconds.
        """
        with self._lock:
            if self._redo is None:
                redo = RedoFile(self.path, timeout)
                try:
                    redo.heal()
                except BaseException:
                    redo.abandon()
                    raise
                self._redo = redo
            self._owners += 1

    def release(self) -> None:
        """Give up what `acquire` took."""
        with self._lock:
            self._owners -= 1
            if self._owners == 0 and self._redo is not None:
                self._redo.release()
                self._redo = None

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Own the file for a moment."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def abandon(self) -> None:
        """Let go in a forked child of what is the parent's, without touching it."""
        if self._redo is not None:
            self._redo.abandon()
            self._redo = None

    # Changing.

    def update(
        self,
        change: Callable[[h5py.File], None],
        *,
        timeout: float = math.inf,
        cancelled: Callable[[], bool] | None = None,
    ) -> bool:
        """Change the file, whole or not at all, while no other program has it open.

        Parameters
        ----------
        change : callable
            Called with the open file; called again from the start where another program changed
            the file meanwhile.
        timeout : float
            Seconds to wait for those who hold the file.
        cancelled : callable, optional
            Ends the wait when it returns True.

        Returns
        -------
        bool
            False where the wait ended before the file was free; it is unchanged then.
        """
        if not self._updating.acquire(timeout=-1 if math.isinf(timeout) else timeout):
            return False
        try:
            for _ in pauses(timeout, cancelled):
                if not self._is_open_here() and self._attempt(change, timeout, cancelled):
                    return True
                self.waits_for_lock = True
            return False
        finally:
            self.waits_for_lock = False
            self._updating.release()

    def _attempt(
        self,
        change: Callable[[h5py.File], None],
        timeout: float,
        cancelled: Callable[[], bool] | None,
    ) -> bool:
        redo = self._redo
        assert redo is not None, "only the owner of a file changes it"
        new = not os.path.exists(self.path)
        fd = open_binary(self.path, os.O_RDWR | os.O_CREAT)
        try:
            # Shared: readers may go on, other writers may not.
            if not try_lock(fd, shared=True):
                return False
            captured = CapturedFile(fd)
            try:
                self._run(change, captured, fd)
            except BaseException:
                if new:
                    os.unlink(self.path)
                raise
            if captured.wrote_behind:
                datasync(fd)
            prepared = Change.of(captured, fd)
            redo.prepare(prepared)
            for _ in pauses(timeout, cancelled):
                if not self._is_open_here() and try_lock(fd):
                    break
                self.waits_for_lock = True
            else:
                redo.clear()
                return False
            # Between the two locks another writer may have come.
            if not prepared.starts_from(fd):
                redo.clear()
                return False
            prepared.apply(fd)
            redo.clear()
            return True
        finally:
            os.close(fd)

    def _run(self, change: Callable[[h5py.File], None], captured: CapturedFile, fd: int) -> None:
        mode = "r+" if captured.old_size else "w"
        try:
            with h5py.File(captured, mode, libver=_LIBVER) as file:
                try:
                    change(file)
                except BaseException:
                    captured.abort()
                    raise
        except BaseException as error:
            captured.abort()
            if captured.wrote_behind:
                os.ftruncate(fd, captured.old_size)
            if captured.error is not None:
                raise captured.error from error
            if isinstance(error, OSError):
                raise explained(self.path, error) from error
            raise

    # Reading.

    @contextlib.contextmanager
    def reading(self, timeout: float = _PATIENCE) -> Iterator[h5py.File]:
        """Open the file for reading, as long as the context lasts.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        BlockingIOError
            Where another program holds it for longer than ``timeout`` seconds.
        OSError
            Where it is not an HDF5 file, or is damaged.
        """
        opened = next((f for f in list(self._opened) if f and f.mode == "r+"), None)
        if (
            opened is not None
        ):  # the user has it open for writing in this process: read through that
            yield opened
            return
        self._heal_if_left_behind()
        fd = open_binary(self.path, os.O_RDONLY)
        try:
            self._wait_for_lock(fd, timeout)
            with self._open_locked() as file:
                yield file
        finally:
            os.close(fd)

    def _wait_for_lock(self, fd: int, timeout: float) -> None:
        for waited in pauses(timeout):
            if try_lock(fd, shared=True) or _is_written_through_h5py(self.path):
                return
        raise _locked(self.path, waited)

    def _open_locked(self) -> h5py.File:
        # Where this process has opened the file past us, HDF5 wants the same kind of locks.
        for locking in (False, None, True):
            try:
                return h5py.File(self.path, "r", locking=locking)
            except OSError as error:
                if locking or "flag values don't match" not in str(error):
                    raise explained(self.path, error) from error
        raise AssertionError("the last attempt returns or raises")

    def _heal_if_left_behind(self) -> None:
        if self._redo is not None or not os.path.exists(redo_path(self.path)):
            return
        with contextlib.suppress(BlockingIOError):  # its writer lives: nothing was left behind
            redo = RedoFile(self.path)
            try:
                redo.heal()
            finally:
                redo.release()

    def open(self, mode: str, timeout: float = _PATIENCE) -> h5py.File:
        """Open the file for the user; it is not changed by us until the user closes it.

        Raises as `reading` does.
        """
        self._heal_if_left_behind()
        for waited in pauses(timeout):
            try:
                file = h5py.File(self.path, mode)
            except BlockingIOError:
                continue
            except OSError as error:
                if _is_lock_error(error):
                    continue
                raise explained(self.path, error) from error
            self._opened.add(file)
            file._drawstore_file = self  # as long as the user's file is open, so are we known
            return file
        raise _locked(self.path, waited)

    def _is_open_here(self) -> bool:
        return any(bool(file) for file in list(self._opened))


_files: weakref.WeakValueDictionary[str, StoreFile] = weakref.WeakValueDictionary()
_files_lock = threading.Lock()


def store_file(path: str | os.PathLike[str]) -> StoreFile:
    """Give the object that stands for a file in this process."""
    real = os.path.realpath(os.fspath(path))
    with _files_lock:
        file = _files.get(real)
        if file is None:
            file = _files[real] = StoreFile(real)
        return file


def _forget_in_child() -> None:
    global _files, _files_lock
    for file in list(_files.values()):
        file.abandon()
    _files = weakref.WeakValueDictionary()
    _files_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _is_written_through_h5py(path: str) -> bool:
    """Whether this process itself, past us, has a file open for writing, and locked so."""
    return any(
        file.get_intent() == h5py.h5f.ACC_RDWR and os.path.realpath(os.fsdecode(file.name)) == path
        for file in h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    )


def _is_lock_error(error: OSError) -> bool:
    text = str(error)
    return "unable to lock file" in text or "Resource temporarily unavailable" in text


def _locked(path: str, waited: float) -> BlockingIOError:
    return BlockingIOError(
        errno.EWOULDBLOCK,
        f"{path!r} is locked by another program that has it open; waited {waited:.1f} s. "
        "Close the file there and try again",
    )


def explained(path: str, error: OSError) -> OSError:
    """Say what is wrong with a file, where HDF5's own words do not."""
    text = str(error)
    if isinstance(error, (FileNotFoundError, PermissionError, BlockingIOError)):
        return error
    if os.path.isdir(path):
        return IsADirectoryError(errno.EISDIR, f"{path!r} is a directory, not an HDF5 file")
    if os.path.exists(path) and os.path.getsize(path) == 0:
        return OSError(f"{path!r} is empty; reset the backend to begin a run in it")
    if "truncated file" in text:
        return OSError(
            f"{path!r} is cut off: {text[text.index('truncated file') :].rstrip(')')}. "
            "A copy or a transfer may have ended early; get a whole copy"
        )
    if "file signature not found" in text or "File signature not found" in text:
        return OSError(f"{path!r} is not an HDF5 file; give another name")
    return error


def describe_groups(file: Any) -> str:
    """List the groups of a file, for messages."""
    names = [name for name in file if isinstance(file.get(name, getlink=False), h5py.Group)]
    return ", ".join(repr(name) for name in names) or "no groups"
