"""The runs that this process is writing to HDF5 files, by file and group."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import h5py
from numpy.typing import NDArray

from drawstore import drain
from drawstore.ensemble.blobs import layout_of
from drawstore.hdf5.binding import Binding
from drawstore.hdf5.emcee_layout import (
    Stored,
    accepted_in,
    declare_blobs,
    emcee_group,
    fit_blobs,
    random_state_in,
)
from drawstore.hdf5.errors import locked
from drawstore.hdf5.store_file import PATIENCE, StoreFile, store_file

from .begun import Begun
from .options import Options
from .writer import Run

__all__ = ["find_run", "start_run"]

_runs: dict[tuple[str, str], Run] = {}
_runs_lock = threading.RLock()


def find_run(path: str, name: str) -> Run | None:
    """Find the run that this process is writing to a group of a file, if there is one."""
    return _runs.get((path, name))


def start_run(path: str, name: str, blobs: NDArray[Any] | None, options: Options) -> Run:
    """Become the writer of a run whose next steps have such blobs, or find that this process is.

    Raises
    ------
    BlockingIOError
        Where another process is, or has the file open for longer than some seconds.
    ValueError, TypeError
        Where the run has other blobs, or where no file can hold them.
    """
    with _runs_lock:
        file = store_file(path)
        run = _runs.get((file.path, name))
        if run is not None and not run.is_over():
            try:
                if fit_blobs(run.blobs, run.iteration, blobs):
                    return run
            except BaseException:
                run.finish_if_complete()
                raise
            run.discard()  # nothing was saved yet
        file.acquire(journal=options.journal.path)
        try:
            run = Run(file, name, _begin(file, name, blobs, options), options, _forget)
        except BaseException:
            file.release()
            raise
        _runs[file.path, name] = run
        drain.register(run)  # it holds the file, steps or not, until it is finished
        return run


def _begin(file: StoreFile, name: str, blobs: NDArray[Any] | None, options: Options) -> Begun:
    """Have the group say which steps will come, before any does; gives what it says."""

    def look(opened: h5py.File) -> tuple[Begun, bool]:
        group = emcee_group(opened, name, file.path)
        begun = Begun(
            Stored.of(group), accepted_in(group), random_state_in(group), Binding.of(group)
        )
        return begun, fit_blobs(begun.stored.blobs, begun.stored.iteration, blobs)

    with file.reading() as opened:
        begun, fits = look(opened)

    def begin(opened: h5py.File) -> None:
        nonlocal begun
        group = emcee_group(opened, name, file.path)
        begun, fits = look(opened)
        if not fits:
            layout = None if blobs is None else layout_of(blobs)
            declare_blobs(group, layout, options.compression, options.compression_opts)
            begun = replace(begun, stored=Stored.of(group))
        begun = replace(begun, binding=Binding.begin(group, begun.stored.iteration))

    # Other programs may have a file open that needs no change.
    binding = begun.binding
    is_ready = fits and binding is not None and binding.rows == begun.stored.iteration
    if not is_ready and not file.update(begin, timeout=PATIENCE):
        raise locked(file.path, PATIENCE)
    return begun


def _forget(run: Run) -> None:
    with _runs_lock:
        key = (run.file.path, run.name)
        if _runs.get(key) is run:
            del _runs[key]


def _forget_in_child() -> None:
    global _runs_lock
    for run in _runs.values():
        run.finished = True
    _runs.clear()
    _runs_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
