"""Runs as ArviZ shows them."""

import copy
import pickle
import re
import subprocess
import sys
import warnings
from importlib.metadata import version

import arviz
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import drawstore.arviz
from drawstore import MemoryBackend, make_meta

DATATREE = int(arviz.__version__.split(".")[0]) >= 1


def fill(run, lengths, tune=0):
    """Append draws to chains: the values of a draw tell its number and its chain."""
    for number, n in enumerate(lengths):
        chain = run.init_chain(number)
        for i in range(n):
            draw, stats = {}, {}
            for kind, variables in ((draw, run.variables), (stats, run.sample_stats)):
                for name, variable in variables.items():
                    value = 1000 * number + i
                    value = str(value) if variable.dtype == "str" else value
                    kind[name] = np.full([abs(size) for size in variable.shape], value)
            if "tune" in stats:
                stats["tune"] = np.bool_(i < tune)
            chain.append(draw, stats)
    return run


def simple_run(lengths, tune=0, **more):
    options = {
        "variables": {"x": (float, ()), "v": ("float32", (3,), "group"), "k": (int, (2,))},
        "sample_stats": {"tune": (bool, ()), "depth": ("int16", ())},
        "coords": {"group": ["a", "b", "c"]},
    }
    return fill(MemoryBackend().init_run(make_meta(**(options | more))), lengths, tune)


def one_variable(name, dtype, shape=(), lengths=(4, 4), **more):
    return simple_run(lengths, variables={name: (dtype, shape)}, sample_stats={}, **more)


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


def test_one_chain_in_memory_is_not_copied():
    run = simple_run([50], tune=20)
    tree = run.to_datatree()
    chain = run.get_chains()[0]
    for name in ("x", "v", "k"):
        assert np.shares_memory(tree["posterior"][name].values, chain.get_draws(name))
        assert np.shares_memory(tree["warmup_posterior"][name].values, chain.get_draws(name))
        with pytest.raises(ValueError, match="read-only"):
            tree["posterior"][name].values[0, 0] = 1


def test_what_is_shown_does_not_change_when_chains_grow():
    run = simple_run([3, 3])
    eager, lazy = run.to_datatree(lazy=False), run.to_datatree(lazy=True)
    for chain in run.get_chains():
        chain.append({"x": 9, "v": [9, 9, 9], "k": [9, 9]}, {"tune": np.True_, "depth": 1})
    xr.testing.assert_identical(lazy, eager)
    assert run.to_datatree()["warmup_posterior"].sizes["draw"] == 1


def test_assigning_to_lazy_arrays_stays_with_them():
    run = simple_run([3, 3])
    tree = run.to_datatree(lazy=True)
    other = copy.deepcopy(tree)
    tree["posterior"]["x"][0, 0] = 77
    assert tree["posterior"]["x"][0, 0] == 77
    assert other["posterior"]["x"][0, 0] == 0
    assert run.get_chains()[0].get_draws("x")[0] == 0


def test_lazy_trees_pickle():
    tree = simple_run([3, 3], tune=1).to_datatree(lazy=True)
    xr.testing.assert_identical(pickle.loads(pickle.dumps(tree)), tree)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_runs_without_draws(lengths, lazy):
    tree = simple_run(lengths).to_datatree(lazy=lazy)
    assert list(tree.children) == ["posterior", "sample_stats"]
    assert tree["posterior"]["v"].shape == (len(lengths), 0, 3)
    assert tree["posterior"]["v"].values.dtype == np.float32
    assert tree["posterior"].attrs["tuning_steps"] == 0


def test_runs_without_stats_and_without_variables():
    assert list(one_variable("x", float).to_datatree().children) == ["posterior"]
    tree = simple_run([2], variables={}).to_datatree()
    assert list(tree["posterior"].data_vars) == []
    assert tree["sample_stats"]["depth"].shape == (1, 2)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("n_chains", [1, 2])
