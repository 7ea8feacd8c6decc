"""Times of draws that grow: at every point what `integrated_time` gives of all draws."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawstore import _core
from drawstore.autocorr import integrated_time
from drawstore.running import RunningTime


def autoregressive(shape, coefficient=0.9, seed=1):
    """Draws of which each is ``coefficient`` times the one before, plus noise."""
    noise = np.random.default_rng(seed).normal(size=shape)
    draws = np.empty(shape)
    draws[0] = noise[0] / np.sqrt(1 - coefficient**2)
    for i in range(1, shape[0]):
        draws[i] = coefficient * draws[i - 1] + noise[i]
    return draws


class Reader:
    """Reads draws that are there, and counts them."""

    def __init__(self, draws):
        self.draws = draws
        self.n_read = 0
        self.most = 0  # at once

    def __call__(self, start, stop):
        assert 0 <= start <= stop <= len(self.draws)
        self.n_read += stop - start
        self.most = max(self.most, stop - start)
        draws = self.draws[start:stop].view()
        draws.flags.writeable = False
        return draws


def assert_same(actual, draws, c=5):
    expected = integrated_time(draws, c, tol=0)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    # Where τ is much smaller than the 1 that the sum begins with, its terms cancel.
    np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-10)


def follow(draws, points, c=5, threads=1):
    """Ask at each point, and compare; gives the reader."""
    reader = Reader(draws)
    running = RunningTime(reader)
    for n in points:
        assert_same(running.tau(n, c, threads=threads), draws[:n], c)
    assert running.n_seen in (0, points[-1])
    return reader, running


def steps_of(length, every):
    return [*range(every, length + 1, every)]


@settings(max_examples=40, deadline=None)
@given(
    n_walkers=st.integers(1, 9),
    n_params=st.integers(1, 9),
    coefficient=st.floats(-0.9, 0.98),
    points=st.lists(st.integers(1, 6000), min_size=2, max_size=12),
    c=st.sampled_from([0.5, 3, 5, 5, 5, 20]),
    offset=st.sampled_from([0.0, 1e3, -1e8]),
    dtype=st.sampled_from(["f4", "f8", "g"]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_anything(n_walkers, n_params, coefficient, points, c, offset, dtype, threads, seed):
    draws = autoregressive((max(points), n_walkers, n_params), coefficient, seed)
    follow((offset + draws).astype(dtype), sorted(points), c, threads)


@pytest.mark.parametrize("every", [1, 7, 100, 1024, 1025, 3000])
def test_every_size_of_what_is_new(every):
    draws = autoregressive((min(300 * every, 12_000), 5, 4), 0.3)
    points = steps_of(len(draws), every)
    _, running = follow(draws, points)
    assert running.n_seen == points[-1]


def test_new_draws_are_all_that_is_read():
    draws = autoregressive((20_000, 6, 3), 0.8)
    reader = Reader(draws)
    running = RunningTime(reader)
    for n in steps_of(10_000, 100):
        running.tau(n)
    reader.n_read = 0
    for n in steps_of(20_000, 100)[100:]:
        running.tau(n)
    assert reader.n_read == 100 * (100 + 1)  # with the last one of those before, to compare
    assert_same(running.tau(20_000), draws)
    assert reader.n_read == 100 * (100 + 1) + 1


def test_many_draws_behind_few_are_read_once():
    draws = autoregressive((20_000, 6, 3), 0.97)
    reader = Reader(draws)
    running = RunningTime(reader)
    running.tau(2)
    reader.n_read = 0
    for n in (18_000, 18_100, 18_171):
        assert_same(running.tau(n), draws[:n])
    assert reader.n_read == 1 + 18_000 + 101 + 72  # the first one says how large they are


def test_draws_are_read_once_where_their_window_outgrows_the_sums():
    parts = [autoregressive((n, 4, 2), a, n) for n, a in ((3000, 0), (20_000, 0.99))]
    draws = np.concatenate(parts)
    reader = Reader(draws)
    running = RunningTime(reader)
    for n in (1000, 2000, 3000, 12_000):
        assert_same(running.tau(n), draws[:n])
    reader.n_read = 0
    assert_same(running.tau(13_000), draws[:13_000])
    assert reader.n_read == 1001


def test_once_is_as_it_is_today():
    draws = autoregressive((5000, 3, 2))
    reader = Reader(draws)
    running = RunningTime(reader)
    np.testing.assert_array_equal(running.tau(5000), integrated_time(draws, tol=0))
    np.testing.assert_array_equal(running.tau(5000), integrated_time(draws, tol=0))
    assert running.n_seen == 0
    assert reader.n_read == 2 * 5000


@pytest.mark.parametrize(("coefficient", "is_in_blocks"), [(0.9, True), (1.0 - 1e-5, False)])
def test_many_draws_are_read_in_blocks(coefficient, is_in_blocks):
    draws = autoregressive((60_000, 10, 6), coefficient)
    reader = Reader(draws)
    running = RunningTime(reader, most_bytes=2**22)
    assert_same(running.tau(50_000), draws[:50_000])
    assert (reader.most < 40_000) == is_in_blocks
    assert (running.n_seen == 50_000) == is_in_blocks
    if is_in_blocks:
        reader.n_read = 0
        assert_same(running.tau(60_000), draws)
        assert reader.n_read == 10_001


def test_windows_that_grow():
    parts = [autoregressive((n, 4, 2), a, n) for n, a in ((3000, 0), (9000, 0.97), (40_000, 0.997))]
    draws = np.concatenate(parts)
    reader, running = follow(draws, steps_of(len(draws), 500))
    assert running.n_seen == len(draws)
    assert reader.n_read < 12 * len(draws)


@pytest.mark.parametrize("c", [0, -1, 1e9, np.nan, np.inf])
def test_windows_that_are_never_found(c):
    reader, running = follow(autoregressive((8000, 3, 2), 0.9), steps_of(8000, 400), c)
    assert running.n_seen == 0
    assert reader.n_read < 40 * 8000


def test_another_width_in_between():
    draws = autoregressive((9000, 3, 2), 0.9)
    running = RunningTime(Reader(draws))
    for i, n in enumerate(steps_of(9000, 300)):
        c = (5, 2, 40, 5, 1e9)[i % 5]
        assert_same(running.tau(n, c), draws[:n], c)


def test_a_random_walk():
    draws = np.cumsum(autoregressive((6000, 3, 2), 0.0), axis=0)
    follow(draws, steps_of(6000, 250))


# Numbers that are hard on sums.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("at", [0, 2500, 4010, 7999])
@pytest.mark.parametrize("every", [100, 2000])
def test_values_that_are_not_finite_concern_their_parameter_only(bad, at, every):
    draws = autoregressive((8000, 5, 4))
    draws[at, 3, 1] = bad
    _, running = follow(draws, steps_of(8000, every))
    assert running.n_seen == 8000
    assert np.isnan(running.tau(8000)).tolist() == [False, True, False, False]


@pytest.mark.parametrize("value", [0.1, 1e300, -7.5])
@pytest.mark.parametrize("moves_at", [1, 2990, 5000, 8000])
def test_walkers_that_stand_still(value, moves_at):
    draws = autoregressive((8000, 4, 3))
    draws[:moves_at, 2, 1] = value if moves_at == 8000 else np.sign(value)
    _, running = follow(draws, steps_of(8000, 250))
    assert running.n_seen == 8000


def test_large_means():
    draws = np.round(autoregressive((8000, 4, 2)) * 2**10) / 2**10
    running = RunningTime(Reader(draws + 2.0**40))
    for n in steps_of(8000, 200):
        np.testing.assert_allclose(
            running.tau(n), integrated_time(draws[:n], tol=0), rtol=1e-9, atol=1e-10
        )


@pytest.mark.parametrize("far", [1e6, -1e12])
@pytest.mark.parametrize("at", [0, 5000])
def test_walkers_that_are_far_away_for_a_while(far, at):
    draws = autoregressive((20_000, 4, 2))
    draws[at] += far
    follow(draws, steps_of(20_000, 500))


def test_walkers_that_go_far_away():
    draws = autoregressive((20_000, 4, 2))
    draws[3000:, 1] += 1e7
    draws[11_000:, :, 1] -= 1e9
    follow(draws, steps_of(20_000, 500))


def test_walkers_of_different_scales():
    draws = autoregressive((6000, 6, 3)) * np.logspace(-120, 120, 18).reshape(6, 3)
    follow(draws, steps_of(6000, 200))


# Axes, types and places.


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 1), (16, 1), (17, 1), (4, 9), (33, 2)])
def test_counts_of_walkers_and_parameters(shape):
    _, running = follow(autoregressive((3000, *shape), 0.5), steps_of(3000, 200))
    assert running.n_seen == 3000


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_no_walkers_and_no_parameters(shape):
    running = RunningTime(Reader(np.ones((900, *shape))))
    for n in steps_of(900, 100):
        np.testing.assert_array_equal(running.tau(n), np.full(shape[1], np.nan))


@pytest.mark.parametrize("dtype", ["f2", "f4", "g", "i2", "u8", "?", ">f8"])
def test_types(dtype):
    draws = 20 * autoregressive((5000, 3, 2), 0.7) + 100
    draws = (draws > 100 if dtype == "?" else draws).astype(dtype)
    _, running = follow(draws, steps_of(5000, 250))
    assert running.n_seen == 5000


def test_long_double_keeps_what_float64_cannot_hold():
    spare_bits = np.finfo("g").nmant - np.finfo("f8").nmant
    draws = autoregressive((5000, 3, 2)).astype("g") + np.longdouble(2) ** (spare_bits + 30)
    follow(draws, steps_of(5000, 250))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::-1],
        lambda x: x[:, ::-1, 1:3],
        lambda x: x.transpose(0, 2, 1),
        np.asfortranarray,
        lambda x: np.broadcast_to(x[:, :1], x.shape),
    ],
)
def test_places(view):
    follow(view(autoregressive((3000, 6, 5))), steps_of(3000, 250))


# Draws that are no longer what they were.


def test_fewer_draws_than_before():
    draws = autoregressive((9000, 3, 2))
    _, running = follow(draws, [*steps_of(9000, 300), 5000, 5100, 5200])
    assert running.n_seen == 5200


@pytest.mark.parametrize("n", [6000, 6001, 9000])
def test_other_draws(n):
    reader = Reader(autoregressive((9000, 3, 2), seed=1))
    running = RunningTime(reader)
    for before in steps_of(6000, 300):
        running.tau(before)
    assert running.n_seen == 6000
    reader.draws = autoregressive((9000, 3, 2), seed=2)
    assert_same(running.tau(n), reader.draws[:n])


@pytest.mark.parametrize("shape", [(9000, 2, 3), (9000, 3, 1)])
def test_draws_of_another_ensemble(shape):
    reader = Reader(autoregressive((9000, 3, 2)))
    running = RunningTime(reader)
    for n in (3000, 6000):
        running.tau(n)
    reader.draws = autoregressive(shape)
    for n in (6500, 7000, 7500):
        assert_same(running.tau(n), reader.draws[:n])


def test_draws_of_another_dtype():
    reader = Reader(autoregressive((9000, 3, 2)))
    running = RunningTime(reader)
    for n in (3000, 6000):
        running.tau(n)
    reader.draws = reader.draws.astype("f4")
    for n in (6500, 7000):
        assert_same(running.tau(n), reader.draws[:n])


def test_an_error_of_reading_is_handed_on_and_forgotten():
    draws = autoregressive((9000, 3, 2))
    reader = Reader(draws)

    def read(start, stop):
        if broken:
            raise OSError("no such disk")
        return reader(start, stop)

    running = RunningTime(read)
    broken = False
    for n in (3000, 6000):
        running.tau(n)
    broken = True
    with pytest.raises(OSError, match="no such disk"):
        running.tau(6500)
    broken = False
    for n in (7000, 7500):
        assert_same(running.tau(n), draws[:n])


def test_what_cannot_be_computed():
    running = RunningTime(Reader(autoregressive((9000, 3, 2))))
    for n in (3000, 6000):
        running.tau(n)
    with pytest.raises(ValueError, match="threads"):
        running.tau(6000, threads=0)
    with pytest.raises(ValueError, match="no steps"):
        running.tau(0)
    with pytest.raises(TypeError, match="real numbers"):
        RunningTime(Reader(np.zeros((10, 2, 1), dtype="c16"))).tau(10)


def test_threads_that_ask_at_once():
    draws = autoregressive((12_000, 4, 3))
    running = RunningTime(Reader(draws))
    times = {}

    def ask(first):
        for n in range(first, 12_001, 400):
            times[n] = running.tau(n)

    askers = [threading.Thread(target=ask, args=(100 * i,)) for i in range(1, 5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(times) == 120
    for n, tau in times.items():
        assert_same(tau, draws[:n])


# The sums themselves.


@pytest.mark.parametrize("n_lags", [1, 8, 100, 5000])
@pytest.mark.parametrize("pieces", [[1] * 50, [1500], [3, 1100, 1025, 2, 1300]])
def test_sums_of_any_number_of_lags(n_lags, pieces):
    draws = autoregressive((sum(pieces), 3, 7), 0.5)
    sums = _core.LagSums(3, 7, n_lags)
    assert sums.n_lags >= n_lags
    for piece in np.split(draws, np.cumsum(pieces)[:-1]):
        sums.append(piece, threads=2)
    assert sums.n_steps == len(draws)
    tau = sums.integrated_time(5)
    if sums.n_lags >= 100 or len(draws) <= sums.n_lags:
        assert_same(tau, draws)
    else:
        assert tau is None


def test_sums_of_what_does_not_belong_to_them():
    sums = _core.LagSums(3, 2, 64)
    with pytest.raises(ValueError, match="no steps"):
        sums.integrated_time()
    with pytest.raises(TypeError, match="real numbers"):
        sums.append(np.zeros((5, 3, 2), "c16"))
    sums.append(np.zeros((5, 3, 2)))
    with pytest.raises(ValueError, match="3 walkers and 2 parameters, got 2 and 3"):
        sums.append(np.zeros((5, 2, 3)))
    with pytest.raises(RuntimeError, match="error"):
        sums.integrated_time()
    sums = _core.LagSums(3, 2, 64)
    sums.append(np.zeros((5, 3, 2)))
    with pytest.raises(ValueError, match="another type"):
        sums.append(np.zeros((5, 3, 2), "f4"))


@pytest.mark.parametrize(
    "args", [(3, 2, 0), (-1, 2, 8), (3, 2, -8), (2**40, 2**40, 8), (1, 1, 2**62)]
)
def test_sums_that_cannot_be(args):
    with pytest.raises(ValueError, match=r"at least 1|negative|so many"):
        _core.LagSums(*args)


def test_sums_too_large_for_memory():
    with pytest.raises(MemoryError):
        _core.LagSums(1, 1, 2**50)
