"""An HDF5 backend on a file that goes when it is no longer needed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from types import TracebackType
from typing import Any

from numpy.typing import DTypeLike

from drawstore.hdf5.journal import journal_path
from drawstore.hdf5.redo import redo_path

from .hdf import HDFBackend

__all__ = ["TempHDFBackend"]


class TempHDFBackend:
    """A context manager that gives an `HDFBackend` on a temporary file, and removes the file.

    Parameters
    ----------
    dtype, compression, compression_opts
        Of `HDFBackend`.
    """

    def __init__(
        self, dtype: DTypeLike | None = None, compression: Any = None, compression_opts: Any = None
    ) -> None:
        self.dtype = dtype
        self.filename: str | None = None
        self.compression = compression
        self.compression_opts = compression_opts

    def __enter__(self) -> HDFBackend:
        fd, self.filename = tempfile.mkstemp(prefix="drawstore-", suffix=".h5")
        os.close(fd)
        self._backend = HDFBackend(
            self.filename,
            "test",
            dtype=self.dtype,
            compression=self.compression,
            compression_opts=self.compression_opts,
        )
        return self._backend

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._backend.close()
        assert self.filename is not None
        for path in (self.filename, redo_path(self.filename), journal_path(self.filename)):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
