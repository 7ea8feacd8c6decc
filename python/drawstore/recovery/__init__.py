"""What `drawstore recover` does."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from drawstore.backends.clickhouse import ClickHouseBackend
from drawstore.backends.core import FileBackend
from drawstore.clickhouse.address import is_url
from drawstore.hdf5.elsewhere import warn_of_lost
from drawstore.hdf5.healing import explain
from drawstore.hdf5.journal import journals_of
from drawstore.hdf5.redo import left_behind
from drawstore.hdf5.store_file import store_file
from drawstore.progress import Progress, told_by_run
from drawstore.reports.place import IN_HDF5, Place

from .salvage import Salvaged, salvage

__all__ = ["Recovery", "recover"]


@dataclass(frozen=True)
class Recovery:
    """What `recover` did and found.

    Attributes
    ----------
    said : list of str
        What was put right, or would be.
    found : Salvaged or None
        None where nobody can read the store before that is done.
    """

    said: list[str]
    found: Salvaged | None


def recover(
    path: str,
    *,
    dry_run: bool = False,
    to: str | os.PathLike[str] | None = None,
    journal: str | os.PathLike[str] | None = None,
    progress: bool | Progress = False,
) -> Recovery:
    """Put a store right, and read all of it.

    Parameters
    ----------
    path : str
        A directory, an HDF5 file, or the URL of a database.
    dry_run : bool
        Say what would be done, and change nothing.
    to : path-like, optional
        A new directory, for a copy of what is intact.
    journal : path-like, optional
        Of an HDF5 file, where it is not beside it, nor noted there; of a database, the directory of
        journals.
    progress : bool or callable
        True shows a bar for each run, by ``tqdm.auto``; else see `Progress`.

    Returns
    -------
    Recovery

    Raises
    ------
    FileExistsError
        Where there is something at ``to``.
    FileNotFoundError, ValueError
        As `drawstore.open` does.
    """
    if to is not None and os.path.exists(to):
        raise FileExistsError(f"{os.fspath(to)!r} is there already; name a new directory")
    said: list[str] = []
    if is_url(path):
        said += _deliver(path, journal or True, dry_run)
    elif not os.path.isdir(path):
        if dry_run and left_behind(path):
            what = "a process died while it changed the file; the change would be finished"
            return Recovery([what], None)
        if Place.at(path).kind in IN_HDF5:  # or says what is there instead
            said += _heal(path, journal, dry_run)
    target = None if to is None or dry_run else FileBackend(to)
    with told_by_run(progress) as tell:
        return Recovery(said, salvage(Place.at(path).runs(), target, tell))


def _heal(path: str, journal: str | os.PathLike[str] | None, dry_run: bool) -> list[str]:
    file = store_file(path)
    if dry_run:
        with _heard() as said:
            for found in journals_of(path, journal or True):
                said += explain(file, found)
            warn_of_lost(path)
        return said
    with _heard() as said:
        file.acquire(journal=None if journal is None else os.path.realpath(journal))
        file.release()
    return said


def _deliver(url: str, journal: bool | str | os.PathLike[str], dry_run: bool) -> list[str]:
    spool = ClickHouseBackend(url, mode="r", journal=journal).spool
    if dry_run:
        return [line for path in spool.all() for line in spool.explain(path)]
    with _heard() as said:
        for path in spool.all():
            try:
                spool.heal(path)
            except BlockingIOError as error:
                said.append(str(error.strerror))
    return said


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what the package logs and warns of."""
    said: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.getLogger("drawstore")
    collector = Collector()
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said.extend(str(warning.message) for warning in caught)
    finally:
        logger.setLevel(level)
        logger.removeHandler(collector)
