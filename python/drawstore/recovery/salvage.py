"""Out of a damaged store, what is intact; and the names of what is not."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from drawstore.dtypes import parse_dtype
from drawstore.progress import Progress
from drawstore.reports.head import reason
from drawstore.reports.place import UNREADABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drawstore.ensemble import RunSteps
    from drawstore.interface import Backend, Chain, Run
    from drawstore.meta import Variable

__all__ = ["Damage", "Salvaged", "damaged_rows", "salvage", "stretches"]

_STRETCH = 4096  # rows within which damage is taken for one stretch
_PIECE_BYTES = 16 * 2**20  # that are read at once
_UNKNOWN_BYTES = 4096  # that are taken for the size of a ragged value

_Reader = Callable[[slice], object]


@dataclass(frozen=True)
class Damage:
    """Something that could not be read, or is not as it has to be.

    Attributes
    ----------
    rid : str
        The run.
    what : str
        What is wrong.
    chain : int or None
        Its number; None where it is the whole run, or all walkers of an ensemble.
    name : str
        Of the variable or stat; empty where it is none of them.
    start, stop : int or None
        The first draw, and the one behind the last; None where it is not one of draws.
    """

    rid: str
    what: str
    chain: int | None = None
    name: str = ""
    start: int | None = None
    stop: int | None = None

    @property
    def where(self) -> str:
        """The run, the chain, and where there are any the draws."""
        words = [f"run {self.rid!r}"]
        if self.chain is not None:
            words.append(f"chain {self.chain}")
        if self.name:
            words.append(repr(self.name))
        if self.start is not None and self.stop is not None:
            words.append(f"draws {self.start} to {self.stop - 1}")
        return ", ".join(words)

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


def salvage(
    runs: Iterable[tuple[str, Callable[[], Run]]],
    target: Backend | None = None,
    progress: Progress = lambda *_: None,
) -> Salvaged:
    """Read everything, and copy what is intact.

    Parameters
    ----------
    runs : iterable of (str, callable)
        Names of the runs, and what opens each.
    target : Backend, optional
        Where intact draws go, as runs of the same ids. A draw of which any value is damaged is left
        out, so that those behind it move up.
    progress : callable
        See `Progress`.

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
        except UNREADABLE as error:
            found.damages.append(Damage(name, reason(error)))
            continue
        parts = list(_parts(run, chains, found))
        total = sum(part.n * len(part.columns) for part in parts)
        done = 0
        for part in parts:
            intact = np.ones(part.n, dtype=bool)
            for column in part.columns:
                for rows, why in damaged_rows(column.read, part.n, column.piece):
                    intact[rows.start : rows.stop] = False
                    found.damages.append(
                        Damage(run.rid, why, part.number, column.name, rows.start, rows.stop)
                    )
                done += part.n
                progress(run.rid, done, total)
            for chain in part.chains:
                found.draws[run.rid, chain.chain_number] = int(intact.sum())
                if copy is not None:
                    _copy(run, chain, intact, copy)
        _salvage_groups(run, copy, found)
    return found


