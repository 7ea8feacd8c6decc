"""HDF5 files of runs, written anew without what they do not need."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import h5py

from .clickhouse.address import is_url
from .convert.placing import placed
from .fileio import must_be_free
from .hdf5.contents import address, check_contents, copy_contents
from .hdf5.emcee_groups import emcee_groups
from .hdf5.journal import journals_of
from .hdf5.output import new_file
from .hdf5.redo import redo_path
from .hdf5.runs import ROOT, runs_in
from .hdf5.still import StillFile
from .hdf5.store_file import store_file
from .opening import open as open_store

if TYPE_CHECKING:
    from .hdf5.contents import Filters, KeptRows

__all__ = ["Repacked", "RepackedRows", "kept_rows", "repack", "require_runs"]


@dataclass(frozen=True)
class RepackedRows:
    """A dataset of steps or draws that was laid out anew.

    Attributes
    ----------
    name : str
        Its path.
    rows, padding : int
        That were kept, and that were announced and never sampled.
    bytes_before, bytes_after : int
        Of its chunks.
    """

    name: str
    rows: int
    padding: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class Repacked:
    """What `repack` did.

    Attributes
    ----------
    file, to : str
        Of what, and into which file: the same where it was done in place.
    bytes_before, bytes_after : int
        Of the files.
    datasets : list of RepackedRows
    """

    file: str
    to: str
    bytes_before: int
    bytes_after: int
    datasets: list[RepackedRows]


def repack(
    path: str | os.PathLike[str],
    to: str | os.PathLike[str] | None = None,
    *,
    compression: Literal["gzip", "lzf", "none"] = "gzip",
) -> Repacked:
    """Write an HDF5 file of runs anew, compactly.

    emcee writes compressed chunks anew with each step, and HDF5 forgets the space of the old ones;
    it also keeps room for steps that were announced and never sampled. All values are kept to the
    bit, and everything else that is in the file. emcee and drawstore go on with the runs in it.
    Nobody sees a half of it: it is made beside the file, read back, compared with it, and put in
    its place in the end.

    Parameters
    ----------
    path : path-like
        A file of emcee, of `drawstore.emcee.HDFBackend`, or of `drawstore.HDF5Backend`. What a
        process that died has left beside it is put into it first.
    to : path-like, optional
        A new file; by default it takes the place, the mode, the owner (where that is allowed) and
        the times of the old one.
    compression : {"gzip", "lzf", "none"}
        Of steps and draws, besides a checksum of each chunk. What is in the file besides runs keeps
        its own.

    Returns
    -------
    Repacked

    Raises
    ------
    BlockingIOError
        Where another program writes the file, or has it open.
    FileExistsError, FileNotFoundError
    ValueError
        Where it is not an HDF5 file with runs, or has something in it that cannot be copied.
    OSError
        Where there is no room for the new file, or the old one is damaged.

    Examples
    --------
    >>> import emcee, numpy as np
    >>> theirs = emcee.backends.HDFBackend("theirs.h5", compression="gzip")
    >>> sampler = emcee.EnsembleSampler(8, 2, lambda x: -x @ x, backend=theirs)
    >>> state = sampler.run_mcmc(np.random.rand(8, 2), 20)
    >>> from drawstore.repacking import repack
    >>> done = repack("theirs.h5")
    >>> done.bytes_after < done.bytes_before
    True
    """
    source = _hdf5_file(os.fspath(path))
    target = source if to is None else os.path.abspath(os.fspath(to))
    if to is not None:
        must_be_free(target)
    elif not os.access(source, os.W_OK):
        raise PermissionError(f"{source!r} may not be written; repack it to a new file")
    elif os.stat(source).st_nlink > 1:
        raise ValueError(
            f"{source!r} has other names (hard links), which would keep the old file; "
            "repack it to a new file"
        )
    # The moment in which nobody else may write begins before the file takes its place, and ends
    # behind it.
    with (
        _left_alone(source, in_place=to is None),
        contextlib.closing(StillFile(source)) as still,
        contextlib.ExitStack() as moment,
        placed(target) as unfinished,
    ):
        try:
            datasets = _rewrite(still, unfinished, compression)
        except (OSError, RuntimeError, ValueError, KeyError):
            still.check()  # this explains everything
            raise
        if to is None:
            _keep_owner(source, unfinished)
            moment.enter_context(still.held())
        else:
            must_be_free(target)
        still.check()
    return Repacked(source, target, still.stat.st_size, os.path.getsize(target), datasets)


def kept_rows(file: h5py.File) -> KeptRows:
    """Find the datasets of steps and draws, and how many rows of each are kept.

    Parameters
    ----------
    file : h5py.File

    Returns
    -------
    callable
        As `copy_contents` takes it.

    Raises
    ------
    ValueError
        Where a run of emcee is said to have more steps than there are.
    """
    kept: dict[tuple[int, int], int] = {}

    def keep(dataset: object, steps: int | None = None) -> None:
        if not isinstance(dataset, h5py.Dataset) or not dataset.chunks:
            return
        if dataset.maxshape[:1] != (None,):
            return
        rows = len(dataset) if steps is None else steps
        if not 0 <= rows <= len(dataset):
            raise ValueError(
                f"{dataset.name!r} has {len(dataset)} rows, and is said to have {rows} steps: it "
                "is damaged; `drawstore rescue` saves what there is"
            )
        kept[address(dataset)] = rows

    for _, group in emcee_groups(file, ROOT):
        for name in ("chain", "log_prob", "blobs"):
            keep(group.get(name), int(group.attrs["iteration"]))
    root = runs_in(file)
    if root is not None:
        root.visititems(lambda name, item: keep(item) if "/chains/" in name else None)
    return lambda dataset: kept.get(address(dataset))


def _rewrite(still: StillFile, path: str, filters: Filters) -> list[RepackedRows]:
    with still.reading() as source:
        require_runs(source, still.path)
        rows = kept_rows(source)
        with new_file(path, source) as target:
            copy_contents(source, target, rows, filters)
        with open(path, "rb") as opened, h5py.File(opened, "r") as target:
            check_contents(source, target, rows)
            return list(_compared(source, target, rows))


def _compared(source: h5py.File, target: h5py.File, kept: KeptRows) -> Iterator[RepackedRows]:
    found: list[h5py.Dataset] = []
    source.visititems(
        lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None
    )
    for old in found:
        rows = kept(old)
        if rows is not None:
            size = target[old.name].id.get_storage_size()
            padding = len(old) - rows
            yield RepackedRows(old.name, rows, padding, old.id.get_storage_size(), size)


def _hdf5_file(path: str) -> str:
    """Find the file of a path, or say what is there instead."""
    if is_url(path) or os.path.isdir(path):
        raise ValueError(
            f"{path!r} is not a file: only HDF5 files are repacked. The files of a FileBackend "
            "hold draws and nothing else, and a database merges its parts by itself"
        )
    if not h5py.is_hdf5(path):
        open_store(path)  # says what is there instead
    return os.path.realpath(path)


def require_runs(file: h5py.File, path: str) -> None:
    """Check that there are runs in an open file, ours or emcee's.

    Parameters
    ----------
    file : h5py.File
    path : str
        Of the file, for the message.

    Raises
    ------
    ValueError
        Where there are none; it says what is there instead.
    """
    if runs_in(file) is None and next(emcee_groups(file, ROOT), None) is None:
        open_store(path)  # says what is there instead


@contextlib.contextmanager
def _left_alone(path: str, in_place: bool) -> Iterator[None]:
    """Keep other writers of ours away, after what dead ones have left was put into the file."""
    if not in_place and not journals_of(path) and not os.path.exists(redo_path(path)):
        yield
        return
    with store_file(path).owned():
        yield


def _keep_owner(old: str, new: str) -> None:
    stat = os.stat(old)
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):
            os.chown(new, stat.st_uid, stat.st_gid)
    shutil.copystat(old, new)
