"""The values of parameters over the draws of a run, of which a bounded number is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..ensemble import steps_of

if TYPE_CHECKING:
    from ..interface import Run

__all__ = ["Trace"]

_MOST = 128  # draws that are kept

Values = NDArray[np.float64]


class Trace:
    """Values of parameters at some draws: their means over the walkers, or chains.

    Draws are kept at even distances, over all that there are, warm-up among them. When they become
    too many, every second one is dropped; so asking again reads few draws, however long the run is.

    Parameters
    ----------
    run : Run
    names : sequence of str
        Of the parameters, as a `Monitor` names them.
    """

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self._read = _reader(run, names)
        self._stride = 1
        self._kept: dict[int, Values] = {}
        self._last: Values | None = None
        self._n = 0

    def update(self, n: int) -> None:
        """Read draws that came since; there are n by now, of the longest chain."""
        if n <= max(self._kept, default=-1):  # another run by now
            self._kept, self._stride = {}, 1
        while n > _MOST * self._stride:
            self._stride *= 2
            self._kept = {i: row for i, row in self._kept.items() if i % self._stride == 0}
        first = max(self._kept, default=-self._stride) + self._stride
        new = range(first, n, self._stride)
        if new:
            self._kept |= zip(new, self._read(new), strict=True)
        if n != self._n:
            self._last = self._read(range(n - 1, n))[0] if n else None
        self._n = n

    def last(self, parameter: int) -> float:
        """Give the value of the last draw; NaN where there is none."""
        return float("nan") if self._last is None else float(self._last[parameter])

    def values(self, parameter: int) -> tuple[NDArray[np.intp], Values]:
        """Give the numbers of draws, and the values there."""
        values = [row[parameter] for row in self._kept.values()]
        return np.array(list(self._kept), dtype=np.intp), np.array(values, dtype=np.float64)


def _reader(run: Run, names: Sequence[str]) -> Callable[[range], Values]:
    """Make what gives draws of all parameters, shape (n, n_params), from a range of them."""
    steps = steps_of(run)
    if steps is not None:
        return lambda rows: np.mean(steps.read("chain", rows), axis=1, dtype=np.float64)
    chains = run.get_chains()
    of_elements = {name.rpartition("[")[0] for name in names}
    variables = [name for name in run.variables if name in names or name in of_elements]

    def read(rows: range) -> Values:
        total, count = np.zeros((len(rows), len(names))), np.zeros((len(rows), 1))
        for chain in chains:
            draws = [chain.get_draws(name, _slice(rows)) for name in variables]
            n = min(map(len, draws))
            if n == 0:  # it is shorter than others
                continue
            total[:n] += np.concatenate([values[:n].reshape(n, -1) for values in draws], axis=1)
            count[:n] += 1
        with np.errstate(invalid="ignore"):
            return total / count

    return read


def _slice(rows: range) -> slice:
    return slice(rows.start, rows.stop, rows.step)
