import logging
import pickle
import subprocess
import sys
import tracemalloc

import emcee
import emcee.autocorr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drawstore.emcee
from drawstore.autocorr import AutocorrError, check_converged, function_1d, integrated_time


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


# Around the sizes of blocks, and of tiles for the means, and between them.
LENGTHS = [
    *range(2, 20),
    *(size + i for size in (31, 64, 127, 128, 256, 512, 1024) for i in (-1, 0, 1)),
    *(size + i for size in (2048, 4096, 8192, 16384) for i in (-1, 0, 1, 77)),
    3 * 1024,
    5 * 1024 + 1,
    10_000,
    33_333,
    70_001,
]


@pytest.mark.parametrize("n_steps", LENGTHS)
@pytest.mark.parametrize("coefficient", [0.0, 0.9])
def test_lengths(n_steps, coefficient):
    assert_as_emcee(autoregressive((n_steps, 3, 2), coefficient, n_steps))


@pytest.mark.parametrize("coefficient", [-0.9, 0.5, 0.99, 0.998, 0.9997])
@pytest.mark.parametrize("n_steps", [1000, 6000, 40_000])
def test_windows_of_all_sizes(n_steps, coefficient):
    assert_as_emcee(autoregressive((n_steps, 4, 3), coefficient))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("coefficient", [0.5, 0.97, 0.996])
@pytest.mark.parametrize("n_steps", [8191, 9001, 12_288])
def test_wide_rows_are_read_in_chunks(n_steps, coefficient, threads):
    wide = np.zeros((n_steps, 1024))
    draws = wide[:, :36].reshape(n_steps, 12, 3)
    draws[...] = autoregressive(draws.shape, coefficient)
    assert draws.strides[0] == 8192
    assert_as_emcee(draws, threads=threads)


@pytest.mark.parametrize(("first", "then"), [(0.0, 0.999), (0.999, 0.0)])
def test_a_start_that_misleads_about_the_rest(first, then):
    start = autoregressive((5000, 8, 2), first, 1)
    rest = autoregressive((15_000, 8, 2), then, 2)
    assert_as_emcee(np.concatenate([start, rest]))


def test_a_start_that_does_not_move():
    draws = autoregressive((20_000, 8, 2))
    draws[:6000] = draws.mean(axis=0)
    assert_as_emcee(draws)


def test_random_walk_of_many_blocks():
    assert_as_emcee(np.cumsum(autoregressive((300_000, 2, 1), 0.0), axis=0))


@pytest.mark.parametrize("n_params", [1, 2, 3, 5, 7, 8, 9, 16, 17, 33])
@pytest.mark.parametrize("n_walkers", [1, 2, 3, 8, 15, 16, 17, 33])
def test_counts_of_walkers_and_parameters(n_walkers, n_params):
    assert_as_emcee(autoregressive((700, n_walkers, n_params)))


def test_parameters_that_need_different_windows():
    parts = [autoregressive((50_000, 6, 1), a) for a in (0.1, 0.9999, 0.9, 0.99, 0.0, 0.999)]
    draws = np.concatenate(parts, axis=2)
    assert_as_emcee(draws)
    assert_as_emcee(draws, threads=3)


@pytest.mark.parametrize("c", [0, -1, 1, 4.5, 20, 1000, 1e9, np.nan])
@pytest.mark.parametrize("n_steps", [3, 500, 5000])
def test_every_width_of_the_window(c, n_steps):
    assert_as_emcee(autoregressive((n_steps, 4, 2), 0.95), c=c)


