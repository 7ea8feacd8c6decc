"""Rows of a chain of which some are in a store, and those that follow on their way there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from drawstore._core import Chain

__all__ = ["Rows", "View", "joined", "masked", "missing_rows", "read"]

Rows = tuple[NDArray[Any], NDArray[np.bool_]]  # rows of a column, and which of them are missing


@dataclass(frozen=True)
class View:
    """A chain at one moment.

    Attributes
    ----------
    held : int
        Rows before this one are in the store, those that follow wait.
    stop : int
        The end of both.
    load : callable
        Gives rows that wait, from one to another, as a chain, and which is its first.
    stored : callable
        Gives rows of the store: of "variables" or "stats", by name, of a range that has a positive
        step.
    """

    held: int
    stop: int
    load: Callable[[int, int], tuple[Chain, int]]
    stored: Callable[[str, Sequence[str], range], dict[str, Rows]]


def read(view: View, kind: str, names: Sequence[str], slc: slice) -> dict[str, Any]:
    """Read rows of some columns, as `drawstore.Chain.get_draws` and `get_stats` give them."""
    rows, backwards = _ascending(slc, view.stop)
    stored, waiting = _split(rows, view.held)
    parts: dict[str, list[Rows]] = {name: [] for name in names}
    # What waits first: it may be in the store a moment later, and not the other way round.
    if waiting:
        chain, first = view.load(waiting[0], waiting[-1] + 1)
        for name in names:
            parts[name].append(_waiting_rows(chain, first, kind, name, waiting))
    if stored or not waiting:
        for name, found in view.stored(kind, names, stored).items():
            parts[name].insert(0, found)
    out = {}
    for name in names:
        values, missing = joined(parts[name])
        step = -1 if backwards else 1
        out[name] = masked(values[::step], missing[::step])
    return out


def missing_rows(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which rows are masked."""
    return _any_by_row(np.ma.getmaskarray(rows))


def _any_by_row(mask: NDArray[Any]) -> NDArray[np.bool_]:
    rows = np.zeros(len(mask), dtype=bool)
    if mask.dtype.names is None:
        rows |= mask.any(axis=tuple(range(1, mask.ndim)))  # of no rows, too
    for name in mask.dtype.names or ():
        rows |= _any_by_row(mask[name])
    return rows


def _waiting_rows(chain: Chain, first: int, kind: str, name: str, rows: range) -> Rows:
    get = chain.get_draws if kind == "variables" else chain.get_stats
    values = get(name, slice(rows[0] - first, rows[-1] + 1 - first, rows.step))
    return np.ma.getdata(values), missing_rows(values)


def joined(parts: list[Rows]) -> Rows:
    """Put rows of a column behind one another."""
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part[0] for part in parts])
    values.flags.writeable = False
    return values, np.concatenate([part[1] for part in parts])


def _ascending(slc: slice, n: int) -> tuple[range, bool]:
    """Give the rows of a slice in their order, and whether they are wanted backwards."""
    rows = range(n)[slc]
    return (rows[::-1], True) if rows.step < 0 else (rows, False)


def _split(rows: range, border: int) -> tuple[range, range]:
    """Split rows into those before a border, and those from it on."""
    n = len(range(rows.start, min(rows.stop, border), rows.step))
    return rows[:n], rows[n:]


def masked(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Mask rows that are missing, where any is."""
    if not missing.any():
        return values
    mask = np.zeros(values.shape, dtype=np.ma.make_mask_descr(values.dtype))
    mask[missing] = True
    return np.ma.MaskedArray(values, mask=mask)