def test_text_and_other_dtypes(lazy, n_chains):
    point = np.dtype([("a", "i4"), ("b", "f8")])
    dtypes = {
        "text": str,
        "longdouble": np.longdouble,
        "half": "f2",
        "big": ">f4",
        "fixed": "U3",
        "point": point,
        "date": "M8[us]",
    }
    run = MemoryBackend().init_run(make_meta({name: (d, (2,)) for name, d in dtypes.items()}))
    for number in range(n_chains):
        chain = run.init_chain(number)
        for text in ("", "a\0", "é😀"):
            chain.append(
                {
                    "text": [text, "b"],
                    "longdouble": [1, 2],
                    "half": [1, 2],
                    "big": [1, 2],
                    "fixed": ["é", "abc"],
                    "point": np.array([(1, 2), (3, 4)], point),
                    "date": np.array(["2001-01-01", "2002-02-02"], "M8[us]"),
                }
            )
    posterior = run.to_datatree(lazy=lazy)["posterior"]
    assert posterior["text"].dtype == object
    assert posterior["text"].values[0].tolist() == [["", "b"], ["a\0", "b"], ["é😀", "b"]]
    for name in list(dtypes)[1:]:
        values = posterior[name].values
        assert values.dtype == dtypes[name]
        assert values[-1].tolist() == run.get_chains()[-1].get_draws(name).tolist()


def test_ragged_variables_are_left_out_with_a_warning():
    run = one_variable("changing", float, (-1,))
    with pytest.warns(UserWarning, match="shape differs from draw to draw: changing"):
        assert "changing" not in run.to_datatree()["posterior"]
    run = one_variable("any", float, None)
    with pytest.warns(UserWarning, match="shape differs from draw to draw: any"):
        run.to_datatree()


def test_names_that_xarray_cannot_take():
    run = one_variable("a/b", float)
    with pytest.warns(UserWarning, match="left out of posterior, because of the slash .*: a/b"):
        assert list(run.to_datatree()["posterior"].data_vars) == []
    for name in ("chain", "draw"):
        with pytest.warns(UserWarning, match=f"'{name}' is left out: a dimension has its name"):
            one_variable(name, float).to_datatree()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = ["é 😀", "x[0]", "a.b", "self", "attrs"]
        run = simple_run([3], variables=dict.fromkeys(names, (float, (2,))))
        assert list(run.to_datatree()["posterior"].data_vars) == names


