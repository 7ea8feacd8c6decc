"""Conversions to data frames and back, and from those of others."""

import os
import pickle
from pathlib import Path

import emcee
import numpy as np
import pandas as pd
import pyarrow.feather
import pyarrow.parquet
import pytest

import drawstore
import drawstore.emcee
import drawstore.interface
from convert_runs import (
    FRAMES,
    LENGTHS,
    UNEVEN,
    assert_same_chains,
    assert_same_facts,
    assert_same_values,
    everything,
    make_run,
    make_small,
    only,
)
from drawstore.convert import convert, plan_conversion
from drawstore.groups import SAMPLING
from emcee_runs import run as sample


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read_table(path):
    return (pyarrow.parquet if "parquet" in path else pyarrow.feather).read_table(path)


@pytest.mark.parametrize("target", FRAMES)
def test_data_frames_have_a_row_for_each_draw(target):
    run = make_run(UNEVEN)
    plan = convert("source", target)
    said = "\n".join(plan.runs[0].losses)
    for name in ("long", "fields"):
        assert name in said
    read = pd.read_parquet if target == "run.parquet" else pd.read_feather
    frame = read(target)
    table = read_table(target)
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


@pytest.mark.parametrize("target", FRAMES)
@pytest.mark.parametrize("lengths", [LENGTHS, UNEVEN, {0: 0, 2: 5}, {0: 0}, {}], ids=str)
def test_data_frames_come_back_to_the_bit(target, lengths):
    run = make_run(lengths)
    plan = convert("source", target)
    assert [loss.split("'")[1] for loss in plan.runs[0].losses] == ["long", "fields"]
    copy = only(target)
    assert copy.get_chains()[0].get_draws("long").dtype == np.longdouble if lengths else True
    convert(target, "again", rid=run.rid)
    for other in (copy, only("again")):
        assert_same_chains(other, run, besides=("fields",), inexact=("long",))
        assert_same_facts(other, run, besides=("fields",))
    assert copy.created_at == run.created_at


@pytest.mark.parametrize("target", FRAMES)
def test_attributes_from_after_sampling_come_back_and_groups_are_told(target):
    run = make_small()
    run._save_group(SAMPLING, drawstore.interface.Group({}, {}, attrs={"sampling_time": 1.5}))
    run.add_groups(prior={"x": np.zeros((1, 2, 3))})
    assert convert("source", target).runs[0].losses == ("groups: 'prior'",)
    assert only(target)._load_groups()[SAMPLING].attrs == {"sampling_time": 1.5}


def test_much_data_is_left_out_of_a_schema_and_told():
    meta = drawstore.make_meta(
        {"x": (float, ())}, observed_data={"y": (np.zeros(2_000_000), None)}, rid="r"
    )
    drawstore.FileBackend("source").init_run(meta).init_chain(0).extend({"x": [1.0]})
    assert convert("source", "run.parquet").runs[0].losses == ("data: 'y'",)
    assert only("run.parquet").observed_data == {}


def test_names_of_elements_that_are_names_of_others_come_back():
    meta = drawstore.make_meta({"x[0]": (float, ()), "x": (float, (2,))}, {"chain": (int, ())})
    run = drawstore.FileBackend("source").init_run(meta)
    run.init_chain(2).extend({"x[0]": [1.0], "x": [[2.0, 3.0]]}, {"chain": [7]})
    convert("source", "run.parquet")
    assert_same_chains(only("run.parquet"), run)


@pytest.mark.parametrize("compressed", [False, True])
def test_frames_are_read_by_row_group(compressed, monkeypatch):
    monkeypatch.setattr("drawstore.convert.blocks._BLOCK_BYTES", 1000)
    monkeypatch.setattr("drawstore.frames.table._KEPT_BYTES", 1000)
    run = make_small({0: 90, 2: 17})
    for target in FRAMES:
        convert("source", target)
        assert_same_chains(only(target), run)
    table = pyarrow.parquet.read_table("run.parquet")
    assert pyarrow.parquet.ParquetFile("run.parquet").num_row_groups > 5
    how = {"compression": "lz4"} if compressed else {"compression": "uncompressed"}
    pyarrow.feather.write_feather(table, "other.arrow", chunksize=10, **how)
    assert_same_chains(only("other.arrow"), run)


