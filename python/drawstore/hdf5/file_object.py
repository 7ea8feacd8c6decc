"""What HDF5 needs of a file object besides reading and writing."""

from __future__ import annotations

import io
import os

__all__ = ["FileObject"]


class FileObject(io.RawIOBase):
    """A file object with a position and a size.

    Parameters
    ----------
    size : int
        Bytes of the file, as HDF5 is told.
    """

    def __init__(self, size: int) -> None:
        self._position = 0
        self.size = size

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position
