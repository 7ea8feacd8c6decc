"""Autocorrelation functions and integrated autocorrelation times.

The functions of `emcee.autocorr`, with the same numbers, computed in the compiled core: blocks of
the draws that stay in the processor's cache, transformed several series at a time.

References
----------
.. [1] A. Sokal, "Monte Carlo Methods in Statistical Mechanics: Foundations and New Algorithms",
   lecture notes, 1989: the estimate of the time and its window.
.. [2] J. Goodman and J. Weare, "Ensemble samplers with affine invariance", Commun. Appl. Math.
   Comput. Sci. 5, 65, 2010: ensembles of walkers.
.. [3] C. M. Rader, "An improved algorithm for high speed autocorrelation with applications to
   spectral estimation", IEEE Trans. Audio Electroacoust. 18, 439, 1970: the blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

__all__ = ["AutocorrError", "check_converged", "function_1d", "integrated_time"]

_logger = logging.getLogger(__name__)


class AutocorrError(Exception):
    """The chain is too short for a reliable autocorrelation time.

    Attributes
    ----------
    tau : ndarray, shape (n_params,)
        The estimate all the same, in steps.
    """

    def __init__(self, tau: NDArray[np.float64], *args: object) -> None:
        self.tau = tau
        super().__init__(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.tau, *self.args)


def function_1d(x: ArrayLike) -> NDArray[np.float64]:
    """Estimate the autocorrelation function of one series.

    Parameters
    ----------
    x : array_like, shape (n_steps,)
        Real numbers, at any stride.

    Returns
    -------
    ndarray of float64, shape (n_steps,)
        At lags 0, 1, …, and 1 at lag 0. All NaN for a constant series, and for one with values that
        are not finite.

    Raises
    ------
    ValueError
        For an empty series, and for more than one axis.
    TypeError
        For anything but real numbers.
    """
    return _core.function_1d(np.atleast_1d(x))


def integrated_time(
    x: ArrayLike,
    c: float = 5,
    tol: float = 50,
    quiet: bool = False,
    has_walkers: bool = True,
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Estimate the integrated autocorrelation time of each parameter.

    The normalised autocorrelation functions of the walkers are averaged [2]_, and summed up to the
    first lag that is not below ``c`` times the sum so far [1]_.

    Parameters
    ----------
    x : array_like, shape (n_steps,), (n_steps, n_walkers) or (n_steps, n_walkers, n_params)
        The draws. float32, float64 and long double are read where they are, at any strides; others
        are converted to float64.
    c : float
        Width of the window, in autocorrelation times.
    tol : float
        Autocorrelation times that the chain has to last for the estimate to be trusted.
    quiet : bool
        Log a warning, instead of raising an error, where the chain is too short.
    has_walkers : bool
        False for two axes that are (n_steps, n_params).
    threads : int
        The most threads to use.

    Returns
    -------
    ndarray of float64, shape (n_params,)
        In steps. NaN for a parameter of which a walker never moved, or has values that are not
        finite.

    Raises
    ------
    AutocorrError
        Where the chain is too short, unless ``quiet``; `AutocorrError.tau` is the estimate.
    ValueError
        For no steps, more than three axes, and less than one thread.
    TypeError
        For anything but real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from drawstore.autocorr import integrated_time
    >>> walk = np.random.default_rng(1).normal(size=(20_000, 8, 2))
    >>> for before, after in zip(walk, walk[1:]):
    ...     after += 0.9 * before  # of which tau is 19
    >>> bool(np.all(np.abs(integrated_time(walk) - 19) < 3))
    True
    """
    draws = np.atleast_1d(x)
    if draws.ndim == 1:
        draws = draws[:, np.newaxis, np.newaxis]
    elif draws.ndim == 2:
        draws = draws[:, :, np.newaxis] if has_walkers else draws[:, np.newaxis, :]
    tau = _core.integrated_time(draws, c, threads=threads)
    check_converged(tau, len(draws), tol=tol, quiet=quiet)
    return tau


def check_converged(
    tau: NDArray[np.float64],
    n_steps: int,
    *,
    tol: float = 50,
    quiet: bool = False,
    error: Callable[[NDArray[np.float64], str], Exception] = AutocorrError,
    logger: logging.Logger = _logger,
) -> None:
    """Check that a chain lasts long enough for its autocorrelation times.

    Parameters
    ----------
    tau : ndarray, shape (n_params,)
        Autocorrelation times, in steps. A NaN counts as one that is short enough.
    n_steps : int
        Length of the chain.
    tol : float
        Autocorrelation times that the chain has to last.
    quiet : bool
        Log a warning instead of raising an error.
    error : callable
        Makes the exception from the times and a message.
    logger : logging.Logger
        Of the warning.

    Raises
    ------
    AutocorrError
        Or what ``error`` makes, where the chain is too short, unless ``quiet``.
    """
    too_short = np.count_nonzero(tol * tau > n_steps)
    if too_short == 0:
        return
    message = (
        f"{n_steps} steps are fewer than {tol} autocorrelation times for {too_short} of the "
        f"parameters: run a longer chain, or take these times with care.\n"
        f"N/{tol} = {n_steps / tol:.0f};\ntau: {tau}"
    )
    if not quiet:
        raise error(tau, message)
    logger.warning(message)
