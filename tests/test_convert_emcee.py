"""Conversions to files of emcee and back."""

import os

import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from convert_runs import (
    make_run,
)
from drawstore.convert import convert
from emcee_runs import assert_same_backend, log_prob_blobs
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
