"""`drawstore.levels`: views of any number of draws, held against naive ones."""

import subprocess
import sys
import threading
import time

import emcee
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drawstore
from drawstore.levels import Builder, Levels
from drawstore.levels.pieces import places_of_pieces, spreading_order
from drawstore.monitor.finding import find
from naive_levels import naive

STORES = {
    "memory": lambda folder: drawstore.MemoryBackend(),
    "files": lambda folder: drawstore.FileBackend(folder / "runs"),
    "hdf5": lambda folder: drawstore.HDF5Backend(folder / "runs.h5"),
}
AT_ONCE = 60.0  # seconds: enough


def levels_of(run, **options):
    return Levels(run, find(run, None, None, 0).followed, **options)


def seen(levels, parameter=0, start=0, stop=10**9, width=100, number=0):
    return levels.views(number, [parameter], start, stop, width, AT_ONCE)[0]


# The extremes of a series.


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    with STORES[request.param](tmp_path) as backend:
        yield backend


def made(store, **variables):
    return store.init_run(
        drawstore.make_meta(variables or {"x": ("float64", ()), "y": ("float32", (2,))})
    )


def test_views_at_every_zoom_are_naive_ones(store):
    run = made(store)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=30_000), rng.normal(size=(30_000, 2)).astype("f4")
    x[12_345], x[rng.integers(30_000, size=50)] = 50.0, np.inf
    y[:2_000, 1] = np.nan
    run.init_chain(0).extend({"x": x, "y": y})
    levels = levels_of(run)
    for is_built in (False, True):
        if is_built:
            assert levels.build([0, 2], AT_ONCE)
        assert levels.build([], AT_ONCE)
        for start, stop in [(0, 30_000), (12_000, 12_900), (7, 20_003), (29_990, 30_000), (5, 5)]:
            for width in (1, 30, 400):
                for parameter, values in ((0, x), (2, y[:, 1])):
                    check_view(
                        seen(levels, parameter, start, stop, width), values, start, stop, width
                    )


