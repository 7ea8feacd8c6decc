"""What a store holds: its runs, what they are made of, who writes them, what waits beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drawstore.backends.clickhouse import ClickHouseBackend
from drawstore.meta import unpack_array
from drawstore.warmup import is_mark, split

from .head import DAMAGED, RunHead, head_of, reason
from .place import IN_HDF5, UNREADABLE, Place
from .writers import Writer, holder_of_file, holder_of_journal

if TYPE_CHECKING:
    from drawstore.interface import Run
    from drawstore.meta import Variable

__all__ = [
    "Beside",
    "ChainReport",
    "DataReport",
    "PlaceReport",
    "RunReport",
    "VariableReport",
    "report_run",
    "show",
]


@dataclass(frozen=True)
class VariableReport:
    """A variable, a sampler stat, or data.

    Attributes
    ----------
    name, dtype : str
    shape : tuple of int or None
        Of one draw; -1 for a length that changes from draw to draw, None where even the number of
        dimensions does.
    dims : tuple of str
        Their names, where they have some.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    dims: tuple[str, ...]


@dataclass(frozen=True)
class DataReport(VariableReport):
    """Data of the model.

    Attributes
    ----------
    is_observed : bool
    """

    is_observed: bool


@dataclass(frozen=True)
class ChainReport:
    """A chain of a run, or the steps of an ensemble.

    Attributes
    ----------
    number : int
    draws : int
    warmup : int or None
        How many of them are warm-up; None where that cannot be read.
    state : str
        As for `RunHead`.
    writer : Writer or None
        Who writes it, or was the last to.
    """

    number: int
    draws: int
    warmup: int | None
    state: str
    writer: Writer | None


@dataclass(frozen=True)
class RunReport(RunHead):
    """A run, with all but its draws.

    Attributes
    ----------
    rate : float or None
        Draws, or steps, a second, of all chains together: on average from when it was made to when
        it was last written.
    chains : list of ChainReport
    variables, sample_stats : list of VariableReport
    data : list of DataReport
    coords : dict of str to int
        The dimensions that have labels, and their lengths.
    attributes : dict of str to object
    groups : list of str
        What was added after sampling.
    waiting : int
        Draws, or steps, that wait in journals of processes that died.
    """

    rate: float | None = None
    chains: list[ChainReport] = field(default_factory=list)
    variables: list[VariableReport] = field(default_factory=list)
    sample_stats: list[VariableReport] = field(default_factory=list)
    data: list[DataReport] = field(default_factory=list)
    coords: dict[str, int] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    waiting: int = 0


@dataclass(frozen=True)
class Beside:
    """A file that belongs to a store, or looks so.

    Attributes
    ----------
    path : str
    size : int
        Bytes.
    what : str
        In words.
    is_trouble : bool
        Whether a process left it behind that died, or it was set aside.
    """

    path: str
    size: int
    what: str
    is_trouble: bool


@dataclass(frozen=True)
class PlaceReport:
    """A store.

    Attributes
    ----------
    where : str
        Without the password.
    kind : str
        As `Place.kind`.
    writer : Writer or None
        Who writes to an HDF5 file, or died while it did.
    beside : list of Beside
    runs : list of RunReport
    """

    where: str
    kind: str
    writer: Writer | None
    beside: list[Beside]
    runs: list[RunReport]


def show(where: str | os.PathLike[str], rid: str | None = None) -> PlaceReport:
    """Say what is kept at a place; nothing is changed.

    Parameters
    ----------
    where : path-like
        As `drawstore.open` takes it.
    rid : str, optional
        The only run to be told of.

    Raises
    ------
    KeyError
        Where there is no such run.
    FileNotFoundError, ValueError
        As `drawstore.open` does.
    """
    place = Place.at(where)
    return PlaceReport(
        place.path,
        place.kind,
        holder_of_file(place.path) if place.kind in IN_HDF5 else None,
        list(_beside(place)),
        [report_run(place, *found) for found in place.chosen(rid)],
    )


