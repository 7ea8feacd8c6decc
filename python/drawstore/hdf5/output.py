"""A new HDF5 file on a disk that may fill up."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import h5py
from h5py import h5f, h5p

from drawstore._core import read_into, write_pieces
from drawstore.fileio import datasync

from .file_object import FileObject

__all__ = ["new_file"]

_CACHE_BYTES = 16 * 2**20  # so that a chunk that two blocks share is compressed once


@contextlib.contextmanager
def new_file(path: str, like: h5py.File | None = None) -> Iterator[h5py.File]:
    """Make an HDF5 file, as long as the context lasts.

    Parameters
    ----------
    path : str
        Of a new file. It is durable when the context ends.
    like : h5py.File, optional
        Whose user block, and whose oldest reader, it is to have. By default it is one for every
        HDF5, as emcee makes them: nothing in it marks who died while writing.

    Raises
    ------
    OSError
        Where there is no room, in the system's own words.
    """
    properties = h5p.create(h5p.FILE_CREATE)
    is_old = True
    if like is not None:
        is_old = like.id.get_create_plist().get_version()[0] < 2
        properties.set_userblock(like.userblock_size)
        order = like["/"].id.get_create_plist().get_link_creation_order()
        properties.set_link_creation_order(order)
    with open(path, "x+b", buffering=0) as opened:
        output = _Output(opened.fileno())
        access = h5p.create(h5p.FILE_ACCESS)
        access.set_cache(0, 521, _CACHE_BYTES, 0.75)
        access.set_fclose_degree(h5f.CLOSE_STRONG)
        low = h5f.LIBVER_EARLIEST if is_old else h5f.LIBVER_V110
        access.set_libver_bounds(low, h5f.LIBVER_V110)
        access.set_fileobj_driver(h5py.h5fd.fileobj_driver, output)
        try:
            file = h5py.File(h5f.create(path.encode(), h5f.ACC_TRUNC, properties, access))
            try:
                with file:
                    yield file
            except BaseException:
                output.abort()
                raise
        except Exception as error:
            hidden = output.take_error()
            if hidden is not None:
                raise hidden from error
            raise
        hidden = output.take_error()
        if hidden is not None:
            raise hidden
        if like is not None and like.userblock_size:
            write_pieces(opened.fileno(), [(0, _user_block(like))])
        datasync(opened.fileno())


def _user_block(file: h5py.File) -> bytes:
    with open(file.filename, "rb") as opened:
        return opened.read(file.userblock_size)


class _Output(FileObject):
    """A file of which writes after one that failed are ignored.

    HDF5 cannot close a file that it cannot write, and ends the interpreter with it.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(0)
        self._fd = fd
        self._ignores = False
        self._error: BaseException | None = None

    def abort(self) -> None:
        self._ignores = True

    def take_error(self) -> BaseException | None:
        """Tell why the first write failed that did; forgotten then: see `CapturedFile`."""
        error, self._error = self._error, None
        return error

    def _try(self, write: Callable[[], object]) -> None:
        if not self._ignores:
            try:
                write()
            except BaseException as error:
                self._error = error
                self._ignores = True

    def writable(self) -> bool:
        return True

    def truncate(self, size: int | None = None) -> int:
        self.size = self._position if size is None else size
        self._try(partial(os.ftruncate, self._fd, self.size))
        return self.size

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        done = read_into(self._fd, target, self._position)
        target[done:] = bytes(len(target) - done)
        self._position += len(target)
        return len(target)

    def write(self, buffer: Any) -> int:
        source = memoryview(buffer).cast("B")
        self._try(partial(write_pieces, self._fd, [(self._position, source)]))
        self._position += len(source)
        self.size = max(self.size, self._position)
        return len(source)
