"""Conversions to files of ArviZ and back, and from those of ArviZ itself."""

import logging
import os

import arviz
import emcee
import numpy as np
import pytest
import xarray as xr

import drawstore
import drawstore.emcee
from convert_runs import (
    ODD,
    TREES,
    UNEVEN,
    UNLIKE,
    assert_same_chains,
    assert_same_facts,
    assert_same_groups,
    assert_same_values,
    everything,
    make_run,
    make_small,
    only,
    tree_of,
)
from drawstore.convert import convert, plan_conversion
from emcee_runs import run as sample

DATATREE = int(arviz.__version__.split(".")[0]) >= 1


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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
