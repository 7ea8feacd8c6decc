"""The values of parameters over the draws of a run, of which a bounded number is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..monitor.ensembles import of_run

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

    def update(self, n: int) -> None:
        """Read draws that came since; there are n by now, of the shortest chain."""
        if n <= max(self._kept, default=-1):  # another run by now
            self._kept, self._stride = {}, 1
        while n > _MOST * self._stride:
            self._stride *= 2
            self._kept = {i: row for i, row in self._kept.items() if i % self._stride == 0}
        first = max(self._kept, default=-self._stride) + self._stride
        for i in range(first, n, self._stride):
            self._kept[i] = self._read(i)
        if n:
            self._last = self._kept[n - 1] if n - 1 in self._kept else self._read(n - 1)

    def last(self, parameter: int) -> float:
        """Give the value of the last draw; NaN where there is none."""
        return float("nan") if self._last is None else float(self._last[parameter])

    def values(self, parameter: int) -> tuple[NDArray[np.intp], Values]:
        """Give the numbers of draws, and the values there."""
        values = [row[parameter] for row in self._kept.values()]
        return np.array(list(self._kept), dtype=np.intp), np.array(values, dtype=np.float64)


def _reader(run: Run, names: Sequence[str]) -> Callable[[int], Values]:
    """Make what gives a draw of all parameters, shape (n_params,)."""
    ensemble = of_run(run)
    if ensemble is not None:
        return lambda i: _mean(ensemble.coords(i, i + 1)[0])
    chains = run.get_chains()
    of_elements = tuple(f"{name.rpartition('[')[0]}" for name in names)
    variables = [name for name in run.variables if name in names or name in of_elements]

    def read(i: int) -> Values:
        rows = []
        for chain in chains:
            if i < len(chain):
                values = chain.get_draws_at(i, variables)
                rows.append(np.concatenate([np.ravel(values[name]) for name in variables]))
        return _mean(np.array(rows))

    return read


def _mean(rows: NDArray[Any]) -> Values:
    mean: Values = np.mean(rows, axis=0, dtype=np.float64)
    return mean
