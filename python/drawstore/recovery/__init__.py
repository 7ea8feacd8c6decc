"""What `drawstore show` and `drawstore recover` do."""

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
from drawstore.hdf5.healing import explain
from drawstore.hdf5.journal import journal_path
from drawstore.hdf5.redo import left_behind
from drawstore.hdf5.store_file import store_file
from drawstore.opening import open as open_store

from .salvage import salvage
from .show import runs_at

__all__ = ["Line", "recover"]


@dataclass(frozen=True)
class Line:
    """Something to be said about a store.

    Attributes
    ----------
    text : str
    is_damage : bool
    """

    text: str
    is_damage: bool = False

    def __str__(self) -> str:
        return self.text


def recover(
    path: str,
    *,
    dry_run: bool = False,
    to: str | os.PathLike[str] | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> Iterator[Line]:
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
        Of an HDF5 file, where it is not beside it; of a database, the directory of journals.

    Yields
    ------
    Line
    """
    if to is not None and os.path.exists(to):
        raise FileExistsError(f"{os.fspath(to)!r} is there already; name a new directory")
    if is_url(path):
        yield from _deliver(path, journal or True, dry_run)
    elif not os.path.isdir(path):
        if dry_run and left_behind(path):
            yield Line("a process died while it changed the file; the change would be finished")
            return  # until then nobody can read it
        open_store(path)  # or says what is there instead
        yield from _heal(path, journal_path(path, journal or True), dry_run)
    target = None if to is None or dry_run else FileBackend(to)
    found = salvage(runs_at(path), target)
    for (rid, number), draws in found.draws.items():
        yield Line(f"run {rid!r}, chain {number}: {draws:,} draws are intact")
    for damage in found.damages:
        yield Line(f"damaged: {damage}", is_damage=True)
    if to is not None and not dry_run:
        yield Line(f"what is intact was copied to {os.fspath(to)!r}")


def _heal(path: str, journal: str, dry_run: bool) -> Iterator[Line]:
    file = store_file(path)
    if dry_run:
        yield from map(Line, explain(file, journal))
        return
    with _heard() as said:
        file.acquire(journal=journal)
        file.release()
    yield from map(Line, said)


def _deliver(url: str, journal: bool | str | os.PathLike[str], dry_run: bool) -> Iterator[Line]:
    spool = ClickHouseBackend(url, mode="r", journal=journal).spool
    for path in spool.all():
        if dry_run:
            yield from map(Line, spool.explain(path))
            continue
        with _heard() as said:
            try:
                spool.heal(path)
            except BlockingIOError as error:
                said.append(str(error.strerror))
        yield from map(Line, said)


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
