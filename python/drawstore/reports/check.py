"""Reading everything, to see whether all of it is as it was written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drawstore._core import JournalScan
from drawstore.backends.clickhouse import ClickHouseBackend
from drawstore.ensemble import steps_of
from drawstore.progress import Progress, told_by_run
from drawstore.recovery.salvage import Damage, damaged_rows, salvage

from .place import IN_HDF5, UNREADABLE, Place

if TYPE_CHECKING:
    from drawstore.interface import Run

__all__ = ["Checked", "Intact", "check"]


@dataclass(frozen=True)
class Intact:
    """Draws that were read.

    Attributes
    ----------
    rid : str
    chain : int
        Its number.
    draws : int
        Those of which every value is intact.
    """

    rid: str
    chain: int
    draws: int


@dataclass(frozen=True)
class Checked:
    """What `check` found.

    Attributes
    ----------
    where : str
        Without the password.
    intact : list of Intact
    damages : list of Damage
    """

    where: str
    intact: list[Intact]
    damages: list[Damage]


def check(
    where: str | os.PathLike[str], rid: str | None = None, progress: bool | Progress = False
) -> Checked:
    """Read every draw, and what else belongs to the runs; nothing is changed.

    Counts are compared with what is there, and every checksum is verified: those of drawstore's
    files and journals, of HDF5's chunks, and of the parts of a server, which verifies them itself.
    A log-probability of an ensemble that is NaN or infinitely large is damage, too: no sampler
    accepts one.

    Parameters
    ----------
    where : path-like
        As `drawstore.open` takes it.
    rid : str, optional
        The only run to read.
    progress : bool or callable
        True shows a bar for each run, by ``tqdm.auto``; else see `Progress`.

    Raises
    ------
    KeyError, FileNotFoundError, ValueError
        As `drawstore.reports.show.show` does.
    """
    place = Place.at(where)
    runs = list(place.chosen(rid))
    with told_by_run(progress) as tell:
        found = salvage(runs, None, tell)
    damages = [*found.damages]
    for name, open_run in runs:
        damages += _of_log_prob(name, open_run)
    damages += _of_journals(place)
    intact = [Intact(*chain, draws) for chain, draws in found.draws.items()]
    return Checked(place.path, intact, damages)


def _of_log_prob(rid: str, open_run: Callable[[], Run]) -> Iterator[Damage]:
    try:
        run = open_run()
        steps = steps_of(run)
        if steps is None:
            return
        count = len(steps)
    except UNREADABLE:
        return  # it is told of already

    def read(rows: slice) -> None:
        try:
            values = steps.read("log_prob", range(rows.start, rows.stop))
        except UNREADABLE:
            return
        if np.any(np.isnan(values) | (values == np.inf)):
            raise ValueError("it is NaN or infinite, which no sampler accepts")

    for rows, why in damaged_rows(read, count):
        yield Damage(rid, why, None, "log_prob", rows.start, rows.stop)


def _of_journals(place: Place) -> Iterator[Damage]:
    if isinstance(place.backend, ClickHouseBackend):
        paths = list(place.backend.spool.all())
    else:
        from drawstore.hdf5.journal import journals_of

        paths = journals_of(place.path) if place.kind in IN_HDF5 else []
    for path in paths:
        scan = JournalScan(path)
        for piece in scan.chains:
            if piece.damaged:
                yield Damage(piece.label, f"in the journal {path!r}: {piece.damaged}")
        if scan.damaged and any(scan.id):
            yield Damage("", f"in the journal {path!r}: {scan.damaged}")
