"""What samplers say of their draws, as figures show it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...monitor.following import FollowedChain, acceptance_stats
from ...samplers import is_divergence, name_stats
from ...summary import summarized_dtype
from .chains import is_of_chains
from .sampling import Pace, SpacedRows, kept

if TYPE_CHECKING:
    from ..view import RunView

__all__ = ["Divergences", "SpacedStats", "Stats", "chains_of", "is_warmup", "n_draws", "warmup_of"]

_MOST_KEPT = 2**13  # numbers of divergent draws of a chain

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Stats:
    """The stats of a run of chains, by ArviZ's names: numbers, one a draw.

    Those of several samplers, and of several elements, are averaged.
    """

    def __init__(self, view: RunView) -> None:
        declared = view.run.sample_stats if is_of_chains(view) else {}
        shown = {name: stat.columns for name, stat in name_stats(declared).items()}
        shown["acceptance_rate"] = acceptance_stats(declared)
        shown["diverging"] = tuple(name for name in declared if is_divergence(name))
        self._columns = {
            name: columns
            for name, columns in shown.items()
            if columns and all(summarized_dtype(declared[c]) is not None for c in columns)
        }
        self._chains = view.run.get_chains()[: len(view.followed)] if declared else []

    def has(self, name: str) -> bool:
        """Say whether there is such a stat."""
        return name in self._columns

    def read(self, chain: int, name: str, rows: range) -> Numbers:
        """Read a stat of draws of a chain; NaN where the sampler did not say it."""
        read = self._chains[chain].get_stats
        values = [
            np.ma.filled(
                read(column, slice(rows.start, rows.stop, rows.step)).astype(float), np.nan
            )
            for column in self._columns[name]
        ]
        joint = np.concatenate(
            [each.reshape(len(each), math.prod(each.shape[1:])) for each in values], axis=1
        )
        n_said = np.sum(~np.isnan(joint), axis=1)
        with np.errstate(invalid="ignore"):
            means: Numbers = np.nansum(joint, axis=1) / n_said
        return means


class SpacedStats:
    """A stat of evenly spaced draws of each chain, those of warm-up among them.

    Parameters
    ----------
    view : RunView
    name : str
    most : int
        Draws of a chain.
    n_following : int
        Draws after each that are read as well.
    """

    def __init__(self, view: RunView, name: str, most: int, n_following: int = 0) -> None:
        stats = Stats(view)
        self._view = view
        self._n_following = n_following

        def reader(chain: int) -> SpacedRows:
            def read(rows: range) -> Numbers:
                shifted = [
                    stats.read(chain, name, range(rows.start + i, rows.stop + i, rows.step))
                    for i in range(n_following + 1)
                ]
                return np.stack(shifted, axis=1)

            return SpacedRows(read, most)

        self._of_each = [reader(chain) for chain in range(len(view.followed))]

    def update(self, until: float) -> list[tuple[Array, Numbers]]:
        """Read on, until a time by the monotonic clock.

        Returns
        -------
        list of (ndarray, ndarray of shape (n, 1 + n_following))
            Of each chain: the numbers of the draws, and the values.
        """
        began, found = time.monotonic(), []
        for i, chain in enumerate(chains_of(self._view)):
            rows, due = self._of_each[i], began + (until - began) * (i + 1) / len(self._of_each)
            values = rows.update(max(0, n_draws(chain) - self._n_following), due)
            found.append((np.arange(len(values)) * rows.stride, values))
        return found

    @property
    def stride(self) -> int:
        """The largest distance from a draw to the next."""
        return max((rows.stride for rows in self._of_each), default=1)


class Divergences:
    """The draws that the sampler called divergent: all are looked at, a stretch at a time.

    Attributes
    ----------
    draws : list of ndarray
        Numbers of divergent draws of each chain: all, or some of them where they are very many.
    counts : list of int
        How many there were after warm-up.
    """

    def __init__(self, view: RunView) -> None:
        n_chains = len(view.followed)
        self.draws: list[NDArray[np.intp]] = [np.empty(0, np.intp)] * n_chains
        self.counts = [0] * n_chains
        self._view = view
        self._stats = Stats(view)
        self._seen = [0] * n_chains
        self._paces = [Pace() for _ in range(n_chains)]

    @classmethod
    def of(cls, view: RunView) -> Divergences | None:
        """Give those of a run, which all figures share; None where its sampler says nothing."""
        if not Stats(view).has("diverging"):
            return None
        return kept(view, "divergences", (), lambda: cls(view))

    @property
    def n_seen(self) -> int:
        """How many draws were looked at."""
        return sum(self._seen)

    def update(self, until: float) -> None:
        """Look at draws that were not seen yet."""
        began = time.monotonic()
        for i, followed in enumerate(chains_of(self._view)):
            due = began + (until - began) * (i + 1) / len(self._seen)
            for rows in self._paces[i].blocks(range(self._seen[i], n_draws(followed)), due):
                new = rows.start + np.flatnonzero(self._stats.read(i, "diverging", rows) > 0)
                self.counts[i] += int(np.count_nonzero(~is_warmup(new, followed.warmup)))
                both = np.concatenate([self.draws[i], new])
                self.draws[i] = both[:: 2 if len(both) > _MOST_KEPT else 1]
                self._seen[i] = rows.stop


def chains_of(view: RunView) -> list[FollowedChain]:
    """Give the chains of a run; none of an ensemble."""
    return [followed for followed in view.followed if isinstance(followed, FollowedChain)]


def n_draws(chain: FollowedChain) -> int:
    """Look how many draws a chain has, warm-up among them."""
    return chain.look() + sum(map(len, chain.warmup))


def is_warmup(draws: NDArray[np.intp], warmup: Sequence[range]) -> NDArray[np.bool_]:
    """Say which draws are warm-up."""
    is_in = np.zeros(len(draws), dtype=bool)
    for stretch in warmup:
        is_in |= (draws >= stretch.start) & (draws < stretch.stop)
    return is_in


def warmup_of(view: RunView) -> list[range]:
    """Give the draws that are warm-up in any chain, as stretches that do not touch."""
    found: list[range] = []
    stretches = [stretch for chain in chains_of(view) for stretch in chain.warmup]
    for stretch in sorted(stretches, key=lambda s: s.start):
        if found and stretch.start <= found[-1].stop:
            stretch = range(found[-1].start, max(found.pop().stop, stretch.stop))
        found.append(stretch)
    return found
