"""Stored runs as ArviZ shows them, and what is kept with runs after sampling."""

import os
import pickle
from pathlib import Path

import arviz
import numpy as np
import pytest
import xarray as xr

from drawstore import FileBackend, HDF5Backend, MemoryBackend, make_meta
from drawstore.arviz.datasets import as_group

DATATREE = int(arviz.__version__.split(".")[0]) >= 1


def make_backend(kind, folder):
    if kind == "memory":
        return MemoryBackend()
    return FileBackend(folder / "runs") if kind == "files" else HDF5Backend(folder / "runs.h5")


@pytest.fixture(params=["memory", "files", "hdf5"])
def backend(request, tmp_path):
    with make_backend(request.param, tmp_path) as backend:
        yield backend


def sampled_run(backend, n_draws=20, rid="first", n_variables=3):
    """Make a run of two chains."""
    names = [f"x{i}" for i in range(n_variables)]
    meta = make_meta(
        {**dict.fromkeys(names, (float, ())), "v": (float, (2,), "side"), "text": (str, ())},
        {"tune": (bool, ()), "depth": (int, ())},
        coords={"side": ["left", "right"], "trial": [10, 20, 30]},
        observed_data={"y": ([1.0, 2.0, 3.0], "trial")},
        attributes={"inference_library": "mine"},
        rid=rid,
    )
    run = backend.init_run(meta)
    rng = np.random.default_rng(1)
    for number in range(2):
        chain = run.init_chain(number)
        draws = {name: rng.normal(size=n_draws) for name in names}
        draws |= {"v": rng.normal(size=(n_draws, 2)), "text": list(map(str, range(n_draws)))}
        depth = np.ma.MaskedArray(np.arange(n_draws), np.arange(n_draws) % 7 == 6)
        chain.extend(draws, {"tune": np.arange(n_draws) < n_draws // 4, "depth": depth})
        chain.close()
    return run


def without_times(tree):
    tree = tree.copy()
    for group in tree.children.values():
        assert group.attrs.pop("created_at")
    return tree


def test_every_store_shows_the_same(backend):
    expected = without_times(sampled_run(MemoryBackend()).to_datatree(lazy=False))
    assert expected["sample_stats"]["depth"].dtype == float
    run = sampled_run(backend)
    for shown in (run, backend.get_run("first"), pickle.loads(pickle.dumps(run))):
        for lazy in (None, True, False):
            xr.testing.assert_identical(without_times(shown.to_datatree(lazy=lazy)), expected)
    if not DATATREE:
        data = run.to_inferencedata()
        xr.testing.assert_equal(data.posterior, expected["posterior"].to_dataset())


def read_by(work):
    """Give the bytes that this process reads from files meanwhile."""
    io = Path("/proc/self/io")
    before = int(io.read_text().split()[1])
    work()
    return int(io.read_text().split()[1]) - before


@pytest.mark.parametrize("kind", ["files", "hdf5"])
def test_only_what_is_asked_for_is_read(tmp_path, kind):
    with make_backend(kind, tmp_path) as backend:
        run = sampled_run(backend, n_draws=20_000, n_variables=50)
        run.flush()
        run = backend.get_run("first")
        size = 2 * 20_000 * 50 * 8
        assert run.size > size
        trees = []
        assert read_by(lambda: trees.append(run.to_datatree())) < size / 10
        x = trees[0]["posterior"]["x7"]
        assert read_by(lambda: x.isel(draw=slice(100, 200)).mean().item()) < size / 10
        assert read_by(lambda: x.mean().item()) < size / 10
        assert read_by(lambda: [v.mean().item() for v in (x, x, x)]) >= 3 * 2 * 15_000 * 8


def test_a_summary_of_a_stored_run(backend):
    run = sampled_run(backend, n_draws=200)
    memory = sampled_run(MemoryBackend(), n_draws=200)
    convert = "to_datatree" if DATATREE else "to_inferencedata"
    ours, expected = (
        arviz.summary(getattr(each, convert)(), var_names=["x0", "v"]) for each in (run, memory)
    )
    assert ours.equals(expected)
    assert list(ours.index) == ["x0", "v[left]", "v[right]"]


def test_groups_of_plain_arrays_stay_with_the_run(backend):
    run = sampled_run(backend)
    rng = np.random.default_rng(1)
    log_likelihood = rng.normal(size=(2, 15, 3))
    run.add_groups(
        log_likelihood={"y": log_likelihood},
        posterior_predictive={"y": log_likelihood + 1, "z": np.arange(60).reshape(2, 15, 2)},
        predictions_constant_data={"w": np.arange(3.0), "words": np.array(["a", "b"], object)},
        dims={"z": ["part"], "w": ["trial"]},
        coords={"part": ["c", "d"]},
    )
    for shown in (run, backend.get_run("first"), pickle.loads(pickle.dumps(run))):
        tree = shown.to_datatree()
        assert tree["log_likelihood"]["y"].dims == ("chain", "draw", "trial")
        np.testing.assert_array_equal(tree["log_likelihood"]["y"], log_likelihood)
        np.testing.assert_array_equal(tree["log_likelihood"]["trial"], [10, 20, 30])
        assert list(tree["posterior_predictive"]["part"].values) == ["c", "d"]
        np.testing.assert_array_equal(tree["predictions_constant_data"]["w"], range(3))
        assert tree["predictions_constant_data"]["words"].values.tolist() == ["a", "b"]
        assert tree["log_likelihood"].attrs["created_at"]
    run.add_groups(log_likelihood={"y": log_likelihood * 2})
    tree = backend.get_run("first").to_datatree()
    np.testing.assert_array_equal(tree["log_likelihood"]["y"], log_likelihood * 2)
    assert {"posterior_predictive", "predictions_constant_data"} <= tree.children.keys()
    if not DATATREE:
        assert run.to_inferencedata().log_likelihood["y"].shape == (2, 15, 3)


def test_leaving_one_out(backend):
    run = sampled_run(backend, n_draws=200)
    rng = np.random.default_rng(1)
    run.add_groups(log_likelihood={"y": rng.normal(size=(2, 150, 3))})
    result = run.to_datatree() if DATATREE else run.to_inferencedata()
    assert np.isfinite(arviz.loo(result, reff=1.0).se)


def test_datasets_and_trees_come_back_as_they_were(backend):
    run = sampled_run(backend)
    labels = np.array(["one", "two", ""], dtype=object)
    dataset = xr.Dataset(
        {
            "x": (("chain", "draw", "label"), np.arange(18, dtype="i2").reshape(2, 3, 3)),
            "when": ("draw", np.array(["2001", "2002", "2003"], "M8[s]")),
            "scalar": 1.5,
        },
        {"label": labels, "chain": [3, 5], "draw": range(3), "extra": ("draw", [1.0, 2.0, 3.0])},
        {"note": "é", "steps": [1, 2]},
    )
    tree = xr.DataTree.from_dict({"given": dataset, "other": dataset})
    run.add_groups(kept=dataset, given=tree, other=tree["other"])
    if not DATATREE:
        run.add_groups(prior=arviz.InferenceData(prior=dataset))
    tree = backend.get_run("first").to_datatree()
    for name in ("kept", "given", "other", *([] if DATATREE else ["prior"])):
        xr.testing.assert_identical(tree[name].to_dataset(), dataset)


def test_lazy_groups_are_read_and_levels_of_an_index_are_kept(backend):
    run = sampled_run(backend)
    run.add_groups(half=run.to_datatree(lazy=True)["posterior"].isel(draw=slice(0, 5)))
    half = run.to_datatree()["half"].to_dataset()
    xr.testing.assert_equal(half, run.to_datatree()["posterior"].to_dataset().isel(draw=range(5)))
    stacked = half[["x0"]].stack(sample=("chain", "draw"))
    run.add_groups(stacked=stacked)
    again = run.to_datatree()["stacked"].to_dataset()
    xr.testing.assert_identical(again.set_index(sample=["chain", "draw"]), stacked)


def test_what_is_kept_does_not_change_with_what_was_given(backend):
    run = sampled_run(backend)
    values = np.zeros((2, 15))
    run.add_groups(prior={"x": values})
    values[:] = 1
    assert not run.to_datatree()["prior"]["x"].any()


def test_groups_that_cannot_be_kept_are_refused_and_none_is_kept(backend):
    run = sampled_run(backend)
    good = {"x": np.zeros((2, 15))}
    for name in ("posterior", "warmup_sample_stats", "observed_data"):
        with pytest.raises(ValueError, match=f"'{name}' is made of the run itself"):
            run.add_groups(good=good, **{name: good})
    other = xr.DataTree.from_dict({"other": xr.Dataset({"x": 1})})
    with pytest.raises(ValueError, match="there is no group 'prior' in what was given for it"):
        run.add_groups(good=good, prior=other)
    with pytest.raises(ValueError, match="'a/b' is no name of a group"):
        run.add_groups(good=good, **{"a/b": good})
    with pytest.raises(ValueError, match=r"'x' in prior is to have the shape \(chains, draws"):
        run.add_groups(good=good, prior={"x": np.zeros(3)})
    with pytest.raises(ValueError, match="prior cannot be kept as it is: the coordinate 'trial'"):
        run.add_groups(good=good, prior={"x": np.zeros((2, 3, 4))}, dims={"x": ["trial"]})
    assert "good" not in run.to_datatree().children
    with pytest.raises(TypeError, match="'x' holds Python objects"):
        run.add_groups(prior={"x": np.array([[1, {}]], dtype=object)})
    assert "prior" not in run.to_datatree().children


def test_groups_are_refused_where_the_store_is_read_only(tmp_path):
    sampled_run(FileBackend(tmp_path))
    run = FileBackend(tmp_path, "r").get_run("first")
    with pytest.raises(RuntimeError, match="read-only"):
        run.add_groups(prior={"x": np.zeros((2, 15))})


def test_names_of_groups_are_names_of_files(tmp_path):
    run = sampled_run(FileBackend(tmp_path))
    run.add_groups(prior={"x": np.zeros((2, 15))}, prédiction={"x": np.zeros((2, 15))})
    files = {file for _, _, files in os.walk(tmp_path) for file in files if "npz" in file}
    assert len(files) == 2
    assert {"prior", "prédiction"} <= run.to_datatree().children.keys()


def test_a_group_of_a_dataset_is_its_arrays():
    group = as_group(xr.Dataset({"x": ("draw", [1, 2])}, {"draw": [5, 6]}, {"a": 1}))
    assert group.dims == {"x": ("draw",), "draw": ("draw",)}
    assert group.attrs == {"a": 1}
