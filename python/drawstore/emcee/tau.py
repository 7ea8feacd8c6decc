"""Autocorrelation times of a backend, with emcee's own error and log."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import emcee.autocorr
import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawstore._core import crc32c
from drawstore.autocorr import check_converged, integrated_time
from drawstore.running import RunningTime

__all__ = ["ChainTimes", "Positions", "autocorr_time"]


@dataclass(frozen=True)
class Positions:
    """The positions of a run as they are at one moment.

    Attributes
    ----------
    count : int
        Steps.
    read : callable
        Gives those of a range of steps.
    room : ndarray or None
        Where the steps lie, contiguous, in memory that others have, or may have, access to.
    is_handed_out : bool
        Whether others have.
    """

    count: int
    read: Callable[[range], NDArray[Any]]
    room: NDArray[Any] | None = None
    is_handed_out: bool = False


class _Steps:
    """Those of the part that is asked for, as long as somebody asks."""

    read: Callable[[int, int], NDArray[Any]]


class ChainTimes:
    """The autocorrelation times of one run of a backend: asking again costs the new steps only.

    That holds for the part of the chain, its first step and their distance, that was asked for
    last. Any thread may ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin((0, 0), False)

    def of(
        self,
        positions: Positions,
        discard: int,
        thin: int,
        c: float = 5,
        tol: float = 50,
        quiet: bool = False,
        has_walkers: bool = True,
        *,
        threads: int = 1,
    ) -> NDArray[np.float64]:
        """Estimate the times of a part, in its steps, as `autocorr_time` does."""
        rows = range(positions.count)[discard + thin - 1 :: thin]
        with self._lock:
            part = discard, thin
            if part != self._part or self._has_changed(positions):
                self._begin(part, positions.room is not None)
            self._steps.read = lambda start, stop: positions.read(rows[start:stop])
            try:
                tau = self._running.tau(len(rows), c, threads=threads)
            finally:
                del self._steps.read
            self._note(positions)
        _check(tau, len(rows), tol, quiet)
        return tau

    def _begin(self, part: tuple[int, int], in_memory: bool) -> None:
        self._part = part
        self._steps = steps = _Steps()
        limit = {"most_bytes": math.inf} if in_memory else {}
        self._running = RunningTime(lambda start, stop: steps.read(start, stop), **limit)
        self._n_summed = 0
        self._sum = 0

    # Steps in memory can be changed in place, in any array that was handed out. Their checksum is
    # compared before what is known of them is used.

    def _has_changed(self, positions: Positions) -> bool:
        if positions.room is None or not positions.is_handed_out:
            return False
        return crc32c(positions.room[: self._n_summed].data) != self._sum

    def _note(self, positions: Positions) -> None:
        if positions.room is None:
            return
        if self._running.n_seen == 0:
            self._n_summed = self._sum = 0
        else:
            new = positions.room[self._n_summed : positions.count]
            self._sum = crc32c(new.data, self._sum)
            self._n_summed = positions.count


def autocorr_time(
    chain: ArrayLike,
    c: float = 5,
    tol: float = 50,
    quiet: bool = False,
    has_walkers: bool = True,
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Estimate the integrated autocorrelation time of each parameter of a chain.

    As `drawstore.autocorr.integrated_time`, but with `emcee.autocorr.AutocorrError`, and with the
    warning in emcee's log.
    """
    # With a tolerance of 0 no chain is too short: that is checked here instead.
    tau = integrated_time(chain, c, tol=0, has_walkers=has_walkers, threads=threads)
    _check(tau, len(np.atleast_1d(chain)), tol, quiet)
    return tau


def _check(tau: NDArray[np.float64], n_steps: int, tol: float, quiet: bool) -> None:
    check_converged(
        tau,
        n_steps,
        tol=tol,
        quiet=quiet,
        error=emcee.autocorr.AutocorrError,
        logger=emcee.autocorr.logger,
    )
