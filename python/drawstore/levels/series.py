"""The levels of one parameter, of a chain or of an ensemble."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from .level import FEWEST_DRAWS, Extremes, Level, Means
from .pairs import Values
from .view import Band, Line, Numbers, View

__all__ = ["Series", "walker_lines"]

_CENTRAL = 0.16, 0.84  # of 68 %
_MOST_WALKERS = 16  # that are shown one by one


class Series:
    """What is kept of a parameter.

    Parameters
    ----------
    n_walkers : int
        1 for a chain.
    bucket : int
        Draws of a bucket, at first.

    Attributes
    ----------
    last : ndarray, shape (n_walkers,)
        The values at the last draw that was taken in.
    """

    def __init__(self, n_walkers: int, bucket: int = FEWEST_DRAWS) -> None:
        self._line = Extremes(bucket)
        self._band: dict[str, Level] = {}
        if n_walkers != 1:
            self._band = {
                "lowest": Extremes(bucket),
                "lower": Means(bucket),
                "upper": Means(bucket),
                "highest": Extremes(bucket),
            }
        self.last: Values = np.empty(n_walkers)

    @property
    def bucket(self) -> int:
        """Draws of a bucket."""
        return self._line.bucket

    @property
    def n_buckets(self) -> int:
        """How many there are."""
        return self._line.n_buckets

    @property
    def n_draws(self) -> int:
        """How many were taken in."""
        return self._line.n_draws

    @property
    def nbytes(self) -> int:
        """The room that it takes."""
        return sum(level.nbytes for level in (self._line, *self._band.values()))

    def append(self, values: Values) -> None:
        """Take in draws that follow, shape (n, n_walkers)."""
        if not len(values):
            return
        self.last = values[-1].copy()
        if not self._band:
            self._line.append(values[:, 0])
            return
        of = _over_walkers(values)
        self._line.append(of["mean"])
        for name, level in self._band.items():
            level.append(of[name])

    def coarsen(self) -> None:
        """Make the buckets twice as large."""
        for level in (self._line, *self._band.values()):
            level.coarsen()

    def view(self, start: int, stop: int, bucket: int, *, shift: int = 0) -> View:
        """Show a range of the draws that were taken in.

        Parameters
        ----------
        start, stop : int
            The range; buckets of which it has a part are shown whole.
        bucket : int
            Draws of a bucket that is shown, a multiple of `Series.bucket`.
        shift : int
            The number of the first draw that was taken in.
        """
        n = bucket // self.bucket
        first = start // bucket * n
        last = min(-(-stop // bucket) * n, self.n_buckets)
        begins = np.arange(first * self.bucket, last * self.bucket, bucket)
        ends = np.minimum(begins + bucket, self.n_draws) - 1
        return self._view(first, last, n, begins + shift, ends + shift)

    def view_pieces(self, begins: NDArray[np.int64]) -> View:
        """Show pieces, each of which was taken in as a bucket; given the first draw of each."""
        return self._view(0, self.n_buckets, 1, begins, begins + (self.bucket - 1))

    def _view(self, first: int, last: int, n: int, begins: Values, ends: Values) -> View:
        """Show buckets that are joined n at a time, with the first and the last draw of each."""
        pairs = self._line.pairs(first, last, n)
        if self.bucket * n == 1:
            line = Line(begins.astype(float), pairs[:, 0].copy())
        else:
            quarter = (ends - begins) / 4
            draws = np.stack([begins + quarter, ends - quarter], axis=1)
            line = Line(draws.ravel(), pairs.ravel().copy())
        if not self._band:
            return View(line)
        of = {name: level.pairs(first, last, n) for name, level in self._band.items()}
        band = Band(
            (begins + ends) / 2,
            of["lowest"].min(axis=1),
            _mean(of["lower"]),
            _mean(of["upper"]),
            of["highest"].max(axis=1),
        )
        return View(line, band)


def walker_lines(values: Values, first_draw: int) -> tuple[Line, ...]:
    """Give some walkers one by one, evenly chosen, from values of shape (n, n_walkers)."""
    n_walkers = values.shape[1]
    chosen = np.unique(np.linspace(0, n_walkers - 1, min(n_walkers, _MOST_WALKERS)).astype(int))
    draws = first_draw + np.arange(len(values), dtype=float)
    finite = np.where(np.isfinite(values), values, np.nan)
    return tuple(Line(draws, finite[:, walker].astype(float)) for walker in chosen)


def _over_walkers(values: Values) -> dict[str, Numbers]:
    """Give what is shown of all walkers at each draw; NaN where none is finite."""
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    ordered = np.sort(finite, axis=1)  # NaN come last
    n = np.count_nonzero(~np.isnan(ordered), axis=1)
    at = partial(_at_rank, ordered)
    lower, upper = (np.minimum(np.floor(q * n).astype(int), n - 1) for q in _CENTRAL)
    with np.errstate(invalid="ignore"):
        mean = np.nansum(ordered, axis=1) / n
    return {
        "mean": mean,
        "lowest": at(np.zeros_like(n)),
        "lower": at(lower),
        "upper": at(upper),
        "highest": at(n - 1),
    }


def _at_rank(ordered: Numbers, ranks: Values) -> Numbers:
    return np.take_along_axis(ordered, np.maximum(ranks, 0)[:, np.newaxis], axis=1)[:, 0]


def _mean(sums: Numbers) -> Numbers:
    with np.errstate(invalid="ignore"):
        return sums[:, 0] / sums[:, 1]
