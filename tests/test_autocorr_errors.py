"""Warnings and errors of autocorrelation times, and how backends give them."""

import logging
import pickle
import subprocess
import sys

import emcee
import emcee.autocorr
import numpy as np
import pytest

import drawstore.emcee
from autocorr_series import autoregressive, time
from drawstore.autocorr import AutocorrError, check_converged, integrated_time

# Warnings and errors.


def test_too_short_a_chain_is_an_error():
    draws = autoregressive((200, 4, 3))
    with pytest.raises(AutocorrError, match="3 of the parameters") as caught:
        integrated_time(draws)
    np.testing.assert_array_equal(caught.value.tau, time(draws))
    with pytest.raises(emcee.autocorr.AutocorrError):
        emcee.autocorr.integrated_time(draws)


def test_too_short_a_chain_is_a_warning_if_quiet(caplog):
    draws = autoregressive((200, 4, 3))
    with caplog.at_level(logging.WARNING):
        tau = integrated_time(draws, quiet=True)
    np.testing.assert_array_equal(tau, time(draws))
    assert [(r.name, r.levelname) for r in caplog.records] == [("drawstore.autocorr", "WARNING")]
    assert "200 steps" in caplog.text


def test_long_enough_a_chain_says_nothing(caplog):
    integrated_time(autoregressive((5000, 4, 3)), quiet=True)
    integrated_time(autoregressive((200, 4, 3)), tol=0)
    assert not caplog.records


def test_tolerance_is_exact():
    tau = np.array([4.0, np.nan, 1.0])
    check_converged(tau, 200)
    with pytest.raises(AutocorrError, match="1 of the parameters"):
        check_converged(tau, 199)


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(AutocorrError(np.arange(3.0), "too short")))
    np.testing.assert_array_equal(error.tau, np.arange(3.0))
    assert str(error) == "too short"


def test_works_without_emcee():
    script = """
import sys
sys.modules["emcee"] = None
import numpy as np
from drawstore.autocorr import integrated_time
integrated_time(np.random.default_rng(1).normal(size=5000))
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# Backends.


@pytest.fixture(params=drawstore.emcee.get_test_backends(), ids=lambda cls: cls.__name__)
def sampled(request):
    """A backend of ours and one of emcee's with the same steps."""
    theirs = emcee.backends.Backend()
    with request.param() as ours:
        for backend in (ours, theirs):
            sampler = emcee.EnsembleSampler(10, 2, lambda x: -0.5 * x @ x, backend=backend)
            sampler.random_state = np.random.RandomState(3).get_state()
            sampler.run_mcmc(autoregressive((10, 2)), 300)
        yield ours, theirs


@pytest.mark.parametrize("kwargs", [{}, {"discard": 51, "thin": 3}, {"c": 3, "has_walkers": False}])
def test_backends(sampled, kwargs):
    ours, theirs = sampled
    expected = theirs.get_autocorr_time(tol=0, **kwargs)
    np.testing.assert_allclose(ours.get_autocorr_time(tol=0, **kwargs), expected, rtol=1e-10)
    np.testing.assert_allclose(
        ours.get_autocorr_time(tol=0, threads=2, **kwargs), expected, rtol=1e-10
    )


def test_backends_raise_and_log_as_emcee(sampled, caplog):
    for backend in sampled:
        with pytest.raises(emcee.autocorr.AutocorrError) as caught:
            backend.get_autocorr_time(tol=100)
        np.testing.assert_allclose(caught.value.tau, backend.get_autocorr_time(tol=0))
        caplog.clear()
        backend.get_autocorr_time(tol=100, quiet=True)
        assert [(r.name, r.levelname) for r in caplog.records] == [("emcee.autocorr", "WARNING")]


def test_backends_refuse_unknown_options(sampled):
    for backend in sampled:
        with pytest.raises(TypeError, match="windows"):
            backend.get_autocorr_time(windows=3)
