"""Which rows of a data frame are the draws of which chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .table import Table

__all__ = ["ChainRows", "chain_rows"]

Numbers = NDArray[np.int64]


@dataclass
class ChainRows:
    """The rows of one chain: stretches of the frame, one after the other.

    Attributes
    ----------
    starts : ndarray of int64
        The first row of each stretch.
    ends : ndarray of int64
        How many draws of the chain there are to the end of each.
    """

    starts: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    ends: Numbers = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def of(self, draws: range) -> Numbers:
        """Give the rows of some draws."""
        wanted = np.arange(draws.start, draws.stop, draws.step, dtype=np.int64)
        stretch = np.searchsorted(self.ends, wanted, "right")
        lengths = np.diff(self.ends, prepend=0)
        rows: Numbers = self.starts[stretch] + wanted - (self.ends - lengths)[stretch]
        return rows


def chain_rows(table: Table, chain: str | None, draw: str | None) -> dict[int, ChainRows]:
    """Find the chains of a frame, by number.

    Parameters
    ----------
    table : Table
    chain, draw : str or None
        The columns that tell them. Without the first, all rows are those of chain 0.

    Raises
    ------
    ValueError
        Where chains are no whole numbers from 0 on, or draws of a chain do not ascend.
    """
    found: dict[int, list[tuple[Numbers, Numbers]]] = {}
    last: dict[int, int] = {}
    for group, (first, stop) in enumerate(pairwise(table.starts.tolist())):
        n = stop - first
        numbers = np.zeros(n, np.int64) if chain is None else _whole(table, chain, group)
        draws = None if draw is None else _whole(table, draw, group)
        order = np.argsort(numbers, kind="stable")
        edges = np.flatnonzero(np.diff(numbers[order])) + 1
        for rows in np.split(order, edges) if n else []:
            number = int(numbers[rows[0]])
            if number < 0:
                raise ValueError(f"{table.path!r}: chains are numbered from 0 on, one is {number}")
            if draws is not None:
                before = last.get(number, int(draws[rows[0]]) - 1)
                if np.any(np.diff(draws[rows], prepend=before) <= 0):
                    raise ValueError(
                        f"{table.path!r}: in the column {draw!r} the draws of "
                        f"{f'chain {number}' if chain else 'all rows'} do not ascend; sort the "
                        "frame by chain and draw"
                        + ("" if chain else ", and tell its chains by a column 'chain'")
                    )
                last[number] = int(draws[rows[-1]])
            begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
            lengths = np.diff(begins, append=len(rows))
            found.setdefault(number, []).append((rows[begins] + first, lengths))
    return {
        number: ChainRows(
            np.concatenate([starts for starts, _ in found[number]]),
            np.cumsum(np.concatenate([lengths for _, lengths in found[number]])),
        )
        for number in sorted(found)
    }


def _whole(table: Table, name: str, group: int) -> Numbers:
    array: Any = table.group(name, group)
    if array.null_count:
        raise ValueError(f"{table.path!r}: the column {name!r} lacks values")
    try:
        return np.asarray(array.cast(pa.int64()).to_numpy(zero_copy_only=False))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(
            f"{table.path!r}: the column {name!r} is to hold whole numbers, and is of type "
            f"{array.type}: {error}"
        ) from error
