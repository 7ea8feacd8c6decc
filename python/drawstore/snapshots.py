"""Copies of runs that are being written: closed, compact, and as of one moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._core import is_locked
from .clickhouse.address import is_url
from .convert.blocks import Rows
from .convert.formats import guess_format
from .convert.placing import placed
from .convert.stores import copy_run
from .fileio import must_be_free
from .frozen import FrozenRun
from .opening import open as open_store

if TYPE_CHECKING:
    import h5py

    from .interface import Backend

__all__ = ["Snapshot", "SnapshotRun", "snapshot"]

_FORMATS = ("files", "hdf5")


@dataclass(frozen=True)
class SnapshotRun:
    """A run in a snapshot.

    Attributes
    ----------
    rid : str
    draws : dict of int to int
        Of each chain, by number; of emcee's files, each walker is a chain.
    """

    rid: str
    draws: dict[int, int]


@dataclass(frozen=True)
class Snapshot:
    """What `snapshot` made.

    Attributes
    ----------
    source, to : str
    bytes : int
        Of the copy.
    runs : list of SnapshotRun
    """

    source: str
    to: str
    bytes: int
    runs: list[SnapshotRun]


def snapshot(
    where: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    rid: str | None = None,
    timeout: float = 60.0,
) -> Snapshot:
    """Copy runs as they are now, also while other processes write them.

    The copy holds what was saved when it began, those draws too that wait in the journal of an HDF5
    file. Chains end where they had come to at one moment, but for the microseconds in which their
    lengths are looked up. The copy is closed, and needs no journal. It appears under its name when
    it is whole. A writer of drawstore is not hindered: its draws gather in its journal meanwhile.

    Parameters
    ----------
    where : path-like
        Whatever `drawstore.open` opens.
    to : path-like
        A new directory, for a `FileBackend`, or a new file that ends in ``.h5``. From an HDF5 file
        to another, the layout stays, emcee's own too, and so does what else is in the file; it is
        compressed as by ``drawstore repack``.
    rid : str, optional
        The only run that is wanted.
    timeout : float
        Seconds to wait for a moment in which a program that takes no notice of readers, as emcee
        with its own backend, leaves an HDF5 file alone for as long as it takes to copy it. It is
        not locked out: emcee would end.

    Returns
    -------
    Snapshot

    Warns
    -----
    RuntimeWarning
        Where draws may wait in a journal that cannot be reached from here.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        Where there is nothing, or something else; where there is something at ``to``, or its name
        stands for neither a directory nor an HDF5 file.
    KeyError
        Where there is no run of that id.
    BlockingIOError
        Where there was no such moment.
    OSError
        Where there is no room.

    Examples
    --------
    >>> import drawstore
    >>> from drawstore.snapshots import snapshot
    >>> run = drawstore.FileBackend("runs").init_run(
    ...     drawstore.make_meta({"x": ("float64", ())}, rid="mine")
    ... )
    >>> chain = run.init_chain(0)
    >>> chain.extend({"x": [1, 2, 3]})  # and goes on
    >>> snapshot("runs", "copy.h5").runs
    [SnapshotRun(rid='mine', draws={0: 3})]
    """
    source, target = os.fspath(where), os.path.abspath(os.fspath(to))
    if is_url(os.fspath(to)) or guess_format(target) not in _FORMATS:
        raise ValueError(
            f"{os.fspath(to)!r}: a snapshot is a directory, or a file that ends in .h5; "
            "`drawstore convert` writes other formats"
        )
    must_be_free(target)
    with placed(target) as unfinished:
        form = guess_format(target)
        if not _is_hdf5(source):
            _copy_runs(source, unfinished, rid, form)
        elif form == "hdf5":
            _copy_file(os.path.realpath(source), unfinished, rid, timeout)
        else:
            # All of a file is of one moment; chains that are asked one after the other are not.
            folder, name = os.path.split(unfinished)
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=folder) as folder:
                copy = os.path.join(folder, "copy.h5")
                _copy_file(os.path.realpath(source), copy, rid, timeout)
                _copy_runs(copy, unfinished, rid, form)
    return Snapshot(source, target, _size(target), list(_contents(target)))


def _is_hdf5(source: str) -> bool:
    if is_url(source) or not os.path.isfile(source):
        return False
    import h5py

    return bool(h5py.is_hdf5(source))


def _copy_runs(source: str, path: str, rid: str | None, form: str) -> None:
    with open_store(source) as backend:
        names = [info.rid for info in backend.get_runs()] if rid is None else [rid]
        if not names:
            raise ValueError(f"there are no runs in {source!r}")
        runs = [backend.get_run(name) for name in names]
        # Those of emcee are copied as steps, and for that have to be what they are.
        now = [FrozenRun(run) if run._own_steps() is None else run for run in runs]
        with _new_store(path, form) as store:
            for run in now:
                copy_run(run, store, Rows(0, None))


def _new_store(path: str, form: str) -> Backend:
    if form == "files":
        from .backends.core import FileBackend

        return FileBackend(path)
    from .backends.hdf5 import HDF5Backend

    # Nothing of it counts before it is whole, so there is nothing for a journal to keep.
    return HDF5Backend(path, journal=False, max_buffer=2**26, compression="gzip")


def _copy_file(source: str, path: str, rid: str | None, timeout: float) -> None:
    """Copy an HDF5 file, and what waits for it."""
    from .hdf5.redo import redo_path
    from .hdf5.store_file import store_file

    if _is_held(redo_path(source)):
        # It waits for its readers, and nothing leaves its journal meanwhile.
        with store_file(source).reading() as file:
            _copy_opened(source, file, path, rid)
        return
    end = time.monotonic() + timeout
    while not _copied_while_still(source, path, rid, is_last=time.monotonic() >= end):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _copied_while_still(source: str, path: str, rid: str | None, is_last: bool) -> bool:
    from .hdf5.still import StillFile

    with contextlib.closing(StillFile(source)) as still:
        try:
            with still.reading() as file:
                _copy_opened(source, file, path, rid)
        except (OSError, RuntimeError, ValueError, KeyError):
            if still.is_unchanged:
                raise
        if is_last:
            still.check()
        return still.is_unchanged


def _copy_opened(source: str, file: h5py.File, path: str, rid: str | None) -> None:
    from .hdf5.contents import check_contents, copy_contents
    from .hdf5.output import new_file
    from .repacking import kept_rows, require_runs

    require_runs(file, source)
    rows = kept_rows(file)
    only = "" if rid is None else _group_of(file, rid, source)
    with new_file(path, file) as made:
        copy_contents(file, made, rows, "gzip", only)
    import h5py

    with open(path, "rb") as opened, h5py.File(opened, "r") as made:
        check_contents(file, made, rows, only)
    _deliver(source, path)


def _group_of(file: h5py.File, rid: str, source: str) -> str:
    """Find the group of a run, emcee's or ours."""
    from .hdf5.emcee_groups import emcee_groups
    from .hdf5.runs import ROOT, find_run, no_such_run, stored_runs

    known = [name for name, _ in emcee_groups(file, ROOT)]
    if rid in known:
        return rid
    known += [run.rid for run in stored_runs(file)]
    if rid not in known:
        raise no_such_run(rid, source, known)
    return str(find_run(file, rid, source).name.strip("/"))


