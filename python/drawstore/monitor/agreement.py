"""Split R-hat of sequences that grow, from moments that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunningRhat", "rhat_of"]

_MAX_BLOCKS = 128  # then two become one

Numbers = NDArray[np.float64]


def rhat_of(n: Numbers, mean: Numbers, variance: Numbers) -> Numbers:
    """Compare the halves of sequences.

    Parameters
    ----------
    n : ndarray, shape (n_halves,)
        Draws of each.
    mean, variance : ndarray, shape (n_halves, ...)
        Of each half; the variance with ``ddof=1``.

    Returns
    -------
    ndarray, shape (...)
    """
    with np.errstate(all="ignore"):
        between = mean.var(axis=0, ddof=1)
        rhat: Numbers = np.sqrt(1 - 1 / np.mean(n) + between / variance.mean(axis=0))
    return rhat


class RunningRhat:
    """R-hat of sequences of the same length: independent chains, or ensembles.

    Each sequence is cut into its first and its second half, and the variance of the means of all
    halves compared to that within them [1]_. The draws of an ensemble's walkers at one step are
    pooled. What is kept are mean and sum of squares of each of up to 128 blocks of steps, combined
    as in [2]_, so the halves meet at the end of the block that is nearest to the middle, within
    N / 128 of it. It can be asked after every draw, and reads none twice; for the exact halves of
    draws that are all there see `drawstore.reports.mixing.split_rhat`.

    Parameters
    ----------
    n_walkers : sequence of int
        Of each sequence.
    n_params : int

    References
    ----------
    .. [1] A. Gelman et al., "Bayesian Data Analysis", 3rd ed., 2013, section 11.4.
    .. [2] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance:
       analysis and recommendations", The American Statistician 37, 242, 1983.
    """

    def __init__(self, n_walkers: Sequence[int], n_params: int) -> None:
        self._ends = np.cumsum(n_walkers)
        self._n_params = n_params
        self._rows = 1  # of a full block
        self._blocks: list[_Moments] = []  # all full but the last one

    @property
    def n_steps(self) -> int:
        """Steps that were taken in."""
        return sum(block.n_steps for block in self._blocks)

    def add(self, draws: NDArray[Any]) -> None:
        """Take in the steps that follow, shape (n_steps, all walkers, n_params)."""
        done = 0
        while done < len(draws):
            if not self._blocks or self._blocks[-1].n_steps == self._rows:
                if len(self._blocks) == _MAX_BLOCKS:
                    pairs = zip(self._blocks[::2], self._blocks[1::2], strict=True)
                    self._blocks = [_joined(pair) for pair in pairs]
                    self._rows *= 2
                    continue
                self._blocks.append(_Moments.none(len(self._ends), self._n_params))
            n = min(self._rows - self._blocks[-1].n_steps, len(draws) - done)
            new = self._moments(draws[done : done + n])
            self._blocks[-1] = _joined([self._blocks[-1], new])
            done += n

    def rhat(self) -> Numbers:
        """Give R-hat of each parameter; NaN before there are two halves of two steps or more."""
        edges = np.cumsum([0, *(block.n_steps for block in self._blocks)])
        cut = int(np.argmin(np.abs(edges - edges[-1] / 2)))
        halves = [_joined(blocks) for blocks in (self._blocks[:cut], self._blocks[cut:]) if blocks]
        if len(halves) < 2 or min(half.n_steps for half in halves) < 2:
            return np.full(self._n_params, np.nan)
        n = np.concatenate([half.n_draws for half in halves])
        mean = np.concatenate([half.mean for half in halves])
        squares = np.concatenate([half.squares for half in halves])
        return rhat_of(n, mean, squares / (n - 1)[:, np.newaxis])

    def _moments(self, draws: NDArray[Any]) -> _Moments:
        n, mean, squares = [], [], []
        for walkers in np.split(draws, self._ends[:-1], axis=1):
            values = walkers.reshape(-1, self._n_params).astype(np.float64)
            n.append(len(values))
            mean.append(values.mean(axis=0))
            squares.append(np.square(values - mean[-1]).sum(axis=0))
        return _Moments(len(draws), np.array(n, dtype=float), np.array(mean), np.array(squares))


@dataclass(frozen=True)
class _Moments:
    """Of each sequence and parameter: the mean, and the sum of squares about it."""

    n_steps: int
    n_draws: Numbers  # (n_sequences,)
    mean: Numbers  # (n_sequences, n_params)
    squares: Numbers

    @staticmethod
    def none(n_sequences: int, n_params: int) -> _Moments:
        zeros = np.zeros((n_sequences, n_params))
        return _Moments(0, np.zeros(n_sequences), zeros, zeros)


def _joined(parts: Sequence[_Moments]) -> _Moments:
    """Combine the moments of stretches that follow one another, at least one."""
    n = np.array([part.n_draws for part in parts])[:, :, np.newaxis]
    mean = np.array([part.mean for part in parts])
    total = n.sum(axis=0)
    joined = (n * mean).sum(axis=0) / total
    squares = sum((part.squares for part in parts), np.zeros_like(joined))
    squares = squares + (n * np.square(mean - joined)).sum(axis=0)
    return _Moments(sum(part.n_steps for part in parts), total[:, 0], joined, squares)