# Those of others.


def frame_of(**columns):
    return pd.DataFrame({"mu": np.arange(6) / 7, "n": np.arange(6, dtype=np.int16), **columns})


@pytest.mark.parametrize("source", FRAMES)
@pytest.mark.parametrize(
    "columns",
    [
        {"chain": [0, 0, 0, 2, 2, 2], "draw": [0, 1, 2, 0, 1, 2]},
        {".chain": [0, 0, 0, 2, 2, 2], ".iteration": [1, 2, 3] * 2, ".draw": range(1, 7)},
        {"chain_number": [0.0, 0.0, 0.0, 2.0, 2.0, 2.0]},
    ],
)
def test_frames_of_others_are_runs(source, columns):
    frame = frame_of(**{name: list(values) for name, values in columns.items()}, lp__=1.5)
    frame.to_parquet(source) if "parquet" in source else frame.to_feather(source)
    run = only(source)
    assert run.rid == "run"
    assert {name: v.dtype for name, v in run.variables.items()} == {"mu": "float64", "n": "int16"}
    assert list(run.sample_stats) == ["lp"]
    first, second = run.get_chains()
    assert (first.chain_number, second.chain_number) == (0, 2)
    assert second.get_draws("n").tolist() == [3, 4, 5]
    assert second.get_draws("n", slice(None, None, -2)).tolist() == [5, 3]
    assert first.get_stats("lp").tolist() == [1.5] * 3
    assert run.summary().chains == {0: 3, 2: 3}
    convert(source, "store")
    assert_same_chains(only("store"), run)


def test_rows_of_chains_may_take_turns_and_draws_may_be_thinned():
    frame = frame_of(
        chain=[1, 0, 1, 0, 1, 0], draw=[0, 0, 10, 10, 20, 20], tune=[True] * 2 + [False] * 4
    )
    frame.to_parquet("run.parquet", row_group_size=2)
    zeroth, first = only("run.parquet").get_chains()
    assert zeroth.get_draws("n").tolist() == [1, 3, 5]
    assert first.get_draws("n", slice(1, None)).tolist() == [2, 4]
    assert only("run.parquet").to_datatree()["posterior"].sizes["draw"] == 2


def test_a_frame_without_chains_is_one_chain_and_kinds_are_kept():
    frame = frame_of(
        flag=[True, False] * 3,
        text=["a", "é", ""] * 2,
        when=np.arange(6).astype("datetime64[us]"),
        lists=[[1.0] * i for i in range(6)],
    )
    frame.set_index("mu").to_parquet("run.parquet")
    (chain,) = only("run.parquet").get_chains()
    for name in ("mu", "n", "flag", "text", "when"):
        assert_same_values(chain.get_draws(name), frame[name].to_numpy())
    assert [v.tolist() for v in chain.get_draws("lists")] == frame["lists"].tolist()


def test_values_that_a_frame_lacks():
    frame = pd.DataFrame({"x": [1.0, None], "n": pd.array([1, None], "Int64")})
    frame["lp"] = pd.array([None, 2], "Int64")
    frame.to_parquet("run.parquet")
    (chain,) = only("run.parquet").get_chains()
    np.testing.assert_array_equal(chain.get_draws("x"), [1.0, np.nan])
    assert np.ma.getmaskarray(chain.get_stats("lp")).tolist() == [True, False]
    assert chain.get_draws("n", slice(0, 1)).tolist() == [1]
    with pytest.raises(ValueError, match=r"chain 0: the column 'n' lacks values.*int64 has no"):
        chain.get_draws("n")
    with pytest.raises(ValueError, match="'n' lacks values"):
        convert("run.parquet", "store")
    table = pyarrow.table({"x": [1.0, 2.0], "lists": [[1.0, None], []]})
    pyarrow.feather.write_feather(table, "lists.arrow")
    with pytest.raises(ValueError, match="'lists' lacks values"):
        only("lists.arrow").get_chains()[0].get_draws("lists")
    os.unlink("lists.arrow")
    assert sorted(os.listdir()) == ["run.parquet"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"chain": [0, 0, 0, 1, 1, -1]}, "chains are numbered from 0 on, one is -1"),
        (
            {"chain": [0, 0, 0, 1, 1, 1.5]},
            "'chain' is to hold whole numbers.*of type double",
        ),
        ({"chain": ["a"] * 6}, "'chain' is to hold whole numbers, and is of type"),
        ({"chain": [0, 0, 0, 1, 1, None]}, "'chain' lacks values"),
        ({"chain": [1] * 6, "draw": [0, 1, 2] * 2}, "draws of chain 1 do not ascend; sort"),
        ({"draw": [0, 1, 2] * 2}, "draws of all rows do not ascend.*a column 'chain'"),
    ],
)
def test_chains_and_draws_that_make_no_sense(columns, message):
    frame_of(**columns).to_parquet("run.parquet")
    with pytest.raises(ValueError, match=message):
        only("run.parquet")