def test_dims_that_do_not_fit():
    variables = {
        "cov": (float, (2, 2), ("g", "g")),
        "long": (float, (3,), ("g",)),
        "drawn": (float, (2,), ("draw",)),
        "labelled": (float, (2,), ("label",)),
    }
    run = simple_run([3], variables=variables, coords={"label": ["a", "b", "c"]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        posterior = run.to_datatree()["posterior"]
    messages = "\n".join(str(warning.message) for warning in caught)
    assert "'g' cannot be dimension 1 of 'cov', which is of length 2: it is another" in messages
    assert "'g' cannot be dimension 0 of 'long', which is of length 3: it is of le" in messages
    assert "'draw' cannot be dimension 0 of 'drawn'" in messages
    assert "the coordinate 'label' has the shape (3,), but the dimension is of length 2" in messages
    assert posterior["cov"].dims[2:] == ("g", "cov_dim_0")
    assert posterior["long"].dims[2:] == ("long_dim_0",)
    np.testing.assert_array_equal(posterior["label"], [0, 1])


def test_dims_without_a_name_are_counted_as_arviz_does():
    run = simple_run([3], variables={"x": (float, (2, 3, 4), ("a", None, "b"))})
    assert run.to_datatree()["posterior"]["x"].dims[2:] == ("a", "x_dim_0", "b")
    if not DATATREE:
        assert run.to_inferencedata().posterior["x"].dims[2:] == ("a", "x_dim_1", "b")


def test_stats_of_samplers_lose_their_prefix():
    stats = {
        "sampler_0__model_logp": (float, ()),
        "sampler_0__accept": (float, (2,)),
        "sampler_1__accept": (float, (2,)),
        "sampler_0__mixed": (float, ()),
        "sampler_1__mixed": (int, ()),
        "sampler_10__own": (float, ()),
        "sampler_2__own": (float, ()),
        "own": (float, ()),
        "sampler_x__y": (float, ()),
        "depth": (float, ()),
    }
    tree = simple_run([3], sample_stats=stats).to_datatree()["sample_stats"]
    assert {name: array.shape[2:] for name, array in tree.data_vars.items()} == {
        "lp": (),
        "accept": (2, 2),
        "sampler_0__mixed": (),
        "sampler_1__mixed": (),
        "sampler_10__own": (),
        "sampler_2__own": (),
        "own": (),
        "sampler_x__y": (),
        "depth": (),
    }


def test_stats_that_pymc_leaves_out_are_zeros_as_in_its_own_results():
    stats = {"sampler_0__model_logp": (float, ()), "sampler_0__depth": (int, ()), "own": (int, ())}
    meta = make_meta({"x": (float, ())}, stats, attributes={"inference_library": "pymc"})
    run = MemoryBackend().init_run(meta)
    for number in range(2):
        chain = run.init_chain(number)
        chain.append({"x": 1}, dict.fromkeys(stats, 1))
        chain.append({"x": 2})
    shown = run.to_datatree()["sample_stats"]
    np.testing.assert_array_equal(shown["lp"], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(shown["tree_depth"], [[1, 0], [1, 0]])
    assert shown["tree_depth"].dtype == int
    np.testing.assert_array_equal(shown["own"], [[1, np.nan], [1, np.nan]])


def test_data_and_attributes():
    run = simple_run(
        [3],
        constant_data={"x": (np.arange(6).reshape(2, 3), ("year", "group")), "n": (3, None)},
        observed_data={"y": ([1.0, 2.0, 3.0], "group"), "names": (["a", "bc"], None)},
        attributes={
            "inference_library": "mine",
            "inference_library_version": "1.2",
            "tuning_steps": 12,
            "seed": 2**60 + 1,
            "note": "é",
        },
    )
    tree = run.to_datatree()
    assert tree.attrs == {"seed": 2**60 + 1, "note": "é"}
    creation = (
        {"creation_library": "ArviZ", "creation_library_version": version("arviz-base")}
        if DATATREE
        else {"creation_library": "drawstore", "creation_library_version": drawstore.__version__}
    )
    common = {
        "created_at": run.created_at.isoformat(),
        **creation,
        "creation_library_language": "Python",
        "inference_library": "mine",
        "inference_library_version": "1.2",
    }
    assert tree["constant_data"].attrs == {**common, "sample_dims": []}
    assert tree["posterior"].attrs == {
        **common,
        "sample_dims": ["chain", "draw"],
        "tuning_steps": 12,
    }
    assert tree["constant_data"]["x"].dims == ("year", "group")
    assert list(tree["constant_data"]["group"].values) == ["a", "b", "c"]
    assert tree["constant_data"]["n"].shape == ()
    assert tree["observed_data"]["names"].values.tolist() == ["a", "bc"]


def test_inferencedata():
    run = simple_run([6, 6], tune=2, attributes={"note": "é"}, observed_data={"y": (1.0, None)})
    if DATATREE:
        with pytest.raises(ImportError, match=r"to_inferencedata\(\) needs .* use to_datatree\(\)"):
            run.to_inferencedata()
        return
    data = run.to_inferencedata()
    assert data._groups_all == [
        *("posterior", "sample_stats", "observed_data", "warmup_posterior", "warmup_sample_stats")
    ]
    assert data.attrs == {"note": "é"}
    assert data.posterior.attrs["arviz_version"] == arviz.__version__
    tree = run.to_datatree()
    for name in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats"):
        xr.testing.assert_equal(data[name], tree[name].to_dataset())
    assert arviz.summary(data).index[0] == "x"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("lazy", [False, True])
def test_arviz_works_on_it(lazy):
    run = MemoryBackend().init_run(make_meta({"x": (float, ()), "v": ("float32", (3,))}))
    rng = np.random.default_rng(1)
    for number in range(4):
        draws = {"x": rng.normal(size=200), "v": rng.normal(size=(200, 3)).astype("float32")}
        run.init_chain(number).extend(draws)
    tree = run.to_datatree(lazy=lazy)
    data = tree if DATATREE else run.to_inferencedata(lazy=lazy)
    plain = {name: np.array(tree["posterior"][name]) for name in ("x", "v")}
    expected = arviz.from_dict({"posterior": plain}) if DATATREE else arviz.from_dict(plain)
    assert arviz.summary(data).equals(arviz.summary(expected))
    for name in ("x", "v"):
        np.testing.assert_array_equal(arviz.ess(data)[name], arviz.ess(expected)[name])


def test_without_arviz_and_without_xarray(monkeypatch):
    run = simple_run([3])
    monkeypatch.setattr(drawstore.arviz, "_version", lambda package: None)
    with pytest.raises(ImportError, match=re.escape("pip install 'arviz<1'")):
        run.to_inferencedata()
    assert run.to_datatree()["posterior"].attrs["creation_library"] == "drawstore"
    program = "import sys; sys.modules['xarray'] = None; import drawstore.arviz"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'drawstore[arviz]'" in result.stderr
