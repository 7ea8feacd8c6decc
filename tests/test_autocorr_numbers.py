"""Autocorrelation times of numbers that are hard on the mean and on the sums."""

import emcee
import emcee.autocorr
import numpy as np
import pytest

from autocorr_series import assert_as_emcee, autoregressive, emcee_time, time
from drawstore.autocorr import function_1d

# Numbers that are hard on the mean and on the sums.


def test_large_mean():
    draws = np.round(autoregressive((5000, 4, 2)) * 2**10) / 2**10
    np.testing.assert_allclose(time(draws + 2.0**40), emcee_time(draws), rtol=1e-10)


def test_a_start_far_away():
    draws = autoregressive((5000, 4, 2))
    draws[0] += 1e7
    assert_as_emcee(draws)
    draws[700, 1, 1] -= 1e7
    assert_as_emcee(draws)


def test_walkers_of_different_scales():
    draws = autoregressive((3000, 6, 3)) * np.logspace(-120, 120, 18).reshape(6, 3)
    assert_as_emcee(draws)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_steps", [1, 2, 40, 5000])
@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("dtype", ["f4", "f8", "g"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_numbers_that_are_not_finite_concern_their_parameter_only(bad, n_steps, at, dtype):
    draws = autoregressive((n_steps, 5, 3)).astype(dtype)
    draws[at, 3, 1] = bad
    tau = time(draws)
    expected = emcee_time(draws)
    assert np.isnan(tau[1])
    assert np.isnan(expected[1])
    np.testing.assert_allclose(tau, expected, rtol=1e-3 if dtype == "f4" else 1e-10, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e300, -7.5])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 100, 3000])
def test_constant_series(value, n_steps):
    # emcee's answer hangs on the rounding of the mean; where that is exact, it is NaN.
    draws = autoregressive((n_steps, 3, 2))
    draws[:, 1, 0] = value
    tau = time(draws)
    assert np.isnan(tau[0])
    np.testing.assert_allclose(tau[1:], time(draws[:, :, 1:]), rtol=1e-10, atol=1e-12)
    assert np.isnan(function_1d(draws[:, 1, 0])).all()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_one_step():
    draws = np.ones((1, 4, 3))
    np.testing.assert_array_equal(time(draws), emcee_time(draws))
    assert np.isnan(time(5.0)).all()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_no_walkers_and_no_parameters():
    for shape in [(5, 0, 3), (5, 4, 0), (5, 0, 0)]:
        np.testing.assert_array_equal(time(np.ones(shape)), emcee_time(np.ones(shape)))


@pytest.mark.parametrize("shape", [(0,), (0, 4), (0, 4, 2)])
def test_no_steps(shape):
    with pytest.raises(ValueError, match="no steps"):
        time(np.ones(shape))


# The function.


@pytest.mark.parametrize("n_steps", [*range(2, 40), 100, 1023, 1024, 1025, 5000, 65_537])
@pytest.mark.parametrize("coefficient", [0.0, 0.99])
def test_function(n_steps, coefficient):
    series = autoregressive((n_steps,), coefficient) + 3
    actual = function_1d(series)
    expected = emcee.autocorr.function_1d(series)
    assert actual[0] == 1
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


def test_function_of_something_else():
    assert np.isnan(function_1d(3.0)).all()
    assert np.isnan(function_1d([1.0, np.nan, 2.0])).all()
    with pytest.raises(ValueError, match="one series"):
        function_1d(np.ones((3, 2)))
    with pytest.raises(ValueError, match="no steps"):
        function_1d([])
