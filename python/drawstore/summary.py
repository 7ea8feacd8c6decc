"""Moments and quantiles of a run's variables, over all chains together."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import parse_dtype
from .ensemble import by_walkers
from .warmup import Part, is_mark, split

if TYPE_CHECKING:
    from .interface import Run
    from .meta import Variable

__all__ = [
    "Posterior",
    "Summary",
    "VariableSummary",
    "checked_levels",
    "summarize",
    "summarize_draws",
    "summarized_dtype",
]

Array = NDArray[Any]

_BLOCK_BYTES = 4 * 2**20  # of one variable in all chains, that are read together
_BLOCK_VALUES = _BLOCK_BYTES // 8  # that are float64 at a time
_SHOWN_ROWS = 50


@dataclass(frozen=True, eq=False)
class VariableSummary:
    """What `Run.summary` says of a variable.

    Attributes
    ----------
    mean : ndarray of float64
        Of the variable's shape; NaN without draws, and where one is NaN.
    sd : ndarray of float64
        The standard deviation of the sample, with n - 1 below; NaN also for fewer than two draws.
    quantiles : ndarray, shape (levels, *shape)
        That at level q of n draws is the one with ``min(floor(q * n), n - 1)`` of them before it in
        order, as ``quantileExact`` of ClickHouse gives; draws that are NaN do not count. Of the
        variable's dtype, in native byte order. Where no draw counts, NaN, as float64 for integers
        and booleans.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    quantiles: Array


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """What `Run.summary` says of a run; prints as a table.

    Attributes
    ----------
    chains : dict of int to int
        Number of each chain, and how many draws of it were counted: those after the warm-up.
    levels : tuple of float
        Of the quantiles.
    variables : dict of str to VariableSummary
        By name.
    """

    chains: dict[int, int]
    levels: tuple[float, ...]
    variables: dict[str, VariableSummary]

    def __repr__(self) -> str:
        table = [["", "mean", "sd", *(f"{100 * level:g}%" for level in self.levels)]]
        for name, values in self.first_rows(_SHOWN_ROWS):
            table.append([name, *(f"{float(value):.6g}" for value in values)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"{sum(self.chains.values())} draws in {len(self.chains)} chains"]
        for name, *cells in table:
            aligned = map(str.rjust, cells, widths[1:])
            lines.append("  ".join([name.ljust(widths[0]), *aligned]))
        if self.n_rows > _SHOWN_ROWS:
            lines.append(f"... and {self.n_rows - _SHOWN_ROWS} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from .html.status import summary_html

        return summary_html(self)

    @property
    def n_rows(self) -> int:
        """The elements of all variables."""
        return sum(variable.mean.size for variable in self.variables.values())

    def first_rows(self, most: int) -> Iterator[tuple[str, list[Any]]]:
        """Give the rows of the printed table.

        Parameters
        ----------
        most : int
            Rows; an element of a variable has one.

        Returns
        -------
        iterator of (str, list)
            The name of the element; its mean, standard deviation and quantiles.
        """
        return islice(self._rows(), most)

    def _rows(self) -> Iterator[tuple[str, list[Any]]]:
        for name, variable in self.variables.items():
            for i in np.ndindex(variable.mean.shape):
                values = [variable.mean[i], variable.sd[i], *variable.quantiles[(slice(None), *i)]]
                yield f"{name}[{','.join(map(str, i))}]" if i else name, values


def summarize(
    run: Run, quantiles: Sequence[float], besides: Container[str] = frozenset()
) -> Summary:
    """Summarize a run, but for some of its variables; see `Run.summary`."""
    levels = checked_levels(quantiles)
    posterior = Posterior(run)
    variables = {
        name: summarize_draws(posterior.read(name), levels, shape)
        for name, shape in posterior.shapes.items()
        if name not in besides
    }
    return Summary(posterior.chains, levels, variables)


class Posterior:
    """The draws of a run after the warm-up, as they are now, one variable at a time.

    Parameters
    ----------
    run : Run
        Of an ensemble, the walkers are the chains.
    discard : int
        Draws of each chain that are left out at the start of those, too.

    Attributes
    ----------
    chains : dict of int to int
        Number of each chain, and its draws.
    shapes : dict of str to tuple of int
        Of the variables that can be read: all but those that `Run.summary` leaves out.
    """

    def __init__(self, run: Run, discard: int = 0) -> None:
        run = by_walkers(run)
        marks = [name for name in run.sample_stats if is_mark(name)]
        parts, _ = split(run.get_chains(), marks)
        self._parts = [_without_first(part, discard) for part in parts]
        variables = run.variables
        dtypes = {name: summarized_dtype(variable) for name, variable in variables.items()}
        self._dtypes = {name: dtype for name, dtype in dtypes.items() if dtype is not None}
        self.chains = {part.chain.chain_number: len(part) for part in self._parts}
        self.shapes = {name: tuple(variables[name].shape) for name in self._dtypes}

    def read(self, name: str) -> Array:
        """Read a variable.

        Returns
        -------
        ndarray, shape (size, n)
            The draws of each of its elements; those of a chain lie together, in the order of the
            chains.
        """
        return _gather(self._parts, name, math.prod(self.shapes[name]), self._dtypes[name])


def _without_first(part: Part, n: int) -> Part:
    stretches = []
    for stretch in part.stretches:
        if rest := stretch[min(n, len(stretch)) :]:
            stretches.append(rest)
        n -= min(n, len(stretch))
    return Part(part.chain, tuple(stretches))


def checked_levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Give the levels of quantiles, which are to lie between 0 and 1."""
    levels = tuple(float(level) for level in quantiles)
    if not all(0 <= level <= 1 for level in levels):
        raise ValueError(f"levels of quantiles are numbers from 0 to 1, got {list(levels)}")
    return levels


def summarized_dtype(variable: Variable) -> np.dtype[Any] | None:
    """Give the dtype of a variable in native byte order, or None where it is left out."""
    if variable.dtype == "str" or variable.undefined_ndim or any(n < 0 for n in variable.shape):
        return None
    dtype = parse_dtype(variable.dtype)
    return dtype.newbyteorder("=") if dtype.kind in "biuf" and dtype.itemsize <= 8 else None


def _gather(parts: Sequence[Part], name: str, size: int, dtype: np.dtype[Any]) -> Array:
    """Read the draws of a variable, so that those of each of its elements lie together."""
    *firsts, total = accumulate(map(len, parts), initial=0)
    draws = np.empty((size, total), dtype)
    n_rows = max(1, _BLOCK_BYTES // max(1, len(parts) * size * dtype.itemsize))
    # Walkers share what is read of one block: they are asked for it one after the other.
    for begin in range(0, max(map(len, parts), default=0), n_rows):
        for part, first in zip(parts, firsts, strict=True):
            done = first + begin
            for slc in part.slices(range(begin, min(begin + n_rows, len(part)))):
                end = done + slc.stop - slc.start
                draws[:, done:end] = part.chain.get_draws(name, slc).reshape(end - done, size).T
                done = end
    return draws


def summarize_draws(
    draws: Array, levels: Sequence[float], shape: tuple[int, ...]
) -> VariableSummary:
    """Summarize the draws of a variable, as `Posterior.read` gives them; their order changes."""
    with np.errstate(all="ignore"):
        mean, sd = _moments(draws)
    quantiles = _quantiles(draws, levels)
    return VariableSummary(
        mean.reshape(shape), sd.reshape(shape), quantiles.reshape(len(levels), *shape)
    )


def _moments(draws: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give mean and standard deviation of each row.

    Twice through, with the error of the first mean taken out again: the corrected two-pass
    algorithm of Chan, Golub & LeVeque, "Algorithms for computing the sample variance: analysis and
    recommendations", The American Statistician 37 (1983).
    """
    size, n = draws.shape
    mean = draws.sum(axis=1, dtype=np.float64) / n
    if n < 2:
        return mean, np.full(size, np.nan)
    first, second = np.zeros(size), np.zeros(size)
    n_columns = min(n, _BLOCK_VALUES)
    n_rows = _BLOCK_VALUES // n_columns
    for i in range(0, size, n_rows):
        rows = slice(i, i + n_rows)
        for j in range(0, n, n_columns):
            off = draws[rows, j : j + n_columns] - mean[rows, np.newaxis]
            first[rows] += off.sum(axis=1)
            second[rows] += np.square(off, out=off).sum(axis=1)
    return mean, np.sqrt(np.maximum(second - first * (first / n), 0) / (n - 1))


def _quantiles(draws: Array, levels: Sequence[float]) -> Array:
    """Give quantiles of each row, which is put into another order."""
    size, n = draws.shape
    is_float = draws.dtype.kind == "f"
    out: Array = np.empty((len(levels), size), draws.dtype if n or is_float else np.float64)
    for i, row in enumerate(draws):
        n_numbers = n - np.count_nonzero(np.isnan(row)) if is_float else n
        if not n_numbers:
            out[:, i] = np.nan
        elif levels:
            places = [min(int(level * n_numbers), n_numbers - 1) for level in levels]
            row.partition(places)  # NaN goes to the end
            out[:, i] = row[places]
    return out
