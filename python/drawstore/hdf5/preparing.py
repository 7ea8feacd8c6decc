"""A change of an HDF5 file, made in memory and written down, before the file is touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import NoReturn

import h5py

from drawstore._core import reserve
from drawstore.fileio import datasync

from .capture import CapturedFile, Stage
from .change import Change
from .errors import explained, naming
from .redo import RedoFile

__all__ = ["prepare", "raise_cause"]

# What HDF5 1.10 and later can read, so that older programs can, too.
_LIBVER = ("v110", "v110")


def prepare(
    path: str,
    change: Callable[[h5py.File], None],
    replaces: Callable[[h5py.File], bool] | None,
    fd: int,
    redo: RedoFile,
    stage: Stage,
) -> Change:
    """Make a change, and write it down in the redo file.

    Parameters
    ----------
    path : str
        Of the file.
    change, replaces : callable
        As `StoreFile.update` takes them.
    fd : int
        The file, open, with a lock that keeps other writers away.
    redo : RedoFile
    stage : Stage
        Memory for the pages.

    Returns
    -------
    Change
        To be applied.
    """
    captured = CapturedFile(fd, path, stage)
    try:
        _run(path, change, replaces, captured)
        redo.check()
        captured.write_behind()
        if captured.size > captured.old_size > 0:
            reserve(fd, [(captured.old_size, captured.size)])
            captured.wrote_behind = True
        if captured.wrote_behind:
            datasync(fd)
        prepared = Change.of(captured, fd)
        if captured.old_size:  # a full disk shows now, not half-way, where there are holes, too
            reserve(fd, [(start, start + len(data)) for start, data in prepared.runs])
        redo.prepare(prepared)
    except BaseException:
        with contextlib.suppress(RuntimeError, OSError):
            redo.check()
        is_ours = not (redo.pending or redo.is_lost)
        if is_ours and os.fstat(fd).st_size > captured.old_size:
            os.ftruncate(fd, captured.old_size)
        raise
    return prepared


def _run(
    path: str,
    change: Callable[[h5py.File], None],
    replaces: Callable[[h5py.File], bool] | None,
    captured: CapturedFile,
) -> None:
    mode = "r+" if captured.old_size else "w"
    try:
        if captured.old_size and replaces is not None:
            with h5py.File(captured, "r") as file:
                afresh = replaces(file)
            if afresh:
                mode = "w"
                captured.truncate(0)
        with h5py.File(captured, mode, libver=_LIBVER) as file:
            try:
                with naming(path):
                    change(file)
            except BaseException:
                captured.abort()
                raise
    except BaseException as error:
        raise_cause(path, error, captured.take_error())
    hidden = captured.take_error()
    if hidden is not None:
        raise hidden


def raise_cause(path: str, error: BaseException, hidden: BaseException | None) -> NoReturn:
    """Raise what h5py says of a captured file, or what it hides, in words that help."""
    cause = error if hidden is None else hidden
    if isinstance(cause, OSError):
        cause = explained(path, cause)
    if cause is error:
        raise error
    raise cause from error
