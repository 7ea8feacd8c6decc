"""The runs that this process is writing to HDF5 files, by file and group."""

from __future__ import annotations

import os
import threading
from typing import Any

from drawstore import drain
from drawstore.hdf5.store_file import store_file

from .blobs import BlobLayout
from .layout import Stored, emcee_group
from .writer import Run

__all__ = ["find_run", "start_run"]

_runs: dict[tuple[str, str], Run] = {}
_runs_lock = threading.RLock()


def find_run(path: str, name: str) -> Run | None:
    """Find the run that this process is writing to a group of a file, if there is one."""
    return _runs.get((path, name))


def start_run(
    path: str,
    name: str,
    blobs: BlobLayout | None,
    flush_interval: float,
    compression: Any,
    compression_opts: Any,
) -> Run:
    """Become the writer of a run, or find that this process is.

    Raises
    ------
    BlockingIOError
        Where another process is.
    """
    with _runs_lock:
        file = store_file(path)
        key = (file.path, name)
        run = _runs.get(key)
        if run is not None and not run.finished:
            return run
        file.acquire()
        try:
            with file.reading() as opened:
                stored = Stored.of(emcee_group(opened, name))
            layout = stored.blobs or (blobs if stored.iteration == 0 else None)
            run = Run(
                file, name, stored, layout, flush_interval, compression, compression_opts, _forget
            )
        except BaseException:
            file.release()
            raise
        _runs[key] = run
        drain.register(run)  # it holds the file, steps or not, until it is finished
        return run


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
