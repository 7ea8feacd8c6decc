"""What can be read of a broken HDF5 file of emcee, saved to a new one.

What damage cannot be seen: emcee's files have no checksums of their own. Where its datasets are
compressed, gzip has one for each chunk; files of `drawstore.emcee.HDFBackend`, and those that
``drawstore repack`` wrote, have one for each chunk besides, and what is damaged in these is never
taken for right. In a chunk that is neither, a byte that changed is a number that changed. HDF5
keeps no checksum either of the attributes, shapes and places of chunks in files of emcee.

What is not looked for: chunks to which nothing in the file leads any more. A file of emcee is full
of chunks that were left behind when they were written anew, and nothing in a chunk says of which
dataset it is, of which steps, or whether it is the last one.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from drawstore._core import is_locked
from drawstore.clickhouse.address import is_url
from drawstore.convert.placing import placed
from drawstore.fileio import must_be_free
from drawstore.hdf5.journal import journals_of
from drawstore.hdf5.output import new_file
from drawstore.hdf5.redo import redo_path
from drawstore.hdf5.runs import ROOT

from .reader import BrokenFile, Reader, open_broken
from .report import Lost, Rescued, RescuedDataset, RescuedRun, Stretch
from .steps import BrokenRun
from .writing import write_run

__all__ = ["Lost", "Rescued", "RescuedDataset", "RescuedRun", "Stretch", "rescue", "rescue_with"]


def rescue(
    path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    fill: bool = False,
    timeout: float = 60.0,
) -> Rescued:
    """Save what can be read of a broken HDF5 file of emcee.

    The file is not changed. It is read by another process, chunk by chunk, so that a damaged chunk
    loses itself alone, and that what HDF5 makes of it ends nothing else. Where its superblock is
    damaged, says that a program still writes it, or gives it another length than it has, it is read
    with a right one.

    Of each run the steps are kept of which everything can be read. Where some in the middle cannot,
    those behind them become a run of their own: ``mcmc_from_1200`` begins with step 1200, which
    its attribute ``first_step`` says, too. A run that ends with the last step that there was goes
    on bit for bit; others lack the state of the random numbers, and their accepted proposals are
    those that can be counted in the chain. A dataset of which nothing can be read is NaN. Where
    the count of steps is lost, it is that of the last step that is not zero.

    Parameters
    ----------
    path : path-like
        Of the broken file.
    to : path-like
        A new file, in emcee's layout.
    fill : bool
        Keep steps of which only a part can be read, too: numbers that are lost are NaN.
    timeout : float
        Seconds that HDF5 may take for one request, of at most some MiB.

    Returns
    -------
    Rescued

    Raises
    ------
    FileExistsError, FileNotFoundError
    ValueError
        For a directory or a database: ``drawstore recover --to`` is for drawstore's own stores.
    BlockingIOError
        Where drawstore is writing the file.
    OSError
        Where nothing can be saved; there is no new file then.

    Examples
    --------
    >>> import emcee, numpy as np
    >>> theirs = emcee.backends.HDFBackend("theirs.h5", compression="gzip")
    >>> sampler = emcee.EnsembleSampler(8, 2, lambda x: -x @ x, backend=theirs)
    >>> state = sampler.run_mcmc(np.random.rand(8, 2), 20)
    >>> with open("theirs.h5", "r+b") as file:  # its beginning is lost
    ...     file.write(bytes(64))
    64
    >>> from drawstore.rescue import rescue
    >>> rescue("theirs.h5", "saved.h5").runs[0].datasets[0].readable
    20
    """
    with Reader(timeout) as reader:
        return rescue_with(reader, path, to, fill=fill)


def rescue_with(
    reader: Reader,
    path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    fill: bool = False,
) -> Rescued:
    """Do what `rescue` does with a process that reads, which may have read others before.

    Parameters
    ----------
    reader : Reader
        The process.
    path, to, fill
        As for `rescue`.

    Returns
    -------
    Rescued

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError, OSError
        As `rescue` does.
    """
    source, target = os.path.realpath(os.fspath(path)), os.path.abspath(os.fspath(to))
    if is_url(os.fspath(path)) or os.path.isdir(source):
        raise ValueError(
            f"{os.fspath(path)!r} is no HDF5 file of emcee; `drawstore recover --to` copies what "
            "is intact out of drawstore's own stores"
        )
    if not os.path.exists(source):
        raise FileNotFoundError(f"there is nothing at {os.fspath(path)!r}")
    must_be_free(target)
    _check_writers(source)
    file = open_broken(reader, source)
    with placed(target) as unfinished:
        report = Rescued(source, target, file.view.what, notes=list(_notes(file, source)))
        with new_file(unfinished) as made:
            for name, found in file.runs.items():
                report.runs.append(write_run(BrokenRun(file, name, found), made, fill))
            if not any(name in made for name in file.runs):
                raise OSError(f"no step in {source!r} can be read whole: {_first_reason(report)}")
    return report


def _check_writers(path: str) -> None:
    with contextlib.suppress(FileNotFoundError), open(redo_path(path), "rb") as redo:
        if is_locked(redo.fileno(), redo_path(path)):
            raise BlockingIOError(
                errno.EWOULDBLOCK, f"{path!r} is being written; `drawstore snapshot` copies it"
            )


def _notes(file: BrokenFile, path: str) -> Iterator[str]:
    if journals_of(path) or os.path.exists(redo_path(path)):
        yield (
            "what a process of drawstore has left beside it is not read; `drawstore recover` puts "
            "it into the file, where that can be read"
        )
    for name in file.others:
        how = "; `drawstore recover --to` copies what is intact" if name == ROOT else ""
        yield f"{name!r} is no run of emcee, and was left out{how}"


def _first_reason(report: Rescued) -> str:
    lost = [lost for run in report.runs for data in run.datasets for lost in data.lost]
    return lost[0].why if lost else "there is none"
