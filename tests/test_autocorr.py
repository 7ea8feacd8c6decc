"""Autocorrelation times are emcee's: for every length, window, axis and dtype."""

import subprocess
import sys
import tracemalloc

import emcee
import emcee.autocorr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocorr_series import assert_as_emcee, autoregressive, emcee_time, time
from drawstore.autocorr import function_1d

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