def test_columns_that_are_no_variables_are_told_and_a_frame_of_none_refused():
    frame_of(group=pd.Categorical(list("aabbcc"))).to_parquet("run.parquet")
    losses = plan_conversion("run.parquet", "store").runs[0].losses
    assert len(losses) == 1
    assert "the column 'group', of type dictionary" in losses[0]
    frame_of(group=pd.Categorical(list("aabbcc")))[["group"]].to_parquet("run.parquet")
    with pytest.raises(ValueError, match=r"no column of the data frame is a variable.*'group'"):
        only("run.parquet")


@pytest.mark.parametrize("target", FRAMES)
def test_a_frame_that_was_changed_since_is_read_as_it_is(target):
    make_small()
    convert("source", target)
    table = (
        pyarrow.parquet.read_table(target)
        if "parquet" in target
        else pyarrow.feather.read_table(target)
    )
    pyarrow.parquet.write_table(table.slice(2, 30), "fewer.parquet")
    assert only("fewer.parquet").rid == "all of it"
    assert [len(chain) for chain in only("fewer.parquet").get_chains()] == [21, 9]
    pyarrow.parquet.write_table(table.drop(["x[1]"]), "changed.parquet")
    run = only("changed.parquet")
    assert run.rid == "changed"
    assert list(run.variables) == [
        "x[0]",
        "x[2]",
        "u2",
        "text",
        "depth",
        "energy[0]",
        "energy[1]",
        "message",
    ]
    for text in ("", "[]", "{}", '{"version": 1, "meta": "////", "chains": []}'):
        other = table.replace_schema_metadata({"drawstore": text})
        pyarrow.parquet.write_table(other, "other.parquet")
        assert only("other.parquet").rid == "other"


@pytest.mark.parametrize("target", FRAMES)
def test_data_frames_can_only_be_read(target):
    make_small()
    convert("source", target)
    with pytest.raises(ValueError, match="can only be read"):
        drawstore.open(target, "a")
    with drawstore.open(target) as backend:
        assert backend.get_runs()[0].size > 1000
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
        other = pickle.loads(pickle.dumps(run))
        assert_same_chains(other, run)
        other._backend.close()


@pytest.mark.parametrize("target", FRAMES)
def test_damaged_frames_are_told(target):
    make_small()
    convert("source", target)
    data = Path(target).read_bytes()
    Path("cut.file").write_bytes(data[:-20])
    with pytest.raises(ValueError, match=r"cut.file' is no whole file of a data frame"):
        only("cut.file")
    if target == "run.parquet":
        groups = pyarrow.parquet.ParquetFile(target).metadata
        at = groups.row_group(0).column(2).dictionary_page_offset + 100  # values of x[0]
        Path("hurt.file").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        (chain, *_) = only("hurt.file").get_chains()
        with pytest.raises(OSError, match=r"hurt.file', column 'x\[0\]'"):
            chain.get_draws("x")


def test_walkers_of_an_ensemble_are_chains_of_a_data_frame():
    backend = emcee.backends.HDFBackend("chain.h5")
    sample(backend, 10)
    convert("chain.h5", "run.arrow")
    frame = pd.read_feather("run.arrow").set_index(["chain", "draw"])
    assert frame.loc[3, 7]["var_2"] == backend.get_chain()[7, 3, 2]
    assert frame.loc[11, 9]["lp"] == backend.get_log_prob()[9, 11]
