"""One HDF5 file as this process reads and writes it."""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import h5py

from drawstore import drain
from drawstore._core import Holding
from drawstore.fileio import open_binary, sync_directory

from .capture import CapturedFile, Stage
from .elsewhere import warn_of_lost
from .errors import explained, is_lock_error, locked, naming
from .healing import heal_all
from .journal import Journals
from .locks import pauses, try_lock, unlock
from .others import is_written_through_h5py, open_as_others_do
from .preparing import prepare, raise_cause
from .redo import RedoFile, change_to_see, left_behind
from .uninterrupted import uninterrupted

if TYPE_CHECKING:
    from drawstore._core import Journal
    from drawstore.delivery.journals import JournalOptions

__all__ = ["PATIENCE", "StoreFile", "store_file"]

PATIENCE = 10.0  # seconds that a read waits for another program's lock


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
        self._journals = Journals(path)
        self._stage = Stage()
        self._opened: weakref.WeakSet[h5py.File] = weakref.WeakSet()
        self._descriptors: set[int] = set()
        self.waits_for_lock = False

    # Who writes.

    def acquire(self, timeout: float = 1.0, journal: str | None = None) -> None:
        """Become the process that writes to this file; once for each `release`.

        What a process that died has left is written to the file first.

        Parameters
        ----------
        timeout : float
            Seconds to wait for another process that writes.
        journal : str, optional
            Path of a journal that is neither beside the file nor noted there.

        Raises
        ------
        BlockingIOError
            Where another process is, for longer than ``timeout`` seconds.

        Warns
        -----
        RuntimeWarning
            Where a journal is noted that cannot be reached.
        """
        with self._lock:
            self._take(timeout)
            try:
                heal_all(self, journal, self._journals)
            except BaseException:
                self.release()
                raise

    def _take(self, timeout: float) -> None:
        if self._redo is None:
            redo = RedoFile(self.path, timeout)
            try:
                redo.heal()
                warn_of_lost(self.path)
            except BaseException:
                redo.abandon()
                raise
            self._redo = redo
        self._owners += 1

    def release(self) -> None:
        """Give up what `acquire` took; the last to do so has delivered all rows."""
        with self._lock:
            self._owners -= 1
            if self._owners == 0 and self._redo is not None:
                self._journals.remove()
                redo, self._redo = self._redo, None
                self._stage = Stage()  # gives its memory back
                redo.release()

    def journal(self, options: JournalOptions) -> Journal:
        """Give the journal for rows of this file; who calls it has acquired the file."""
        with self._lock:
            return self._journals.get(options)

    def keep(self, journal: Journal) -> None:
        """Have the last `release` leave a journal, for `acquire` to set aside what does not fit."""
        with self._lock:
            self._journals.keep(journal)

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
        self._journals.abandon()
        for fd in self._descriptors:
            os.close(fd)
        self._descriptors.clear()

    @contextlib.contextmanager
    def _descriptor(self, flags: int) -> Iterator[int]:
        fd = open_binary(self.path, flags)
        self._descriptors.add(fd)
        try:
            yield fd
        finally:
            # A child that was forked meanwhile may hold the lock as well, so closing is not enough.
            try:
                unlock(fd)
            finally:
                self._descriptors.discard(fd)
                os.close(fd)

    # Changing.

    def update(
        self,
        change: Callable[[h5py.File], None],
        *,
        timeout: float = math.inf,
        cancelled: Callable[[], bool] | None = None,
        create: bool = False,
        replaces: Callable[[h5py.File], bool] | None = None,
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
        create : bool
            Make the file where there is none.
        replaces : callable, optional
            Called with the open file as it is; True where nothing of it is to be kept, so that
            the change begins with an empty one.

        Returns
        -------
        bool
            False where the wait ended before the file was free; it is unchanged then.
        """
        made = create and self._make()
        end = time.monotonic() + timeout
        done = False
        try:
            for _ in pauses(timeout, cancelled):
                if not self._is_open_here() and not self._updating.locked():
                    left = max(0.0, end - time.monotonic())
                    done = uninterrupted(
                        functools.partial(self._attempt, change, replaces, left, cancelled)
                    )
                if done:
                    break
                self.waits_for_lock = True
            return done
        except OSError as error:
            if error.filename is None and error.errno is not None:
                error.filename = self.path
            raise
        finally:
            self.waits_for_lock = False
            if made and not done and os.path.getsize(self.path) == 0:
                os.unlink(self.path)

    def _make(self) -> bool:
        try:
            os.close(open_binary(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        sync_directory(self.path)
        return True

    def _attempt(
        self,
        change: Callable[[h5py.File], None],
        replaces: Callable[[h5py.File], bool] | None,
        timeout: float,
        cancelled: Callable[[], bool] | None,
        interrupted: Callable[[], bool],
    ) -> bool:
        def is_over() -> bool:
            return interrupted() or (cancelled is not None and cancelled())

        with Holding(self._updating, 0.0) as is_free:
            return is_free and self._apply(change, replaces, pauses(timeout, is_over))

    def _apply(
        self,
        change: Callable[[h5py.File], None],
        replaces: Callable[[h5py.File], bool] | None,
        left: Iterator[float],
    ) -> bool:
        redo = self._redo
        assert redo is not None, "only the owner of a file changes it"
        redo.check()
        if redo.pending:  # an earlier attempt was interrupted when it could not go back any more
            redo.heal()
        with self._descriptor(os.O_RDWR) as fd:
            # Shared: readers may go on, other writers may not.
            if not try_lock(fd, shared=True):
                return False
            prepared = prepare(self.path, change, replaces, fd, redo, self._stage)
            for _ in left:
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
            redo.check()
            try:
                prepared.apply(fd, redo.check)
            except OSError:
                if prepared.old_size == 0:
                    os.ftruncate(fd, 0)
                    redo.clear()
                raise
            redo.clear()
            return True

    # Reading.

    @contextlib.contextmanager
    def reading(self, timeout: float = PATIENCE) -> Iterator[h5py.File]:
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
        # Where the user has it open for writing in this process, it is read through that.
        opened = next((f for f in list(self._opened) if f and f.mode == "r+"), None)
        if opened is not None:
            yield opened
            return
        for waited in pauses(timeout):
            if is_written_through_h5py(self.path):
                with open_as_others_do(self.path, "r") as file, naming(self.path):
                    yield file
                return
            with self._descriptor(os.O_RDONLY) as fd:
                if try_lock(fd, shared=True):
                    if not self._is_interrupted():
                        # Not by its name: the user may have it open with other flags for locking.
                        captured = CapturedFile(fd, self.path)
                        change = None if self._redo else change_to_see(self.path, fd)
                        if change is not None:
                            captured.show(change.runs, change.new_size)
                        try:
                            file = h5py.File(captured, "r")
                        except OSError as error:
                            raise_cause(self.path, error, captured.take_error())
                        with file, naming(self.path):
                            yield file
                        return
                    unlock(fd)
                    self._settle()
        raise locked(self.path, waited)

    def _is_interrupted(self) -> bool:
        """Whether this process began a change, and is not at it any more."""
        redo = self._redo
        return redo is not None and redo.pending and not self._updating.locked()

    def _settle(self) -> None:
        """Finish a change that was begun."""
        try:
            with self._lock:
                self._take(timeout=1.0)
            try:
                with self._updating:
                    if self._redo is not None and self._redo.pending:
                        self._redo.heal()
            finally:
                self.release()
        except BlockingIOError:
            pass  # someone else does it, or is in the way: the caller waits
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise PermissionError(
                error.errno,
                f"a process died while it changed {self.path!r}, and the change has to be finished "
                "before other programs can read the file; open it once where you may write to it "
                "and to its directory",
            ) from error

    def open(self, mode: str, timeout: float = PATIENCE) -> h5py.File:
        """Open the file for the user; it is not changed by us until the user closes it.

        Raises as `reading` does.
        """
        for waited in pauses(timeout):
            if self._is_interrupted() or (self._redo is None and left_behind(self.path)):
                self._settle()
            try:
                file = open_as_others_do(self.path, mode)
            except BlockingIOError:
                continue
            except OSError as error:
                if is_lock_error(error):
                    continue
                raise explained(self.path, error) from error
            self._opened.add(file)
            file._drawstore_file = self  # as long as the user's file is open, so are we known
            return file
        raise locked(self.path, waited)

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
drain.park_around_forks()  # before h5py's lock is taken, for which the thread may wait