@settings(max_examples=150, deadline=None)
@given(
    n_steps=st.integers(2, 6000),
    n_walkers=st.integers(1, 9),
    n_params=st.integers(1, 9),
    coefficient=st.floats(-0.99, 0.999),
    offset=st.floats(-100, 100),
    scale=st.floats(1e-3, 1e3),
    thin=st.integers(1, 5),
    threads=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_anything(n_steps, n_walkers, n_params, coefficient, offset, scale, thin, threads, seed):
    draws = scale * (offset + autoregressive((n_steps, n_walkers, n_params), coefficient, seed))
    thinned = draws[thin - 1 :: thin]
    if len(thinned) > 1:
        assert_as_emcee(thinned, threads=threads)


# Axes, types and places.


@pytest.mark.parametrize("shape", [(3000,), (3000, 5), (3000, 5, 2)])
@pytest.mark.parametrize("has_walkers", [True, False])
def test_axes(shape, has_walkers):
    assert_as_emcee(autoregressive(shape), has_walkers=has_walkers)


def test_a_list_is_a_series():
    assert_as_emcee([1.0, 2.0, 1.5, -3.0, 2.0])


@pytest.mark.parametrize("shape", [(4, 3, 2, 1), (1, 1, 1, 1, 1)])
def test_too_many_axes(shape):
    with pytest.raises(ValueError, match="axes"):
        time(np.zeros(shape))
    with pytest.raises(ValueError, match="dimensions"):
        emcee_time(np.zeros(shape))


VIEWS = {
    "thinned": lambda x: x[2::3],
    "discarded": lambda x: x[501:],
    "reversed": lambda x: x[::-1],
    "some walkers": lambda x: x[:, 1::2],
    "walkers reversed": lambda x: x[:, ::-1],
    "some parameters": lambda x: x[:, :, 1:3],
    "parameters reversed": lambda x: x[:, :, ::-1],
    "walkers and parameters swapped": lambda x: x.transpose(0, 2, 1),
    "Fortran order": np.asfortranarray,
    "one walker for all": lambda x: np.broadcast_to(x[:, :1], x.shape),
    "a field": lambda x: x.astype([("x", "f8"), ("y", "f4")])["x"],
    "not aligned": lambda x: x.astype([("pad", "i1"), ("x", "f8")])["x"],
    "swapped bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
}


@pytest.mark.parametrize("view", VIEWS)
def test_views(view):
    draws = autoregressive((3500, 6, 5))
    before = draws.copy()
    assert_as_emcee(VIEWS[view](draws))
    np.testing.assert_array_equal(draws, before)


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_one_series(view):
    series = VIEWS[view](autoregressive((3500, 6, 5)))[:, 0, 0]
    assert_as_emcee(series)
    np.testing.assert_allclose(
        function_1d(series), emcee.autocorr.function_1d(series), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", "i1", "i2", "i4", "i8", "u1", "u8", "?"])
@pytest.mark.parametrize("shape", [(3000, 4, 2), (2500, 8, 2), (5000, 1, 1)])
def test_types(dtype, shape):
    draws = 20 * autoregressive(shape) + 100
    draws = (draws > 100 if dtype == "?" else np.clip(draws, 0, 127)).astype(dtype)
    # emcee computes in the precision of the draws.
    exact = emcee_time(draws.astype("g" if dtype == "g" else "f8"))
    np.testing.assert_allclose(time(draws), exact, rtol=1e-10)
    np.testing.assert_allclose(
        emcee_time(draws), exact, rtol={"f2": 0.2, "f4": 1e-4}.get(dtype, 1e-10)
    )


@pytest.mark.parametrize("dtype", ["c16", "O", "U3", "M8[s]", "m8[s]", [("a", "f8")]])
def test_what_is_not_a_real_number(dtype):
    draws = np.zeros((10, 2, 1), dtype=dtype)
    with pytest.raises(TypeError, match="real numbers"):
        time(draws)
    with pytest.raises(TypeError, match="real numbers"):
        function_1d(draws[:, 0, 0])


def test_long_double_keeps_what_float64_cannot_hold():
    spare_bits = np.finfo("g").nmant - np.finfo("f8").nmant
    offset = np.longdouble(2) ** (spare_bits + 30)
    draws = autoregressive((2000, 3, 2)).astype("g")
    np.testing.assert_allclose(time(draws + offset), emcee_time(draws), rtol=1e-6)


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


# Threads and memory.


@pytest.mark.parametrize("shape", [(2, 1, 1), (5000, 1, 1), (30_000, 3, 1), (4000, 16, 5)])
@pytest.mark.parametrize("coefficient", [0.5, 0.9999])
def test_threads(shape, coefficient):
    draws = autoregressive(shape, coefficient)
    for threads in (2, 3, 8, 1000):
        assert_as_emcee(draws, threads=threads)


@pytest.mark.parametrize("threads", [0, -1])
def test_less_than_one_thread(threads):
    with pytest.raises(ValueError, match="threads"):
        time(autoregressive((100,)), threads=threads)


def test_reads_draws_where_they_are():
    # In a process of its own, because what is to be measured is the peak.
    script = """
import resource, numpy as np
from drawstore.autocorr import integrated_time
draws = np.random.default_rng(1).normal(size=(1_000_000, 8, 2))
integrated_time(draws[:5000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
integrated_time(draws)
integrated_time(draws[1::2, ::-1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    assert int(printed) * unit < 8e6


def test_results_are_all_that_python_allocates():
    draws = autoregressive((5000, 8, 2))
    tracemalloc.start()
    try:
        time(draws[::-1])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


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
