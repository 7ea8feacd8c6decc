"""Conversions from store to store, to the bit, and what is told meanwhile."""

import os

import emcee
import numpy as np
import pandas as pd
import pytest

import drawstore
import drawstore.emcee
from convert_runs import (
    EXACT,
    LENGTHS,
    UNEVEN,
    assert_same_chains,
    assert_same_facts,
    assert_same_groups,
    everything,
    fill,
    make_run,
    make_small,
    only,
    tree_of,
)
from drawstore.convert import convert
from emcee_runs import run as sample


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("target", EXACT)
@pytest.mark.parametrize("lengths", [LENGTHS, UNEVEN, {0: 0, 2: 5}, {}], ids=str)
def test_stores_hold_everything(target, lengths):
    run = make_run(lengths)
    run.add_groups(prior={"x": np.zeros((1, 2, 3))})
    plan = convert("source", target)
    assert plan.runs[0].losses == ()
    assert (plan.runs[0].chains, plan.runs[0].draws) == (len(lengths), sum(lengths.values()))
    copy = only(target)
    assert_same_chains(copy, run)
    assert_same_facts(copy, run)
    assert_same_groups(copy, run)
    assert sorted(os.listdir()) == sorted(["source", target])


def test_all_runs_of_a_store_are_copied_or_one_by_its_id():
    backend = drawstore.FileBackend("source")
    for rid in ("first", "second"):
        fill(backend.init_run(everything(rid=rid)), LENGTHS)
    convert("source", "all.h5")
    assert [info.rid for info in drawstore.open("all.h5").get_runs()] == ["first", "second"]
    convert("all.h5", "one", rid="second")
    assert [info.rid for info in drawstore.open("one").get_runs()] == ["second"]
    with pytest.raises(ValueError, match=r"there are 2 runs in 'source'.*'first', 'second'"):
        convert("source", "run.nc")
    with pytest.raises(KeyError, match="third"):
        convert("source", "run.nc", rid="third")
    assert sorted(os.listdir()) == ["all.h5", "one", "source"]


def test_runs_are_added_to_a_store_that_is_there(caplog):
    make_run()
    other = drawstore.FileBackend("store").init_run(everything(rid="other"))
    fill(other, UNEVEN)
    convert("source", "store")
    assert_same_chains(drawstore.open("store").get_run("all of it"), only("source"))
    assert_same_chains(drawstore.open("store").get_run("other"), other)
    with pytest.raises(FileExistsError, match="there is a run 'all of it' in 'store' already"):
        convert("source", "store")
    convert("source", "store", force=True)
    assert len(drawstore.open("store").get_runs()) == 2
    assert not caplog.records


def told_of(target):
    told = []
    convert("source", target, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {told[-1][0]}
    return told[-1][0]


def test_progress_is_told_to_the_end():
    make_small()
    rows = sum(LENGTHS.values())
    assert [told_of(target) for target in (*EXACT, "run.parquet", "run.arrow")] == [rows] * 4
    assert told_of("run.nc") == told_of("run.zarr") > 0


def test_blocks_are_put_together(monkeypatch):
    monkeypatch.setattr("drawstore.convert.blocks._BLOCK_BYTES", 1000)
    run = make_small(UNEVEN)
    sample(emcee.backends.HDFBackend("chain.h5"), 20)
    convert("source", "first.nc")
    for source, target in (("first.nc", "runs"), ("runs", "runs.h5"), ("runs.h5", "run.zarr")):
        convert(source, target)
        assert_same_chains(only(target), run)
        assert_same_facts(only(target), run)
    convert("source", "run.parquet")
    x = pd.read_parquet("run.parquet")["x[2]"]
    np.testing.assert_array_equal(
        x, np.concatenate([chain.get_draws("x")[:, 2] for chain in run.get_chains()])
    )
    chain = emcee.backends.HDFBackend("chain.h5").get_chain()
    convert("chain.h5", "steps")
    convert("steps", "again.h5", format="emcee")
    np.testing.assert_array_equal(emcee.backends.HDFBackend("again.h5").get_chain(), chain)
    convert("steps", "steps.nc")
    np.testing.assert_array_equal(tree_of("steps.nc")["posterior"]["var_1"], chain[:, :, 1])
