"""Runs as ArviZ shows them: warm-up, uneven chains, and stats that are missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arviz_runs import simple_run
from drawstore import MemoryBackend, make_meta


def test_draws_are_split_at_the_end_of_warmup():
    tree = simple_run([6, 6], tune=2, attributes={"sampling_time": 1.5}).to_datatree()
    assert list(tree.children) == [
        *("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats")
    ]
    posterior, warmup = tree["posterior"], tree["warmup_posterior"]
    np.testing.assert_array_equal(posterior["x"], [[2, 3, 4, 5], [1002, 1003, 1004, 1005]])
    np.testing.assert_array_equal(warmup["x"], [[0, 1], [1000, 1001]])
    np.testing.assert_array_equal(posterior["draw"], range(4))
    np.testing.assert_array_equal(warmup["draw"], range(2))
    assert posterior["v"].dims == ("chain", "draw", "group")
    assert list(posterior["group"].values) == ["a", "b", "c"]
    assert posterior["k"].dims == ("chain", "draw", "k_dim_0")
    assert {name: posterior[name].dtype for name in "xvk"} == {
        "x": np.float64,
        "v": np.float32,
        "k": np.int64,
    }
    assert list(tree["sample_stats"].data_vars) == ["depth"]
    assert tree["sample_stats"]["depth"].dtype == np.int16
    for group in tree.children.values():
        assert group.attrs["tuning_steps"] == 2
        assert group.attrs["sampling_time"] == 1.5


@pytest.mark.parametrize("mark", ["in_warmup", "sampler_1__tune", "sampler_0__in_warmup"])
def test_every_mark_of_warmup_counts(mark):
    run = MemoryBackend().init_run(
        make_meta({"x": (float, ())}, {mark: (bool, ()), "other__tune": ("int8", (2,))})
    )
    chain = run.init_chain(0)
    stats = {mark: [1, 1, 0, 0, 0, 0], "other__tune": np.zeros((6, 2), np.int8)}
    stats["other__tune"][2, 1] = 1
    chain.extend({"x": np.arange(6.0)}, {**stats, mark: np.array(stats[mark], bool)})
    tree = run.to_datatree()
    np.testing.assert_array_equal(tree["warmup_posterior"]["x"], [[0, 1, 2]])
    np.testing.assert_array_equal(tree["posterior"]["x"], [[3, 4, 5]])


def test_a_mark_that_is_missing_is_none():
    run = MemoryBackend().init_run(make_meta({"x": (float, ())}, {"tune": (bool, ())}))
    chain = run.init_chain(0)
    chain.append({"x": 1}, {"tune": np.True_})
    chain.append({"x": 2})
    assert run.to_datatree()["posterior"]["x"].values == [[2]]


def test_a_chain_that_was_warmed_up_again():
    run = MemoryBackend().init_run(make_meta({"x": (float, (2,))}, {"tune": (bool, ())}))
    for number in range(2):
        tune = np.array([1, 1, 0, 0, 0, 1, 0, 0, 1], dtype=bool)
        x = np.arange(9.0) + 10 * number
        run.init_chain(number).extend({"x": np.stack([x, x], axis=1)}, {"tune": tune})
    expected = np.array([[2.0, 3, 4, 6, 7], [12, 13, 14, 16, 17]])
    for lazy in (False, True):
        tree = run.to_datatree(lazy=lazy)
        for i in range(2):
            np.testing.assert_array_equal(tree["posterior"]["x"][..., i], expected)
        np.testing.assert_array_equal(tree["warmup_posterior"]["x"][0, :, 0], [0, 1, 5, 8])


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_lazy_arrays_are_indexed_as_others(data):
    run = MemoryBackend().init_run(make_meta({"x": (int, (2, 3))}, {"tune": (bool, ())}))
    for number in range(data.draw(st.integers(1, 3), "chains")):
        tune = np.array(data.draw(st.lists(st.booleans(), min_size=1, max_size=9), "tune"))
        x = np.arange(tune.size * 6).reshape(-1, 2, 3) + 1000 * number
        run.init_chain(number).extend({"x": x}, {"tune": tune})
    eager = run.to_datatree(equalize=False, lazy=False)["posterior"]["x"].variable
    lazy = run.to_datatree(equalize=False, lazy=True)["posterior"]["x"].variable
    assert lazy.dtype == eager.dtype
    key = []
    for size in eager.shape:
        # Slices that start before the beginning and go backwards are beyond xarray.
        limits = st.one_of(st.none(), st.integers(-size, size + 1))
        steps = st.one_of(st.none(), st.integers(1, 4), st.integers(-4, -1))
        some = st.builds(slice, limits, limits, steps)
        if size:
            index = st.integers(-size, size - 1)
            some = st.one_of(
                some, index, st.lists(index, max_size=4).map(lambda i: np.array(i, int))
            )
        key.append(data.draw(some))
    again = [slice(None, None, data.draw(st.sampled_from([1, 2, -1]))) for _ in range(5)]
    for variable in (eager, lazy):
        assert variable.shape == eager.shape
    one, two = (v[tuple(key)] for v in (eager, lazy))
    np.testing.assert_array_equal(two.values, one.values)
    again = tuple(again[: one.ndim])
    np.testing.assert_array_equal(two[again].values, one[again].values)


def test_uneven_chains_are_cut_to_the_shortest_with_a_warning():
    run = simple_run([6, 5, 2], tune=2)
    message = (
        "run .*: the chains of the posterior differ in length, so that it has 3 draws of each; "
        "left out are 1 draws of chain 0, chain 2, which has none"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        tree = run.to_datatree()
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(tree["posterior"]["x"], [[2, 3, 4], [1002, 1003, 1004]])
    np.testing.assert_array_equal(tree["posterior"]["chain"], [0, 1])
    np.testing.assert_array_equal(tree["warmup_posterior"]["chain"], [0, 1, 2])


@pytest.mark.parametrize("lazy", [False, True])
def test_uneven_chains_are_filled_up_on_request(lazy):
    tree = simple_run([4, 2], tune=0).to_datatree(equalize=False, lazy=lazy)
    nan = np.nan
    expected = np.array([[0, 1, 2, 3], [1000, 1001, nan, nan]])
    np.testing.assert_array_equal(tree["posterior"]["x"], expected)
    np.testing.assert_array_equal(tree["posterior"]["v"][..., 2], expected)
    np.testing.assert_array_equal(tree["posterior"]["k"][..., 1], expected)
    np.testing.assert_array_equal(tree["sample_stats"]["depth"], expected)
    dtypes = {name: str(tree["posterior"][name].dtype) for name in "xvk"}
    assert dtypes == {"x": "float64", "v": "float32", "k": "float64"}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("dtype", "shown", "missing"),
    [
        ("float32", "float32", np.nan),
        ("complex64", "complex64", np.nan),
        ("int8", "float64", np.nan),
        ("uint64", "float64", np.nan),
        (bool, "float64", np.nan),
        ("M8[s]", "M8[s]", np.datetime64("NaT", "s")),
        ("m8[ms]", "m8[ms]", np.timedelta64("NaT", "ms")),
        (str, "object", None),
        ("S3", "S3", b""),
    ],
)
def test_missing_stats(dtype, shown, missing, lazy):
    present = str if dtype is str else np.dtype(dtype).type
    value = (
        present(1, "s") if str(shown)[1:3] == "8[" else present("1" if dtype in (str, "S3") else 1)
    )
    meta = make_meta({"x": (float, ())}, {"tune": (bool, ()), "stat": (dtype, (2,))})
    run = MemoryBackend().init_run(meta)
    for number in range(2):
        chain = run.init_chain(number)
        for i in range(6):
            stats = {"tune": np.bool_(i < 3)}
            if (number, i) != (1, 4):
                stats["stat"] = [value, value]
            chain.append({"x": i}, stats)
    tree = run.to_datatree(lazy=lazy)
    warmup, stats = tree["warmup_sample_stats"]["stat"], tree["sample_stats"]["stat"]
    # Only where a value is missing the dtype changes.
    assert warmup.dtype == (object if dtype is str else np.dtype(dtype))
    assert stats.dtype == np.dtype(shown)
    assert set(warmup.values.ravel().tolist()) == {
        warmup.values.dtype.type(value).item() if dtype is not str else value
    }
    np.testing.assert_array_equal(stats.values[1, 1], np.full(2, missing, stats.dtype))
    present = np.delete(stats.values.reshape(6, 2), 4, axis=0)
    np.testing.assert_array_equal(present, np.full((5, 2), value, stats.dtype))
