"""The posterior of a run in numbers, from a bounded number of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..monitor.following import Followed
    from .view import RunView

__all__ = ["LEVELS", "Row", "Table", "table"]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_MOST_BYTES = 2**24  # of draws that are read
_BLOCKS = 64  # in which they lie
_KEPT = "table"


@dataclass(frozen=True)
class Row:
    """A parameter; NaN where a number is not known.

    Attributes
    ----------
    index : int
        Of `RunView.names`.
    mean, sd, mcse : float
        The last is the Monte Carlo standard error of the mean, sd / sqrt(ESS) (C. J. Geyer,
        "Introduction to Markov chain Monte Carlo", in "Handbook of Markov Chain Monte Carlo", CRC
        Press, 2011, section 1.10).
    quantiles : list of float
        At `LEVELS`.
    ess, tau, rhat : float
        Of the `Status` of the run's `Monitor`.
    """

    index: int
    mean: float
    sd: float
    mcse: float
    quantiles: list[float]
    ess: float
    tau: float
    rhat: float


@dataclass(frozen=True)
class Table:
    """Parameters in numbers.

    Attributes
    ----------
    n_draws, n_read : int
        Draws that count, of all chains and walkers; and those that were read.
    rows : list of Row
    """

    n_draws: int
    n_read: int
    rows: list[Row]


def table(view: RunView, indices: Sequence[int]) -> Table:
    """Describe parameters.

    Of a long run blocks of draws are read that lie evenly in it, 16 MB in all; they are read again
    when there are more draws.

    Parameters
    ----------
    view : RunView
    indices : sequence of int
        Of its names.
    """
    counts = tuple(followed.look() for followed in view.followed)
    kept = view.kept.get(_KEPT)
    if kept is None or kept[0] != counts:
        kept = view.kept[_KEPT] = counts, _Numbers.of(view.followed, counts)
    numbers, status = kept[1], view.status
    known = {}
    if status is not None and status.names == view.names:
        known = {"ess": status.ess, "tau": status.tau}
        if status.rhat is not None:
            known["rhat"] = status.rhat

    def row(i: int) -> Row:
        of = {name: float(known[name][i]) if name in known else np.nan for name in _KNOWN}
        sd = float(numbers.sd[i])
        mcse = sd / np.sqrt(of["ess"]) if of["ess"] > 0 else np.nan
        quantiles = numbers.quantiles[:, i].tolist()
        return Row(i, float(numbers.mean[i]), sd, float(mcse), quantiles, **of)

    n_draws = sum(n * f.n_walkers for n, f in zip(counts, view.followed, strict=True))
    return Table(n_draws, numbers.n, [row(i) for i in indices if numbers.n])


_KNOWN = ("ess", "tau", "rhat")


@dataclass(frozen=True)
class _Numbers:
    """Of all parameters."""

    n: int
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    quantiles: NDArray[np.float64]

    @classmethod
    def of(cls, all_followed: Sequence[Followed], counts: Sequence[int]) -> _Numbers:
        parts = [
            followed.read(rows.start, rows.stop).reshape(-1, len(followed.names))
            for followed, n in zip(all_followed, counts, strict=True)
            for rows in _blocks(n, 8 * followed.n_walkers * len(followed.names), len(counts))
        ]
        draws: NDArray[Any] = np.concatenate(parts) if parts else np.empty((0, 0))
        if not len(draws):
            nothing = np.empty(0)
            return cls(0, nothing, nothing, nothing)
        draws = draws.astype(np.float64, copy=False)
        with np.errstate(all="ignore"):  # of values that are not finite
            mean = draws.mean(axis=0)
            sd = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full(draws.shape[1], np.nan)
            quantiles = np.quantile(draws, LEVELS, axis=0)
        return cls(len(draws), mean, sd, quantiles)


def _blocks(n: int, row_bytes: int, n_followed: int) -> list[range]:
    """Cut what is to be read of n draws into blocks; all of them where they are few."""
    most = max(1, _MOST_BYTES // max(1, row_bytes * n_followed))
    if n <= most:
        return [range(n)] if n else []
    n_blocks = min(_BLOCKS, most)
    size = most // n_blocks
    starts = np.linspace(0, n - size, n_blocks).astype(int)
    return [range(start, start + size) for start in starts.tolist()]
