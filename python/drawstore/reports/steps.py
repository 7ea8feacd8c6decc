"""The steps of an ensemble, whichever way it is kept, and which of its walkers are stuck."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from drawstore.autocorr import integrated_time
from drawstore.ensemble import is_ensemble

if TYPE_CHECKING:
    from drawstore.backends.emcee_file import EmceeRun
    from drawstore.interface import Run

__all__ = ["Steps", "Stuck", "has_steps", "still_walkers", "stuck_walkers", "window_of"]

_BLOCK_BYTES = 16 * 2**20
_LEAST_WINDOW = 50  # steps in which a walker that works has moved
_MOST_STEPS = 5000  # from which the window is estimated; they take a block at most


def has_steps(run: Run) -> bool:
    """Whether `Steps` can give those of a run."""
    return type(run).__name__ == "EmceeRun" or is_ensemble(run)


class Steps:
    """The steps of an ensemble.

    Parameters
    ----------
    run : Run
        As `ensemble_meta` describes it, or in a file of emcee: see `has_steps`.
    """

    def __init__(self, run: Run) -> None:
        self._file = cast("EmceeRun", run) if type(run).__name__ == "EmceeRun" else None
        chains = run.get_chains()
        self._chain = chains[0] if chains else None
        self._count = 0 if self._chain is None else len(self._chain)

    def __len__(self) -> int:
        return self._count

    def coords(self, rows: range) -> NDArray[Any]:
        """Read positions, shape (n, n_walkers, ndim), also of steps that have come since."""
        return self._read("coords" if self._file is None else "chain", rows)

    def log_prob(self, rows: range) -> NDArray[Any]:
        """Read log-probabilities, shape (n, n_walkers)."""
        return self._read("log_prob", rows)

    def blocks(self, row_bytes: int) -> Iterator[range]:
        """Cut the steps into blocks that can be read at once, the last one first."""
        n = max(1, _BLOCK_BYTES // max(1, row_bytes))
        for stop in range(len(self), 0, -n):
            yield range(max(0, stop - n), stop)

    def acceptance(self) -> NDArray[np.float64]:
        """Give the accepted share of the proposals of each walker; NaN before the first step."""
        if self._chain is None or not len(self):
            return np.full(0, np.nan)
        if self._file is not None:
            accepted = self._file.accepted()
        else:
            last = self._chain.get_stats_at(len(self) - 1, ["accepted"])
            accepted = np.asarray(last["accepted"])
        shares: NDArray[np.float64] = accepted / len(self)
        return shares

    def _read(self, name: str, rows: range) -> NDArray[Any]:
        if self._file is not None:
            return self._file.steps(name, rows)
        assert self._chain is not None
        return self._chain.get_draws(name, slice(rows.start, rows.stop, rows.step))


@dataclass(frozen=True)
class Stuck:
    """A walker that does not move any more.

    Attributes
    ----------
    walker : int
    since : int
        The step at which it came to where it is.
    """

    walker: int
    since: int


def window_of(steps: Steps) -> int | None:
    """Give the number of steps after which a walker that has not moved is stuck.

    These are 5 autocorrelation times, of those walkers that moved within the last 50 steps, and at
    least 50. None where there are no more steps than that.
    """
    if len(steps) <= _LEAST_WINDOW:
        return None
    row_bytes = steps.coords(range(1)).nbytes
    n = max(_LEAST_WINDOW + 1, min(_MOST_STEPS, _BLOCK_BYTES // max(1, row_bytes)))
    last = steps.coords(range(max(0, len(steps) - n), len(steps)))
    moves = np.any(last[-_LEAST_WINDOW:] != last[-1], axis=(0, 2))
    window = float(_LEAST_WINDOW)
    if moves.any():
        tau = integrated_time(last[:, moves], tol=0)
        window = max(window, 5 * float(np.nanmax(tau, initial=0)))
    return math.ceil(window) if len(steps) > window else None


def still_walkers(steps: Steps, window: int) -> NDArray[np.intp]:
    """Find the walkers that have not moved in the last ``window`` steps; reads no others."""
    here = steps.coords(range(len(steps) - 1, len(steps)))[0]
    is_still = np.full(len(here), True)
    first = max(0, len(steps) - window - 1)
    for rows in steps.blocks(here.nbytes):
        differs = np.any(steps.coords(range(max(first, rows.start), rows.stop)) != here, axis=2)
        is_still &= ~differs.any(axis=0)
        if rows.start <= first or not is_still.any():
            break
    return np.flatnonzero(is_still)


def stuck_walkers(steps: Steps, window: int) -> list[Stuck]:
    """Find the walkers that have not moved in the last ``window`` steps, the longest first."""
    here = steps.coords(range(len(steps) - 1, len(steps)))[0]
    since = np.full(len(here), -1)  # not known yet
    for rows in steps.blocks(here.nbytes):
        differs = np.any(steps.coords(rows) != here, axis=2)
        left = np.flatnonzero((since < 0) & differs.any(axis=0))
        since[left] = rows.stop - np.argmax(differs[::-1, left], axis=0)
        if not np.any(since < 0):
            break
    since[since < 0] = 0
    stuck = np.flatnonzero(len(steps) - since > window)
    return sorted((Stuck(int(w), int(since[w])) for w in stuck), key=lambda found: found.since)
