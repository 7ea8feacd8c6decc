"""Runs as ArviZ shows them: what is copied, names, dims, data, and text."""

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

import drawstore.arviz
from arviz_runs import one_variable, simple_run
from drawstore import MemoryBackend, make_meta

DATATREE = int(arviz.__version__.split(".")[0]) >= 1


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