def report_run(place: Place, rid: str, open_run: Callable[[], Run]) -> RunReport:
    """Say what a run is; one that cannot be read is reported as damaged."""
    try:
        return _report(place, open_run())
    except UNREADABLE as error:
        return RunReport(rid, DAMAGED, reason(error))


def _report(place: Place, run: Run) -> RunReport:
    meta = run.meta
    head, marks = head_of(place, run)
    warmup = _warmup(run) if head.layout == "chains" else {0: 0}
    made, written = head.made_at, head.written_at
    seconds = (written - made).total_seconds() if made and written else 0.0
    return RunReport(
        **vars(head),
        rate=sum(head.draws.values()) / seconds if seconds > 0 else None,
        chains=[
            ChainReport(
                number,
                draws,
                warmup.get(number),
                marks.chains.get(number, marks.state),
                marks.writers.get(number),
            )
            for number, draws in head.draws.items()
        ],
        variables=[_variable(variable) for variable in meta.variables],
        sample_stats=[_variable(stat) for stat in meta.sample_stats],
        data=[
            DataReport(d.name, d.value.dtype, tuple(d.value.shape), tuple(d.dims), d.is_observed)
            for d in meta.data
        ],
        coords={coord.name: len(unpack_array(coord.values)) for coord in meta.coordinates},
        attributes=run.attributes,
        groups=sorted(run._load_groups()),
        waiting=marks.waiting,
    )


def _variable(variable: Variable) -> VariableReport:
    shape = None if variable.undefined_ndim else tuple(variable.shape)
    return VariableReport(variable.name, variable.dtype, shape, tuple(variable.dims))


def _warmup(run: Run) -> dict[int, int]:
    """Count the draws of each chain that are warm-up, where their marks can be read."""
    found = {}
    marks = [name for name in run.sample_stats if is_mark(name)]
    for chain in run.get_chains():
        try:
            _, (warmup,) = split([chain], marks)
        except UNREADABLE:
            continue
        found[chain.chain_number] = len(warmup)
    return found


def _beside(place: Place) -> Iterator[Beside]:
    if isinstance(place.backend, ClickHouseBackend):
        for path in place.backend.spool.all():
            holder = holder_of_journal(path)
            is_written = holder is not None and holder.holds
            what = "a journal on this machine, "
            what += "being written" if is_written else "left by a process that died"
            yield Beside(path, os.path.getsize(path), what, not is_written)
    elif place.kind in IN_HDF5:
        folder, name = os.path.split(place.path)
        holder = holder_of_file(place.path)
        for other in sorted(os.listdir(folder or ".")):
            if other.startswith(name + "-"):
                path = os.path.join(folder, other)
                what, is_trouble = _what(other[len(name) + 1 :], bool(holder and holder.holds))
                yield Beside(path, os.path.getsize(path), what, is_trouble)
        yield from _elsewhere(place.path)


def _elsewhere(path: str) -> Iterator[Beside]:
    from drawstore.hdf5.elsewhere import noted

    for each in noted(path):
        if not each.is_there:
            what = (
                f"a journal on host {each.host!r}, in which draws may wait: it cannot be reached "
                "from here"
            )
            yield Beside(each.journal, 0, what, True)
            continue
        holder = holder_of_journal(each.journal)
        what, is_trouble = _what("journal", bool(holder and holder.holds))
        yield Beside(each.journal, os.path.getsize(each.journal), what, is_trouble)


def _what(suffix: str, is_held: bool) -> tuple[str, bool]:
    """Say what a file beside an HDF5 file is, and whether it is there because of trouble."""
    left = "" if is_held else ", left by a process that died"
    if "set-aside" in suffix:
        what = "set aside, because it does not belong to this file as it is; nothing reads it"
        return what, True
    if suffix.startswith(("journal-lock", "redo-lock")):
        return "says who holds it, because the file system has no locks", False
    if suffix == "journal":
        return f"the journal: draws on their way into the file{left}", not is_held
    if suffix == "journal-at":
        return "says where its journal is", False
    if suffix == "redo":
        return f"held by who writes to the file{left}", not is_held
    return "not ours", False
