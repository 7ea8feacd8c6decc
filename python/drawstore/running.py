"""Autocorrelation times of draws that grow, for who asks again and again.

The numbers of `drawstore.autocorr.integrated_time`. Sums of the products of each series with
itself, up to a lag that holds the windows, are kept in the compiled core; new draws are added to
them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core

__all__ = ["RunningTime"]

_FEWEST_LAGS = 64
_MARGIN = 1.5  # what windows may grow before the sums have to be made anew
_LEAST_STEPS = 4  # for each lag that is kept; a shorter chain is as fast done as a whole
_MOST_GROWTH = 4  # of draws whose window says which sums more of them need
_MOST_BYTES = 2**28  # of sums
_FEW_BYTES = 2**24  # of sums, which may be more than the draws themselves
_BLOCK_BYTES = 2**24  # of draws that are read at a time
_LARGE_ROW = 2**14  # bytes; whoever has larger draws has few of them


class RunningTime:
    """Integrated autocorrelation times of draws that grow: asking again costs the new draws only.

    The first time, and as long as there are few draws for such windows, or many more than the last
    time, all are read. Later those that came since, and the one before them: where that is not what
    it was, all begins anew. That is all that is noticed of draws that change. All are read again
    where a window outgrows the lags that are kept: a number of times that grows as the logarithm of
    the window.

    Any thread may ask.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` gives the draws from ``start`` up to ``stop``, an ndarray of real
        numbers, of shape (stop - start, n_walkers, n_params). It is not changed, and not kept.
    most_bytes : float
        More draws are read in blocks, but for windows that need nearly all of them; inf where
        reading costs no memory.
    """

    def __init__(
        self, read: Callable[[int, int], NDArray[Any]], *, most_bytes: float = 2**27
    ) -> None:
        self._read = read
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._forget()

    @property
    def n_seen(self) -> int:
        """How many of the first draws are kept as sums; all but the last are not read again."""
        sums = self._sums
        return 0 if sums is None else sums.n_steps

    def tau(self, n_steps: int, c: float = 5, *, threads: int = 1) -> NDArray[np.float64]:
        """Estimate the integrated autocorrelation time of each parameter.

        Parameters
        ----------
        n_steps : int
            Of how many draws, from the first on. Fewer than before begin anew.
        c : float
            Width of the window, in autocorrelation times.
        threads : int
            The most threads to use.

        Returns
        -------
        ndarray of float64, shape (n_params,)
            In steps: what `drawstore.autocorr.integrated_time` gives, to 1e-8 relative. NaN for a
            parameter of which a walker never moved, or has values that are not finite.

        Raises
        ------
        ValueError
            For no draws, and less than one thread.
        TypeError
            For anything but real numbers.
        """
        if threads < 1:
            raise ValueError("threads must be at least 1")
        with self._lock:
            try:
                return self._tau(n_steps, c, threads)
            except BaseException:
                self._forget()
                raise

    def _forget(self) -> None:
        self._sums: _core.LagSums | None = None
        self._last = b""  # of the draws in the sums
        self._like: NDArray[Any] = np.empty((0, 0, 0))  # no draws, but their shape and dtype
        self._n_lags: float = math.inf  # that sums are likely to need
        self._n_steps = 0  # that were last read as a whole

    def _tau(self, n_steps: int, c: float, threads: int) -> NDArray[np.float64]:
        if self._sums is None and n_steps <= _MOST_GROWTH * self._n_steps:
            self._begin(n_steps)
        n_lags, grows = 0, self._n_steps > 0
        if self._sums is not None:
            if self._catch_up(self._sums, n_steps, threads):
                tau = self._sums.integrated_time(c)
                if tau is not None:
                    return tau
                n_lags, grows = 2 * self._sums.n_lags, True
            self._forget()
        if n_steps * self._row_bytes(n_steps) > self._most_bytes:
            tau = self._in_blocks(n_steps, c, threads, n_lags)
            if tau is not None:
                return tau
        draws = self._read(0, n_steps)
        tau = _core.integrated_time(draws, c, threads=threads)
        self._like = np.empty((0, *draws.shape[1:]), draws.dtype)
        self._n_lags = max(n_lags, _lags_for(tau, c))
        if grows:
            self._begin(n_steps)
        if self._sums is not None:
            self._sums.append(draws, threads=threads)
            self._last = draws[-1].tobytes()
            if self._sums.integrated_time(c) is None:  # there is no such window
                self._sums = None
        self._n_steps = n_steps
        return tau

    def _begin(self, n_steps: int) -> None:
        """Let there be sums, where they pay: for draws that grow, and are many for their window."""
        if n_steps <= self._n_steps or n_steps < _LEAST_STEPS * self._n_lags:
            return
        self._sums = self._sums_for(int(self._n_lags), n_steps)

    def _sums_for(self, n_lags: int, n_steps: int) -> _core.LagSums | None:
        """Make sums, where they are not too large."""
        _, n_walkers, n_params = self._like.shape
        n_bytes = 3 * n_lags * 8 * (-(-n_walkers * n_params // 16) * 16)
        draws_bytes = n_steps * n_walkers * n_params * self._like.itemsize
        if n_bytes > min(_MOST_BYTES, max(_FEW_BYTES, draws_bytes)):
            return None
        return _core.LagSums(n_walkers, n_params, n_lags)

    def _row_bytes(self, n_steps: int) -> int:
        """Tell the size of a draw, for which one may be read; 0 where so few are never many."""
        if n_steps * _LARGE_ROW <= self._most_bytes:
            return 0
        row = self._read(0, 1)
        return row.nbytes

    def _in_blocks(
        self, n_steps: int, c: float, threads: int, n_lags: int
    ) -> NDArray[np.float64] | None:
        """Begin with sums at once; None where a window needs more lags than can be kept."""
        draws = self._read(0, min(n_steps, max(1, _BLOCK_BYTES // self._row_bytes(n_steps))))
        self._like = np.empty((0, *draws.shape[1:]), draws.dtype)
        lags = max(n_lags, _lags_for(_core.integrated_time(draws, c, threads=threads), c))
        del draws
        while _LEAST_STEPS * lags <= n_steps:
            sums = self._sums_for(int(lags), n_steps)
            if sums is None or not self._catch_up(sums, n_steps, threads):
                break
            tau = sums.integrated_time(c)
            if tau is not None:
                self._sums = sums
                return tau
            lags *= 4
        self._forget()
        return None

    def _catch_up(self, sums: _core.LagSums, n_steps: int, threads: int) -> bool:
        """Add the draws that came; False where those before are others than they were."""
        if n_steps < sums.n_steps:
            return False
        row_bytes = math.prod(self._like.shape[1:]) * self._like.itemsize
        block = max(1, _BLOCK_BYTES // max(1, row_bytes))
        start = max(0, sums.n_steps - 1)
        while start < n_steps:
            stop = min(start + block, n_steps)
            draws = self._read(start, stop)
            if draws.shape != (stop - start, *self._like.shape[1:]):
                return False
            if draws.dtype != self._like.dtype:
                return False
            n_known = sums.n_steps - start
            if n_known > 0 and draws[0].tobytes() != self._last:
                return False
            sums.append(draws[n_known:], threads=threads)
            self._last = draws[-1].tobytes()
            start = stop
        return True


def _lags_for(tau: NDArray[np.float64], c: float) -> float:
    """Say how many lags hold windows of such times, and some more; inf where there are none."""
    longest = np.max(tau, initial=0, where=np.isfinite(tau))
    lags = _MARGIN * float(c) * float(longest)
    if not math.isfinite(lags):
        return math.inf
    return max(_FEWEST_LAGS, math.ceil(lags))
