"""An HDF5 file as h5py opens it: for the user, and where this process writes it past us."""

from __future__ import annotations

import os

import h5py
from h5py._objects import phil

from .locks import has_no_locks

__all__ = ["is_written_through_h5py", "open_as_others_do"]


def open_as_others_do(path: str, mode: str) -> h5py.File:
    """Open a file by its name, with whichever flags for locking HDF5 takes."""
    # HDF5 refuses a file that this process has open with other flags for locking, and any where
    # there are no locks, but for those who want none.
    for locking in (None, False, True):
        try:
            return h5py.File(path, mode, locking=locking)
        except OSError as error:
            if "flag values don't match" not in str(error) and not has_no_locks(error):
                raise
    raise AssertionError("one of the flags is that of the other handle")


def is_written_through_h5py(path: str) -> bool:
    """Whether this process itself, past us, has a file open for writing, and locked so."""
    with phil:  # so that no thread closes one of them meanwhile
        return any(
            file.get_intent() == h5py.h5f.ACC_RDWR
            and os.path.realpath(os.fsdecode(file.name)) == path
            and file.get_access_plist().get_driver() != h5py.h5fd.fileobj_driver
            for file in h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
        )
