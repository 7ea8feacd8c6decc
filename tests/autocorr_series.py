"""Series for the tests of autocorrelation times, and what emcee says of them."""

import emcee
import emcee.autocorr
import numpy as np

from drawstore.autocorr import integrated_time


def autoregressive(shape, coefficient=0.9, seed=1):
    """Draws of which each is ``coefficient`` times the one before, plus noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape)
    draws = np.empty(shape)
    draws[0] = noise[0] / np.sqrt(1 - coefficient**2)
    for i in range(1, shape[0]):
        draws[i] = coefficient * draws[i - 1] + noise[i]
    return draws


def emcee_time(draws, c=5, has_walkers=True):
    return emcee.autocorr.integrated_time(draws, c=c, tol=0, has_walkers=has_walkers)


def time(draws, c=5, has_walkers=True, threads=1):
    return integrated_time(draws, c=c, tol=0, has_walkers=has_walkers, threads=threads)


def assert_as_emcee(draws, threads=1, **kwargs):
    # τ is a sum of numbers of which the first is 1; where it is much smaller, they cancel. emcee's
    # rounding of the mean is felt there.
    expected = emcee_time(draws, **kwargs)
    actual = time(draws, threads=threads, **kwargs)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-11)
