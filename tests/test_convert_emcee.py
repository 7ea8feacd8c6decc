"""Conversions to files of emcee and back."""

import os

import arviz
import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from convert_runs import (
    make_run,
)
from drawstore.convert import convert, plan_conversion
from emcee_runs import (
    assert_same_array,
    assert_same_backend,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
)
from emcee_runs import run as sample


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def sampled(backend, steps=20, **options):
    sample(backend, steps, function=log_prob_blobs, blobs_dtype=[("a", float), ("b", float)])
    return backend


@pytest.mark.parametrize("source", ["theirs.h5", "ours.h5", "store"])
def test_ensembles_go_into_emcees_files_and_on(source):
    backend = {
        "theirs.h5": lambda: emcee.backends.HDFBackend("theirs.h5"),
        "ours.h5": lambda: drawstore.emcee.HDFBackend("ours.h5"),
        "store": lambda: drawstore.emcee.Backend(store=drawstore.FileBackend("store"), rid="mcmc"),
    }[source]()
    sampled(backend)
    if source != "theirs.h5":
        backend.close()
    convert(source, "target.h5", format="emcee")
    convert(source, "steps")
    convert("steps", "again.h5", format="emcee")
    kept = drawstore.emcee.Backend(store=drawstore.FileBackend("steps"), rid="mcmc")
    copies = [emcee.backends.HDFBackend(name) for name in ("target.h5", "again.h5")]
    for copy in (*copies, kept):
        assert_same_backend(copy, backend)
    for copy in (*copies, kept):  # each goes on as the original does
        sampled(copy, 5)
        assert copy.iteration == 25
    np.testing.assert_array_equal(copies[0].get_chain(), kept.get_chain())


def test_other_runs_do_not_fit_into_emcees_files():
    make_run()
    with pytest.raises(ValueError, match=r"none of an ensemble.*there is no stat 'lp'"):
        convert("source", "target.h5", format="emcee")
    meta = drawstore.make_meta({"x": (float, ()), "n": (int, ())}, {"lp": (float, ())})
    run = drawstore.FileBackend("mixed").init_run(meta)
    run.init_chain(0).extend({"x": [1.0], "n": [2]}, {"lp": [3.0]})
    with pytest.raises(ValueError, match="not floats of one dtype: float64, int64"):
        convert("mixed", "target.h5", format="emcee")
    run.init_chain(1)
    with pytest.raises(ValueError, match="are none, or differ in length"):
        convert("mixed", "target.h5", format="emcee")
    assert not os.path.exists("target.h5")


BLOBS = {
    "numbers": (log_prob_blobs, [("a", float), ("b", np.float32)]),
    "dict": (log_prob_dict, None),
    "array": (lambda x: (log_prob(x), np.float64(x[0]), np.float64(x[1])), None),
    "text": (lambda x: (log_prob(x), "é" * int(x[0] > 0), 1), [("t", object), ("n", "i2")]),
    "taken": (lambda x: (log_prob(x), x[0], x[1]), [("var_0", float), ("lp", float)]),
}


@pytest.mark.filterwarnings("ignore:.*VisibleDeprecationWarning", "ignore:Consolidated metadata")
@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [
        *((kind, "file", "run.nc") for kind in BLOBS),
        *((kind, "store", "run.parquet") for kind in BLOBS),
        ("text", "store", "run.zarr"),
        ("text", "file", "run.feather"),
    ],
)
def test_blobs_and_log_probabilities_there_and_back(kind, source, target):
    function, dtype = BLOBS[kind]
    backend = (
        drawstore.emcee.HDFBackend("file.h5")
        if source == "file"
        else drawstore.emcee.Backend(store=drawstore.FileBackend("store"), rid="mcmc")
    )
    with backend:
        sample(backend, function=function, blobs_dtype=dtype)
        plan = convert({"file": "file.h5"}.get(source, "store"), target)
        losses = [loss for loss in plan.runs[0].losses if "which becomes" not in loss]
        assert losses == ["how many proposals were accepted, and the state of the random numbers"]
        convert(target, "back.h5", format="emcee")
        back = emcee.backends.HDFBackend("back.h5")
        assert_same_array(back.get_chain(), backend.get_chain())
        assert_same_array(back.get_log_prob(), backend.get_log_prob())
        blobs = drawstore.emcee.HDFBackend("back.h5", read_only=True).get_blobs()
        assert_same_array(blobs, backend.get_blobs())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_blobs_in_trees_of_arviz():
    backend = emcee.backends.HDFBackend("chain.h5")
    sample(backend, function=log_prob_blobs)
    blobs = backend.get_blobs()
    tree = arviz.from_emcee(
        backend, blob_names=["first", "last"], blob_groups=["log_likelihood", "other"]
    )
    tree.to_netcdf("theirs.nc")
    plan = plan_conversion("theirs.nc", "back.h5", format="emcee")
    assert plan.runs[0].losses == ("how many proposals were accepted is not known, and is zero",)
    convert("theirs.nc", "back.h5", format="emcee")
    back = emcee.backends.HDFBackend("back.h5")
    assert_same_array(back.get_chain(), backend.get_chain())
    assert_same_array(back.get_log_prob(), backend.get_log_prob())
    # In the order of the groups, which ArviZ 1 writes in another one.
    assert sorted(back.get_blobs().dtype.names) == ["first", "last"]
    for i, name in enumerate(("first", "last")):
        assert_same_array(back.get_blobs()[name], blobs[:, :, i])


def test_what_emcees_files_cannot_hold_of_other_runs_is_named():
    meta = drawstore.make_meta(
        {"x": (float, ()), "sum": (float, ()), "when": ("M8[s]", ()), "list": (float, (-1,))},
        {"lp": (float, ()), "depth": (int, ())},
        deterministics=["sum", "when", "list"],
    )
    run = drawstore.FileBackend("source").init_run(meta)
    draws = {"x": [1.0], "sum": [2.0], "when": np.zeros(1, "M8[s]"), "list": [[1.0]]}
    run.init_chain(0).extend(draws, {"lp": [3.0], "depth": [1]})
    run.add_groups(log_likelihood={"y": np.zeros((1, 1, 2))})
    losses = convert("source", "target.h5", format="emcee").runs[0].losses
    assert losses == (
        "what follows from the coordinates: 'when', 'list'",
        "the stats 'depth'",
        "of the group 'log_likelihood': 'y'",
        "the names of the parameters, which become coordinates: 'x'",
        "how many proposals were accepted is not known, and is zero",
    )
    blobs = emcee.backends.HDFBackend("target.h5").get_blobs()
    assert blobs.tolist() == [[(2.0,)]]
