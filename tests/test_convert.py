"""Conversions there and back, to the bit where the format can; and what is said where it cannot."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import arviz
import emcee
import numpy as np
import pandas as pd
import pyarrow.feather
import pyarrow.parquet
import pytest
import xarray as xr

import drawstore
import drawstore.emcee
from convert_runs import (
    ODD,
    RAGGED,
    VARIABLES,
    assert_same_chains,
    assert_same_facts,
    assert_same_groups,
    assert_same_values,
    everything,
    fill,
)
from drawstore.convert import convert, plan_conversion
from emcee_runs import assert_same_backend, log_prob_blobs
from emcee_runs import run as sample

DATATREE = int(arviz.__version__.split(".")[0]) >= 1
TREES = ["run.nc", "run.zarr"]
LENGTHS = {0: 23, 3: 23}
UNEVEN = {0: 23, 1: 9, 4: 2}
UNLIKE = ("x", "flag", "u2", "i8", "text", "when", "took")
EXACT = ["runs", "runs.h5"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_run(lengths=LENGTHS, *, odd=True, only=tuple(VARIABLES), **options):
    variables = {name: VARIABLES[name] for name in only}
    run = drawstore.FileBackend("source").init_run(everything(odd, variables=variables))
    fill(run, lengths, **options)
    return run


def make_small(lengths=LENGTHS):
    """Make a run of few variables, all of which any format holds to the bit."""
    return make_run(lengths, odd=False, only=("x", "u2", "text"), missing=False)


def only(where):
    """Open the one run that is somewhere."""
    backend = drawstore.open(where)
    (info,) = backend.get_runs()
    return backend.get_run(info.rid)


def tree_of(where):
    engine = "zarr" if os.path.isdir(where) else "h5netcdf"
    with xr.open_datatree(where, engine=engine, decode_timedelta=True) as tree:
        return tree.load()


# Stores of drawstore.


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


# Files of ArviZ.


@pytest.mark.parametrize("target", TREES)
def test_trees_come_back_to_the_bit(target):
    run = make_run({5: 3}, odd=False, missing=False)
    run.add_groups(log_likelihood={"y": np.ones((1, 2, 3))}, prior={"x": np.zeros((1, 2, 3))})
    plan = convert("source", target)
    floats = ["'half' is float16 and becomes float32"] if target == "run.nc" else []
    assert [loss for loss in plan.runs[0].losses if "attributes" not in loss] == floats
    assert_same_chains(only(target), run)
    assert_same_facts(only(target), run)
    assert_same_groups(only(target), run)
    assert only(target).created_at == run.created_at


@pytest.mark.parametrize("target", TREES)
def test_uneven_chains_are_filled_up_and_come_back_to_the_bit(target):
    run = make_run(UNEVEN, odd=False, only=UNLIKE, missing=False)
    losses = convert("source", target).runs[0].losses
    assert any("the shorter ones are filled up" in loss for loss in losses)
    assert_same_chains(only(target), run)
    posterior = tree_of(target)["posterior"]
    assert posterior.sizes["draw"] == 19
    assert np.isnan(posterior["x"][1, 5:]).all()


@pytest.mark.parametrize("target", TREES)
def test_missing_values_come_back_where_the_dtype_has_no_nan(target):
    run = make_run(odd=False, only=("u2",))
    losses = convert("source", target).runs[0].losses
    assert any("depth, energy are missing" in loss for loss in losses)
    copy = only(target)
    for chain, other in zip(copy.get_chains(), run.get_chains(), strict=True):
        assert_same_values(chain.get_stats("depth"), other.get_stats("depth"))
        expected = np.ma.filled(other.get_stats("energy"), np.nan)
        np.testing.assert_array_equal(chain.get_stats("energy"), expected)


@pytest.mark.parametrize("target", TREES)
def test_trees_are_what_xarray_makes_of_the_run(target):
    run = make_run(odd=False)
    run.add_groups(log_likelihood={"y": np.ones((1, 2, 3))})
    run = drawstore.FileBackend("source", "r").get_run(run.rid)
    expected = run.to_datatree()
    for name in ("nothing", "nested"):  # which xarray refuses
        del expected.attrs[name]
    if target == "run.nc":
        expected.to_netcdf("expected.nc", engine="h5netcdf")
        theirs = tree_of("expected.nc")
    else:
        expected.to_zarr("expected.zarr", zarr_format=2)
        theirs = tree_of("expected.zarr")
    convert("source", target)
    ours = tree_of(target)
    assert ours.attrs.pop("drawstore")
    xr.testing.assert_identical(ours, theirs)
    for group in theirs.children:
        for name, variable in theirs[group].variables.items():
            if name != "half":  # netCDF has no floats of 16 bits
                assert ours[group][name].dtype == variable.dtype, name


@pytest.mark.parametrize("target", TREES)
def test_what_a_tree_cannot_hold_is_said_before(target, caplog):
    run = make_run(only=("x", "u2"))
    plan = plan_conversion("source", target)
    assert os.listdir() == ["source"]
    said = "\n".join(plan.runs[0].losses)
    for name in ODD:
        assert name in said
    assert "nothing" in said
    assert "nested" in said
    with caplog.at_level(logging.WARNING, "drawstore"):
        assert convert("source", target).runs == plan.runs
    assert len(caplog.records) == len(plan.runs[0].losses)
    copy = only(target)
    assert [name for name in ODD if name in copy.variables] == ["long"]
    x = copy.get_chains()[1].get_draws("x")
    assert_same_values(x, run.get_chains()[1].get_draws("x"))
    assert copy.attributes == run.attributes


@pytest.mark.parametrize("target", TREES)
@pytest.mark.parametrize("lengths", [{}, {0: 0}, {0: 0, 1: 6}], ids=str)
def test_runs_without_draws_become_trees(target, lengths):
    run = make_small(lengths)
    convert("source", target)
    if sum(lengths.values()):
        assert_same_chains(only(target), run)
    assert "posterior" in tree_of(target).children


@pytest.mark.parametrize("target", TREES)
def test_a_tree_that_was_changed_since_is_read_as_it_is(target):
    make_small()
    convert("source", target)
    tree = tree_of(target)
    changed = xr.DataTree.from_dict(
        {"/": tree.to_dataset(), "posterior": tree["posterior"].to_dataset().isel(draw=slice(0, 5))}
    )
    changed.to_netcdf("changed.nc", engine="h5netcdf")
    (info,) = drawstore.open("changed.nc").get_runs()
    assert info.rid == "changed"
    assert info.chains == {0: 5, 3: 5}


def test_a_description_that_makes_no_sense_is_not_heeded():
    make_small()
    convert("source", "run.nc")
    for text in ("", "[]", "{}", '{"version": 1, "meta": "////", "chains": []}'):
        tree = tree_of("run.nc")
        tree.attrs["drawstore"] = text
        tree.to_netcdf("other.nc", engine="h5netcdf")
        with drawstore.open("other.nc") as backend:
            assert backend.get_runs()[0].chains == {0: 23, 3: 23}


def foreign(kind):
    """Write a file by ArviZ itself, and give its groups."""
    rng = np.random.default_rng(1)
    groups = {
        "posterior": {"mu": rng.normal(size=(4, 30)), "theta": rng.normal(size=(4, 30, 3))},
        "sample_stats": {"lp": rng.normal(size=(4, 30)), "diverging": rng.random((4, 30)) < 0.1},
        "warmup_posterior": {"mu": rng.normal(size=(4, 10)), "theta": rng.normal(size=(4, 10, 3))},
        "warmup_sample_stats": {"lp": rng.normal(size=(4, 10))},
        "log_likelihood": {"y": rng.normal(size=(4, 30, 5))},
        "observed_data": {"y": rng.normal(size=5)},
        "constant_data": {"x": np.arange(5)},
    }
    coords, dims = {"school": ["A", "B", "Ç"]}, {"theta": ["school"]}
    if DATATREE:
        data = arviz.from_dict(groups, coords=coords, dims=dims, save_warmup=True)
    else:
        data = arviz.from_dict(**groups, coords=coords, dims=dims, save_warmup=True)
    if kind == "foreign.nc":
        data.to_netcdf(kind)
    elif DATATREE:
        data.to_zarr(kind)
    else:  # its to_zarr knows the versions of zarr before 3 alone
        xr.DataTree.from_dict({name: data[name] for name in data.groups()}).to_zarr(kind)
    return groups


@pytest.mark.filterwarnings("ignore:Consolidated metadata", "ignore:The data type")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("source", ["foreign.nc", "foreign.zarr"])
@pytest.mark.parametrize("target", ["store", "run.nc"])
def test_files_of_arviz_itself(source, target):
    groups = foreign(source)
    run = only(source)
    assert run.rid == "foreign"
    (first, *_) = chains = run.get_chains()
    assert [len(chain) for chain in chains] == [40] * 4
    for i, chain in enumerate(chains):
        both = [groups["warmup_posterior"]["theta"][i], groups["posterior"]["theta"][i]]
        np.testing.assert_array_equal(chain.get_draws("theta"), np.concatenate(both))
        np.testing.assert_array_equal(chain.get_draws("theta", slice(8, 12)), np.vstack(both)[8:12])
    assert run.variables["theta"].dims == ["school"]
    assert first.get_stats("tune").tolist() == [True] * 10 + [False] * 30
    diverging = first.get_stats("diverging")
    assert diverging.dtype == bool
    assert np.ma.getmaskarray(diverging).tolist() == [True] * 10 + [False] * 30
    theirs = tree_of(source)
    convert(source, target)
    shown = only(target).to_datatree() if target == "store" else tree_of(target)
    for name, group in theirs.children.items():
        shown_group = shown[name].to_dataset()
        if name == "warmup_sample_stats":  # a stat that the warm-up has not is missing there
            shown_group = shown_group.drop_vars("diverging")
        if name == "sample_stats":
            shown_group["diverging"] = shown_group["diverging"].astype(bool)
        xr.testing.assert_equal(shown_group, group.to_dataset())
        assert shown_group["chain"].equals(group["chain"]) if "chain" in group.coords else True


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_arviz_reads_what_is_written():
    run = make_small()
    convert("source", "run.nc")
    read = arviz.from_netcdf("run.nc")
    posterior = read["posterior"]
    np.testing.assert_array_equal(posterior["x"][1], run.get_chains()[1].get_draws("x")[4:])


# Files of emcee.


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


@pytest.mark.parametrize("target", TREES)
def test_walkers_there_and_back(target):
    backend = emcee.backends.HDFBackend("chain.h5")
    sample(backend, 30)
    convert("chain.h5", target)
    tree = tree_of(target)
    chain = backend.get_chain()
    assert tree["posterior"]["var_1"].dims == ("draw", "chain")
    np.testing.assert_array_equal(tree["posterior"]["var_1"], chain[:, :, 1])
    np.testing.assert_array_equal(tree["sample_stats"]["lp"], backend.get_log_prob())
    plan = convert(target, "back.h5", format="emcee")
    assert "how many proposals were accepted" in plan.runs[0].losses[0]
    back = emcee.backends.HDFBackend("back.h5")
    np.testing.assert_array_equal(back.get_chain(), chain)
    np.testing.assert_array_equal(back.get_log_prob(), backend.get_log_prob())


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


# Data frames.


@pytest.mark.parametrize("target", ["run.parquet", "run.feather"])
def test_data_frames_have_a_row_for_each_draw(target):
    run = make_run(UNEVEN)
    plan = convert("source", target)
    said = "\n".join(plan.runs[0].losses)
    for name in (RAGGED, "long", "fields", "c8", "data and groups"):
        assert name in said
    read = pd.read_parquet if target == "run.parquet" else pd.read_feather
    frame = read(target)
    table = (pyarrow.parquet if target == "run.parquet" else pyarrow.feather).read_table(target)
    assert b'"note"' in table.schema.metadata[b"drawstore"]
    assert len(frame) == sum(UNEVEN.values())
    for chain in run.get_chains():
        rows = frame[frame["chain"] == chain.chain_number]
        assert rows["draw"].tolist() == list(range(len(chain)))
        x, c8 = chain.get_draws("x"), chain.get_draws("c8")
        for i in range(3):
            assert_same_values(rows[f"x[{i}]"].to_numpy(), x[:, i])
        assert rows["c8[1].imag"].to_numpy().tobytes() == c8[:, 1].imag.tobytes()
        assert rows["a/b"].to_numpy().tobytes() == chain.get_draws("a/b").tobytes()
        assert rows["text"].tolist() == chain.get_draws("text").tolist()
        assert [list(v) for v in rows["texts"]] == [list(v) for v in chain.get_draws("texts")]
        assert rows["tune"].dtype == bool
        depth = np.ma.getmaskarray(chain.get_stats("depth"))
        assert rows["depth"].isna().tolist() == depth.tolist()
    assert table.schema.field("depth").type == "int64"
    assert table.schema.field("when").type == "timestamp[ms]"


def test_names_of_a_data_frame_are_different():
    meta = drawstore.make_meta({"lp": (float, ()), "chain": (int, ())}, {"lp": (float, ())})
    run = drawstore.FileBackend("source").init_run(meta)
    run.init_chain(2).extend({"lp": [1.0], "chain": [7]}, {"lp": [2.0]})
    plan = convert("source", "run.parquet")
    assert len(plan.runs[0].losses) == 2
    (row,) = pd.read_parquet("run.parquet").to_dict("records")
    assert row == {
        "chain": 2,
        "draw": 0,
        "lp": 1.0,
        "posterior.chain": 7,
        "sample_stats.lp": 2.0,
    }


def test_walkers_of_an_ensemble_are_chains_of_a_data_frame():
    backend = emcee.backends.HDFBackend("chain.h5")
    sample(backend, 10)
    convert("chain.h5", "run.arrow")
    frame = pd.read_feather("run.arrow").set_index(["chain", "draw"])
    assert frame.loc[3, 7]["var_2"] == backend.get_chain()[7, 3, 2]
    assert frame.loc[11, 9]["lp"] == backend.get_log_prob()[9, 11]


# Whole, or not at all.

FILES = [*EXACT, *TREES, "run.parquet", "run.arrow"]


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


@pytest.mark.parametrize("target", FILES)
def test_a_conversion_that_fails_leaves_nothing(target):
    make_small()

    def fail(done, total):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        convert("source", target, progress=fail)
    assert os.listdir() == ["source"]


def test_a_store_is_as_before_after_a_conversion_that_fails():
    make_small()

    def fail(done, total):
        raise OSError("no room")

    for target in EXACT:
        make_other(target)
        with pytest.raises(OSError, match="no room"):
            convert("source", target, progress=fail)
        assert [info.rid for info in drawstore.open(target).get_runs()] == ["other"]


def make_other(target):
    backend = drawstore.HDF5Backend(target) if ".h5" in target else drawstore.FileBackend(target)
    with backend:
        fill(backend.init_run(everything(rid="other")), LENGTHS)


KILLED = """
import os, signal, sys
from drawstore.convert import convert
convert("source", sys.argv[1], progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


def killed(target):
    done = subprocess.run([sys.executable, "-c", KILLED, target], capture_output=True)
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize("target", ["runs.h5", "run.nc", "run.zarr"])
def test_a_conversion_that_is_killed_leaves_no_half_file(target):
    run = make_small()
    killed(target)
    assert not os.path.exists(target)
    left = [name for name in os.listdir() if name != "source"]
    assert left
    assert all(name.startswith(f"{target}.unfinished-") for name in left)
    convert("source", target)
    if target in (*EXACT, *TREES):
        assert_same_chains(only(target), run)


@pytest.mark.parametrize("target", ["runs.h5"])
def test_a_run_that_was_half_added_is_known_and_replaced(target):
    run = make_small()
    make_other(target)
    killed(target)
    half = drawstore.open(target).get_run(run.rid)
    assert half.to_datatree().attrs["unfinished_conversion"] == "source"
    convert("source", target)
    whole = drawstore.open(target).get_run(run.rid)
    assert_same_chains(whole, run)
    assert "unfinished_conversion" not in whole.to_datatree().attrs
    with pytest.raises(FileExistsError):
        convert("source", target)


@pytest.mark.parametrize("target", [*TREES, "run.parquet"])
def test_what_is_there_is_replaced_where_that_is_said(target):
    make_small()
    convert("source", target)
    with pytest.raises(FileExistsError, match="is there already"):
        convert("source", target)
    shutil.rmtree("source")
    run = make_small({0: 8})
    convert("source", target, force=True)
    if target in TREES:
        assert_same_chains(only(target), run)
    assert sorted(os.listdir()) == sorted(["source", target])


def test_what_is_something_else_is_never_replaced():
    make_small()
    for name in ("folder.nc", "folder.zarr", "folder"):
        os.mkdir(name)
        Path(name, "mine.txt").write_text("precious")
        with pytest.raises((FileExistsError, ValueError)):
            convert("source", name, format={"folder": "files"}.get(name), force=True)
        assert Path(name, "mine.txt").read_text() == "precious"
    for name in ("mine.h5", "runs"):
        Path(name).write_text("precious")
        with pytest.raises((ValueError, OSError)):
            convert("source", name, force=True)
        assert Path(name).read_text() == "precious"


def test_sources_and_targets_that_make_no_sense():
    make_small()
    with pytest.raises(FileNotFoundError, match="nothing at 'nowhere'"):
        convert("nowhere", "run.nc")
    with pytest.raises(ValueError, match="the name does not say what it is to be"):
        convert("source", "run.docx")
    with pytest.raises(ValueError, match="format 'docx' is none of files, hdf5"):
        convert("source", "run.nc", format="docx")
    with pytest.raises(ValueError, match="is the source itself"):
        convert("source", "../" + os.path.basename(os.getcwd()) + "/source")
    with pytest.raises(ValueError, match="is no place for a netCDF file"):
        convert("source", "clickhouse://localhost/draws", format="netcdf")
    os.mkdir("empty")
    with pytest.raises(ValueError, match="there are no runs in 'empty'"):
        convert("empty", "run.nc")
    convert("source", "odd.name", format="netcdf")
    assert drawstore.open("odd.name").get_runs()[0].rid == "all of it"


@pytest.mark.parametrize("target", TREES)
def test_files_of_arviz_can_only_be_read(target):
    make_small()
    convert("source", target)
    backend = drawstore.open(target)
    assert backend.get_runs()[0].size > 1000
    with pytest.raises(ValueError, match="can only be read"):
        drawstore.open(target, "a")
    with pytest.raises(RuntimeError, match="can only be read"):
        backend.init_run(everything())
    with pytest.raises(RuntimeError, match="can only be read"):
        backend.delete_run("all of it")
    with pytest.raises(KeyError, match="there is no run 'x'"):
        backend.get_run("x")
    run = backend.get_run("all of it")
    with pytest.raises(RuntimeError, match="can only be read"):
        run.init_chain(7)
    (chain, _) = run.get_chains()
    with pytest.raises(KeyError, match=r"there is no .*x y.*; there are .*x"):
        chain.get_draws("x y")
    with pytest.raises(IndexError, match="there is no draw 23: the chain has 23"):
        chain.get_draws_at(23)
    with pytest.raises(RuntimeError, match="can only be read"):
        chain.append({})
    assert not chain.get_draws("x").flags.writeable
    assert run.summary().chains == {0: 19, 3: 19}
