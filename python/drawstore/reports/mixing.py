"""How far draws are from independent ones: autocorrelation time, effective sample size, R-hat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawstore._core import integrated_time
from drawstore.monitor.agreement import rhat_of

__all__ = ["RELIABLE", "common_stretch", "split_rhat", "tau_of"]

RELIABLE = 50  # autocorrelation times that a chain has to last, as in emcee

Numbers = NDArray[np.float64]


def common_stretch(draws: NDArray[Any], lengths: Sequence[int]) -> NDArray[Any]:
    """Cut chains to one length.

    Parameters
    ----------
    draws : ndarray, shape (..., n)
        Of all chains, one behind the other.
    lengths : sequence of int
        Of the chains.

    Returns
    -------
    ndarray, shape (..., n_chains, n_steps)
        The first draws of each chain; without chains that are less than half as long as the
        longest one.
    """
    longest = max(lengths, default=0)
    kept = [n for n in lengths if 2 * n >= longest]
    n_steps = min(kept, default=0)
    if all(n == n_steps for n in lengths):
        return draws.reshape(*draws.shape[:-1], len(lengths), n_steps)
    starts = np.cumsum([0, *lengths[:-1]])
    chosen = [s for s, n in zip(starts, lengths, strict=True) if 2 * n >= longest]
    return np.stack([draws[..., s : s + n_steps] for s in chosen], axis=-2)


def tau_of(draws: NDArray[Any]) -> Numbers:
    """Estimate the integrated autocorrelation time, as `drawstore.autocorr.integrated_time` does.

    Parameters
    ----------
    draws : ndarray, shape (size, n_chains, n_steps)
        Of independent chains, or of the walkers of an ensemble.

    Returns
    -------
    ndarray, shape (size,)
        In steps; NaN without steps.
    """
    if not draws.size:
        return np.full(len(draws), np.nan)
    values = draws if draws.dtype.kind == "f" and draws.itemsize > 2 else draws.astype(np.float64)
    return integrated_time(values.transpose(2, 1, 0))


def split_rhat(draws: NDArray[Any]) -> Numbers:
    """Compare the halves of independent chains by split R-hat.

    Parameters
    ----------
    draws : ndarray, shape (size, n_chains, n_steps)

    Returns
    -------
    ndarray, shape (size,)
        NaN for fewer than two chains, or than four steps.

    Notes
    -----
    R-hat is as in A. Gelman et al., "Bayesian Data Analysis", 3rd ed., 2013, section 11.4. Walkers
    of one ensemble are no independent chains: for them it says nothing.

    The halves are exact, for which all draws have to be there; `drawstore.monitor` follows draws
    that come and are not read again, by halves that meet near the middle.
    """
    size, n_chains, n_steps = draws.shape
    half = n_steps // 2
    if n_chains < 2 or half < 2:
        return np.full(size, np.nan)
    halves = np.concatenate([draws[..., :half], draws[..., n_steps - half :]], axis=1)
    halves = halves.astype(np.float64)
    with np.errstate(all="ignore"):
        mean, variance = halves.mean(axis=2).T, halves.var(axis=2, ddof=1).T
    return rhat_of(np.full(len(mean), float(half)), mean, variance)