def _deliver(source: str, path: str) -> None:
    """Write what waits in the journal of a file to its copy."""
    from ._core import JournalScan
    from .delivery.journals import UnfitError
    from .hdf5.elsewhere import warn_of_lost
    from .hdf5.healing import deliver
    from .hdf5.journal import journals_of
    from .hdf5.store_file import store_file

    warn_of_lost(source)
    scans = []
    for journal in journals_of(source):
        with contextlib.suppress(FileNotFoundError):
            scans.append((JournalScan(journal), os.path.getsize(journal)))
    if not scans:
        return
    copy = store_file(path)
    with copy.owned():
        for scan, size in scans:
            for piece in scan.chains:
                if piece.first < piece.stop:
                    with contextlib.suppress(UnfitError):  # of a run that is not wanted, or is gone
                        deliver(copy, scan, piece, size)


def _is_held(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return is_locked(file.fileno(), path)
    except FileNotFoundError:
        return False


def _size(path: str) -> int:
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(
        os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names
    )


def _contents(path: str) -> Iterator[SnapshotRun]:
    with open_store(path) as backend:
        for info in backend.get_runs():
            run = backend.get_run(info.rid)
            yield SnapshotRun(
                info.rid, {chain.chain_number: len(chain) for chain in run.get_chains()}
            )