@dataclass(frozen=True)
class _Column:
    name: str
    get: Callable[[slice], object]
    row_bytes: int

    @property
    def piece(self) -> int:
        """Rows that are read at once."""
        return max(1, min(16 * _STRETCH, _PIECE_BYTES // max(1, self.row_bytes)))

    def read(self, rows: slice) -> None:
        n = len(cast(Sized, self.get(rows)))
        if n != rows.stop - rows.start:
            raise ValueError(f"only {n} of {rows.stop - rows.start} rows are there")


@dataclass(frozen=True)
class _Part:
    """Chains whose rows lie together: one, or all walkers of an ensemble."""

    number: int | None
    n: int
    columns: list[_Column]
    chains: Sequence[Chain]


def _parts(run: Run, chains: Sequence[Chain], found: Salvaged) -> Iterator[_Part]:
    steps = run._own_steps()
    if steps is not None:
        if chains:
            yield _Part(None, len(steps), _columns_of(run, steps), chains)
        return
    for chain in chains:
        try:
            n = len(chain)
        except UNREADABLE as error:
            found.damages.append(Damage(run.rid, reason(error), chain.chain_number))
            continue
        columns = [
            _Column(name, partial(get, name), _row_bytes(variable))
            for variables, get in (
                (run.variables, chain.get_draws),
                (run.sample_stats, chain.get_stats),
            )
            for name, variable in variables.items()
        ]
        yield _Part(chain.chain_number, n, columns, [chain])


def _columns_of(run: Run, steps: RunSteps) -> list[_Column]:
    """Give the datasets of a run of emcee, each of which holds all walkers."""

    def read(key: str, rows: slice) -> NDArray[Any]:
        return steps.read(key, range(rows.start, rows.stop))

    has_blobs = any(variable.is_deterministic for variable in run.meta.variables)
    columns = []
    for key in ("chain", "log_prob", *(["blobs"] if has_blobs else [])):
        none = steps.read(key, range(0))
        columns.append(_Column(key, partial(read, key), math.prod(none.shape[1:]) * none.itemsize))
    return columns


def _row_bytes(variable: Variable) -> int:
    if variable.dtype == "str" or variable.undefined_ndim or any(n < 0 for n in variable.shape):
        return _UNKNOWN_BYTES
    return math.prod(variable.shape) * parse_dtype(variable.dtype).itemsize


def _copy(run: Run, chain: Chain, intact: NDArray[np.bool_], copy: Run) -> None:
    piece = max(1, _PIECE_BYTES // max(1, sum(map(_row_bytes, run.variables.values()))))
    with copy.init_chain(chain.chain_number) as into:
        for start, stop in stretches(intact):
            for first in range(start, stop, piece):
                rows = slice(first, min(stop, first + piece))
                into.extend(
                    {name: chain.get_draws(name, rows) for name in run.variables},
                    {name: chain.get_stats(name, rows) for name in run.sample_stats} or None,
                )


def _salvage_groups(run: Run, copy: Run | None, found: Salvaged) -> None:
    try:
        groups = run._load_groups()
    except UNREADABLE as error:
        found.damages.append(Damage(run.rid, f"what was added to it: {reason(error)}"))
        return
    if copy is not None:
        for name, group in groups.items():
            copy._save_group(name, group)


def damaged_rows(read: _Reader, n: int, piece: int = _STRETCH) -> Iterator[tuple[range, str]]:
    """Find the rows that cannot be read, stretch by stretch.

    Parameters
    ----------
    read : callable
        Reads the rows of a slice; raises where any is damaged.
    n : int
        Rows there are.
    piece : int
        Rows to be read at once.

    Yields
    ------
    rows : range
        Damage within 4096 rows is taken for one stretch.
    why : str
        Of its first row.
    """

    def fails(start: int, stop: int) -> str:
        try:
            read(slice(start, stop))
        except UNREADABLE as error:
            return reason(error) or type(error).__name__
        return ""

    def pieces() -> Iterator[tuple[range, str]]:
        for begin in range(0, n, piece):
            end = min(n, begin + piece)
            if not fails(begin, end):
                continue
            for start in range(begin, end, _STRETCH):
                stop = min(end, start + _STRETCH)
                if why := fails(start, stop):
                    first = bisect_left(
                        range(start + 1, stop), True, key=lambda end: bool(fails(start, end))
                    )
                    first += start
                    last = bisect_left(
                        range(first + 1, stop), True, key=lambda row: not fails(row, stop)
                    )
                    yield range(first, first + 1 + last), why

    found: tuple[range, str] | None = None
    for rows, why in pieces():
        if found is not None and found[0].stop == rows.start:
            found = range(found[0].start, rows.stop), found[1]
            continue
        if found is not None:
            yield found
        found = rows, why
    if found is not None:
        yield found


def stretches(intact: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Find where rows that are marked begin and end, stretch by stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], intact, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
