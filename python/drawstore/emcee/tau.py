"""Autocorrelation times with emcee's own error and log."""

from __future__ import annotations

import emcee.autocorr
import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawstore.autocorr import check_converged, integrated_time

__all__ = ["autocorr_time"]


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
    check_converged(
        tau,
        len(np.atleast_1d(chain)),
        tol=tol,
        quiet=quiet,
        error=emcee.autocorr.AutocorrError,
        logger=emcee.autocorr.logger,
    )
    return tau
