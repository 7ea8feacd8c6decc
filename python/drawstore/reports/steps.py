"""How the walkers of an ensemble do: what they accept, and which of them are stuck."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drawstore.autocorr import integrated_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drawstore.ensemble import Steps

__all__ = ["Stuck", "acceptance", "still_walkers", "stuck_walkers", "window_of"]

_LEAST_WINDOW = 50  # steps in which a walker that works has moved
_MOST_STEPS = 5000  # from which the window is estimated, and
_MOST_BYTES = 16 * 2**20


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


def acceptance(steps: Steps) -> NDArray[np.float64]:
    """Give the accepted share of the proposals of each walker; none before the first step."""
    count = len(steps)
    shares: NDArray[np.float64] = steps.accepted(count) / count if count else np.full(0, np.nan)
    return shares


def window_of(steps: Steps) -> int | None:
    """Give the number of steps after which a walker that has not moved is stuck.

    These are 5 autocorrelation times, of those walkers that moved within the last 50 steps, and at
    least 50. None where there are no more steps than that.
    """
    count = len(steps)
    if count <= _LEAST_WINDOW:
        return None
    row_bytes = steps.read("chain", range(1)).nbytes
    n = max(_LEAST_WINDOW + 1, min(_MOST_STEPS, _MOST_BYTES // max(1, row_bytes)))
    last = steps.read("chain", range(max(0, count - n), count))
    moves = np.any(last[-_LEAST_WINDOW:] != last[-1], axis=(0, 2))
    window = float(_LEAST_WINDOW)
    if moves.any():
        tau = integrated_time(last[:, moves], tol=0)
        window = max(window, 5 * float(np.nanmax(tau, initial=0)))
    return math.ceil(window) if count > window else None


def still_walkers(steps: Steps, window: int) -> NDArray[np.intp]:
    """Find the walkers that have not moved in the last ``window`` steps; reads no others."""
    count = len(steps)
    here = steps.read("chain", range(count - 1, count))[0]
    is_still = np.full(len(here), True)
    first = max(0, count - window - 1)
    for rows in steps.blocks(count, here.nbytes):
        last = steps.read("chain", range(max(first, rows.start), rows.stop))
        is_still &= ~np.any(last != here, axis=(0, 2))
        if rows.start <= first or not is_still.any():
            break
    return np.flatnonzero(is_still)


def stuck_walkers(steps: Steps, window: int) -> list[Stuck]:
    """Find the walkers that have not moved in the last ``window`` steps, the longest first."""
    count = len(steps)
    here = steps.read("chain", range(count - 1, count))[0]
    since = np.full(len(here), -1)  # not known yet
    for rows in steps.blocks(count, here.nbytes):
        differs = np.any(steps.read("chain", rows) != here, axis=2)
        left = np.flatnonzero((since < 0) & differs.any(axis=0))
        since[left] = rows.stop - np.argmax(differs[::-1, left], axis=0)
        if not np.any(since < 0):
            break
    since[since < 0] = 0
    stuck = np.flatnonzero(count - since > window)
    return sorted((Stuck(int(w), int(since[w])) for w in stuck), key=lambda found: found.since)
