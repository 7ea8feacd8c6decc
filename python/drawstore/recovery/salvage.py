"""Out of a damaged store, what is intact; and the names of what is not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drawstore.interface import Backend, Chain, Run

__all__ = ["Damage", "Salvaged", "damaged_rows", "salvage", "stretches"]

_PIECE = 4096  # rows that are read at once
_DAMAGED = (OSError, RuntimeError, ValueError, KeyError)  # what reading damaged draws raises

_Reader = Callable[[slice], object]


@dataclass(frozen=True)
class Damage:
    """Something that could not be read.

    Attributes
    ----------
    where : str
        The run, the chain, and where there are any the rows.
    what : str
        Why.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Salvaged:
    """What was found in a store.

    Attributes
    ----------
    draws : dict of tuple of (str, int) to int
        Intact draws of each run and chain.
    damages : list of Damage
    """

    draws: dict[tuple[str, int], int] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)


def salvage(runs: Iterator[tuple[str, Callable[[], Run]]], target: Backend | None) -> Salvaged:
    """Read everything, and copy what is intact.

    Parameters
    ----------
    runs : iterator of (str, callable)
        Names of the runs, and what opens each.
    target : Backend, optional
        Where intact draws go, as runs of the same ids. A draw of which any value is damaged is left
        out, so that those behind it move up.

    Returns
    -------
    Salvaged
    """
    found = Salvaged()
    for name, open_run in runs:
        try:
            run = open_run()
            chains = run.get_chains()
            copy = None if target is None else target.init_run(run.meta)
        except _DAMAGED as error:
            found.damages.append(Damage(f"run {name!r}", str(error)))
            continue
        for chain in chains:
            _salvage_chain(_Columns(run, chain), copy, found)
        _salvage_groups(run, copy, found)
    return found


class _Columns:
    """A chain as its columns.

    Parameters
    ----------
    run : Run
    chain : Chain
    """

    def __init__(self, run: Run, chain: Chain) -> None:
        self.chain = chain
        self.draws = list(run.variables)
        self.stats = list(run.sample_stats)

    def readers(self) -> Iterator[tuple[str, _Reader]]:
        for name in self.draws:
            yield name, partial(self.chain.get_draws, name)
        for name in self.stats:
            yield name, partial(self.chain.get_stats, name)

    def copy(self, into: Chain, start: int, stop: int) -> None:
        for first in range(start, stop, _PIECE):
            rows = slice(first, min(stop, first + _PIECE))
            into.extend(
                {name: self.chain.get_draws(name, rows) for name in self.draws},
                {name: self.chain.get_stats(name, rows) for name in self.stats} or None,
            )


def _salvage_chain(columns: _Columns, copy: Run | None, found: Salvaged) -> None:
    chain = columns.chain
    where = f"run {chain.rid!r}, chain {chain.chain_number}"
    try:
        n = len(chain)
    except _DAMAGED as error:
        found.damages.append(Damage(where, str(error)))
        return
    intact = np.ones(n, dtype=bool)
    for name, read in columns.readers():
        for rows, why in damaged_rows(read, n):
            intact[rows.start : rows.stop] = False
            found.damages.append(
                Damage(f"{where}, {name!r}, draws {rows.start} to {rows.stop - 1}", why)
            )
    found.draws[chain.rid, chain.chain_number] = int(intact.sum())
    if copy is not None:
        with copy.init_chain(chain.chain_number) as into:
            for start, stop in stretches(intact):
                columns.copy(into, start, stop)


def _salvage_groups(run: Run, copy: Run | None, found: Salvaged) -> None:
    try:
        groups = run._load_groups()
    except _DAMAGED as error:
        found.damages.append(Damage(f"run {run.rid!r}, its groups", str(error)))
        return
    if copy is not None:
        for name, group in groups.items():
            copy._save_group(name, group)


def damaged_rows(read: _Reader, n: int) -> Iterator[tuple[range, str]]:
    """Find the rows that cannot be read, stretch by stretch.

    Parameters
    ----------
    read : callable
        Reads the rows of a slice; raises where any is damaged.
    n : int
        Rows there are.

    Yields
    ------
    rows : range
        Damage within 4096 rows is taken for one stretch.
    why : str
    """

    def fails(start: int, stop: int) -> str:
        try:
            read(slice(start, stop))
        except _DAMAGED as error:
            return str(error) or type(error).__name__
        return ""

    for start in range(0, n, _PIECE):
        stop = min(n, start + _PIECE)
        if why := fails(start, stop):
            first = bisect_left(
                range(start + 1, stop), True, key=lambda end: bool(fails(start, end))
            )
            first += start
            last = bisect_left(range(first + 1, stop), True, key=lambda row: not fails(row, stop))
            yield range(first, first + 1 + last), why


def stretches(intact: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Find where rows that are marked begin and end, stretch by stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], intact, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