def check_view(view, values, start, stop, width):
    line = view.line
    assert view.n_left_out == 0
    assert len(line.draws) == len(line.values) <= 2 * (width + 2)
    assert np.all(np.diff(line.draws) >= 0)
    if stop - start <= 2 * width:
        np.testing.assert_array_equal(line.draws, np.arange(start, stop))
        values = np.where(np.isfinite(values), values, np.nan)[start:stop]
        np.testing.assert_array_equal(line.values, values)
        return
    bucket = next(
        b
        for b in range(1, stop + 2)
        if b >= (stop - start) / width
        and -(-stop // b) - start // b == len(line.draws) // 2
        and line.draws[0] < start // b * b + b
        and np.array_equal(line.values, naive_view(values, start, stop, b), equal_nan=True)
    )
    assert bucket <= (stop - start) / width + 4


def naive_view(values, start, stop, bucket):
    first = start // bucket * bucket
    return naive(values[first : -(-stop // bucket) * bucket], bucket).ravel()


def test_draws_that_come_are_taken_in_and_no_others_are_read_again(store):
    run = made(store)
    chain = run.init_chain(0)
    levels = levels_of(run)
    assert levels.build([0, 1], AT_ONCE)
    assert seen(levels).line.draws.size == 0
    x = np.random.default_rng(3).normal(size=9_000)
    begin = 0
    for n in (1, 2, 400, 401, 5_000, 9_000):
        new = x[begin:n]
        chain.extend({"x": new, "y": np.zeros((len(new), 2))})
        begin = n
        assert levels.build([0, 1], AT_ONCE)
        assert levels.lengths == [n]
        assert levels.share([0, 1]) == 1.0
        shown = seen(levels, width=50).line.values
        assert (shown.min(), shown.max()) == (x[:n].min(), x[:n].max())
        assert shown[-1] == x[n - 1] or n > 100


def test_another_parameter_is_built_when_it_is_asked_for(store):
    run = made(store)
    run.init_chain(0).extend({"x": np.arange(5_000.0), "y": np.ones((5_000, 2))})
    levels = levels_of(run)
    assert levels.build([0], AT_ONCE)
    assert levels.share([0, 1]) == 0.5
    assert levels.build([1, 0, 1], AT_ONCE)  # who asks twice is answered twice
    assert levels.share([0, 1]) == 1.0
    assert set(seen(levels, 1, width=10).line.values) == {1.0}
    assert len(levels.views(0, [1, 1], 0, 100, 10, AT_ONCE)) == 2


def test_chains_have_lengths_of_their_own_and_some_none(store):
    run = made(store)
    for number, n in ((0, 2_000), (1, 0), (2, 3)):
        chain = run.init_chain(number)
        chain.extend({"x": np.full(n, float(number)), "y": np.ones((n, 2))})
    levels = levels_of(run)
    assert levels.build([0], AT_ONCE)
    assert levels.lengths == [2_000, 0, 3]
    assert set(seen(levels, width=20).line.values) == {0.0}
    assert seen(levels, number=1).line.draws.size == 0
    assert seen(levels, number=2).line.values.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32"])
def test_values_of_any_dtype(store, dtype):
    run = made(store, v=(dtype, (2,)), none=("float64", (0,)))
    values = np.random.default_rng(4).integers(0, 2, size=(3_000, 2)).astype(dtype)
    run.init_chain(0).extend({"v": values, "none": np.empty((3_000, 0))})
    levels = levels_of(run)
    assert seen(levels, 1).line.draws.size == 0  # nobody has looked yet
    assert levels.build([1], AT_ONCE)
    np.testing.assert_array_equal(seen(levels, 1, 100, 160).line.values, values[100:160, 1])
    assert set(seen(levels, 1, width=5).line.values) == {0.0, 1.0}


def test_too_many_draws_to_read_at_once_are_shown_by_pieces():
    run = made(drawstore.MemoryBackend())
    n = 200_000
    run.init_chain(0).extend({"x": np.arange(float(n)), "y": np.zeros((n, 2))})
    levels = levels_of(run)
    assert not levels.build([0], 0)
    assert levels.lengths == [n]
    assert levels.views(0, [0], 0, n, 400, 0)[0].line.draws.size == 0
    view = levels.views(0, [0], 0, n, 400, 1e-9)[0]
    assert 0 < view.n_left_out < n
    assert (view.line.draws[0] < 16, view.line.draws[-1] > n - 16) == (True, True)
    assert np.all(np.abs(view.line.draws - view.line.values) < 16)
    assert np.all(np.diff(view.line.draws) > 0)
    while not levels.build([0], 0.001):
        assert levels.share([0]) < 1
    assert levels.views(0, [0], 0, n, 400, 0)[0].n_left_out == 0


def test_levels_take_no_more_room_than_they_may():
    run = made(drawstore.MemoryBackend(), v=("float64", (40,)))
    values = np.random.default_rng(5).normal(size=(20_000, 40))
    run.init_chain(0).extend({"v": values})
    levels = levels_of(run, most_bytes=2**20)
    for parameters in ([0], [1, 2], range(40), [7]):
        assert levels.build(parameters, AT_ONCE)
        assert levels.nbytes <= 2**20
        for parameter in parameters:
            shown = seen(levels, parameter, width=50).line.values
            assert shown.max() == values[:, parameter].max()
    assert levels.share([0]) == 1.0
    assert levels.build([0], AT_ONCE)


# Ensembles.


def ensemble_run(folder, n, n_walkers=12):
    """A run of an ensemble in emcee's own file, and its positions."""
    path = folder / "chain.h5"
    backend = emcee.backends.HDFBackend(str(path))
    sampler = emcee.EnsembleSampler(n_walkers, 2, lambda x: -0.5 * np.sum(x**2), backend=backend)
    start = np.random.RandomState(n).randn(n_walkers, 2)
    sampler.run_mcmc(start, n)
    return path, backend.get_chain()


def test_walkers_of_an_ensemble_are_a_mean_a_band_and_some_lines(tmp_path):
    path, positions = ensemble_run(tmp_path, 120, 20)
    run = drawstore.open(path).get_run(drawstore.open(path).get_runs()[0].rid)
    levels = levels_of(run)
    assert levels.build([0, 1], AT_ONCE)
    values = positions[:, :, 1]

    near = seen(levels, 1, 20, 100, width=60)
    np.testing.assert_allclose(near.line.values, values[20:100].mean(axis=1), rtol=1e-12)
    ordered = np.sort(values[20:100], axis=1)
    for name, rank in (("lowest", 0), ("lower", 3), ("upper", 16), ("highest", 19)):
        np.testing.assert_allclose(getattr(near.band, name), ordered[:, rank], rtol=1e-12)
    assert len(near.walkers) == 16
    np.testing.assert_array_equal(near.walkers[-1].values, values[20:100, -1])
    np.testing.assert_array_equal(near.walkers[0].draws, np.arange(20, 100))

    far = seen(levels, 1, width=10)
    assert far.walkers == ()
    assert far.line.draws.size == 20
    part = np.sort(values[:12], axis=1)  # 12 draws a bucket
    np.testing.assert_allclose(far.band.lowest[0], part.min(), rtol=1e-12)
    np.testing.assert_allclose(far.band.highest[0], part.max(), rtol=1e-12)
    np.testing.assert_allclose(far.band.lower[0], part[:, 3].mean(), rtol=1e-12)
    np.testing.assert_allclose(far.band.upper[0], part[:, 16].mean(), rtol=1e-12)
    assert far.band.draws[0] == 5.5


def test_walkers_that_are_chains_are_shown_as_an_ensemble(tmp_path):
    path, positions = ensemble_run(tmp_path, 40)
    source = drawstore.open(path).get_run(drawstore.open(path).get_runs()[0].rid)
    store = drawstore.FileBackend(tmp_path / "runs")
    meta = drawstore.make_meta(
        {"a": ("float64", ()), "b": ("float64", ())},
        {"tune": ("bool", ())},
        attributes=source.attributes,
    )
    run = store.init_run(meta)
    for number in range(12):
        run.init_chain(number).extend(
            {"a": positions[:, number, 0], "b": positions[:, number, 1]},
            {"tune": np.arange(40) < 10},
        )
    levels = levels_of(run)
    assert levels.build([0, 1], AT_ONCE)
    assert levels.warmup == [(range(0, 10),)]
    view = seen(levels, 1)
    np.testing.assert_allclose(view.line.values, positions[:, :, 1].mean(axis=1), rtol=1e-12)
    assert len(view.walkers) == 12


def test_a_run_that_was_reset_begins_anew(tmp_path):
    path, _ = ensemble_run(tmp_path, 60)
    run = drawstore.open(path).get_run(drawstore.open(path).get_runs()[0].rid)
    levels = levels_of(run)
    assert levels.build([0], AT_ONCE)
    for n in (40, 80):  # fewer than before; and more, which begin otherwise
        emcee.backends.HDFBackend(str(path)).reset(12, 2)
        _, positions = ensemble_run(tmp_path, n)
        assert levels.build([0], AT_ONCE)
        assert levels.lengths == [n]
        view = seen(levels, 0, width=20)
        assert view.band.highest.max() == positions[:, :, 0].max()
        assert view.band.lowest.min() == positions[:, :, 0].min()


def test_walkers_that_are_not_finite_do_not_count():
    run = drawstore.MemoryBackend().init_run(
        drawstore.ensemble.ensemble_meta(
            4, 1, "float64", drawstore.ensemble.parameters(1, None, {})
        )
    )
    coords = np.arange(24.0).reshape(6, 4, 1)
    coords[2] = np.nan
    coords[3, 1:] = [[np.inf], [np.nan], [-np.inf]]
    chain = run.init_chain(0)
    for step in coords:
        chain.append({"coords": step, "log_prob": np.zeros(4)})
    levels = levels_of(run)
    assert levels.build([0], AT_ONCE)
    view = seen(levels)
    np.testing.assert_array_equal(view.line.values, [1.5, 5.5, np.nan, 12.0, 17.5, 21.5])
    np.testing.assert_array_equal(view.band.lower, [0, 4, np.nan, 12, 16, 20])
    np.testing.assert_array_equal(view.band.upper, [3, 7, np.nan, 12, 19, 23])
    np.testing.assert_array_equal(view.walkers[1].values, [1, 5, np.nan, np.nan, 17, 21])


# Warm-up, pieces, and the thread.


def test_warmup_is_known_by_its_marks(store):
    run = store.init_run(drawstore.make_meta({"x": ("float64", ())}, {"tune": ("bool", ())}))
    for number, n_tune in ((0, 300), (1, 0)):
        chain = run.init_chain(number)
        chain.extend({"x": np.zeros(500)}, {"tune": np.arange(500) < n_tune})
        chain.extend({"x": np.zeros(100)}, {"tune": np.arange(100) >= 90})
    levels = levels_of(run)
    assert levels.build([0], AT_ONCE)
    assert levels.warmup == [(range(0, 300), range(590, 600)), (range(590, 600),)]


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 5_000))
def test_pieces_are_evenly_spaced_and_do_not_overlap(n, size, more):
    places = places_of_pieces(3, 3 + n * size + more, n, size)
    assert len(places) == n
    assert places[0] == 3
    assert np.all(np.diff(places) >= size)
    assert n == 1 or places[-1] == 3 + n * size + more - size
    order = spreading_order(n)
    assert sorted(order) == list(range(n))
    assert order[0] == 0


def test_levels_are_built_while_nobody_waits():
    run = made(drawstore.MemoryBackend())
    run.init_chain(0).extend({"x": np.zeros(300_000), "y": np.zeros((300_000, 2))})
    levels, lock = levels_of(run), threading.Lock()
    builder = Builder(levels, lock)
    with lock:
        assert not levels.build([0, 1, 2], 0)
        builder.ask([0, 1, 2])
    end = time.monotonic() + 60
    while True:
        with lock:
            if levels.share([0, 1, 2]) == 1.0:
                break
        assert time.monotonic() < end
        time.sleep(0.01)
    while any(thread.name == "drawstore-levels" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_process_may_end_while_levels_are_built():
    script = """
import numpy as np, threading, drawstore
from drawstore.levels import Builder, Levels
from drawstore.monitor.finding import find
run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": ("float64", (50,))}))
run.init_chain(0).extend({"x": np.zeros((200_000, 50))})
levels, lock = Levels(run, find(run, None, None, 0).followed), threading.Lock()
builder = Builder(levels, lock)
with lock:
    levels.build(range(50), 0)
    builder.ask(range(50))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
