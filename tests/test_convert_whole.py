"""Conversions that fail or are killed: whole, or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import drawstore
import drawstore.emcee
from convert_runs import (
    EXACT,
    LENGTHS,
    TREES,
    assert_same_chains,
    everything,
    fill,
    make_small,
    only,
)
from drawstore.convert import convert

FILES = [*EXACT, *TREES, "run.parquet", "run.arrow"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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


def rids(where):
    return {info.rid for info in drawstore.open(where).get_runs()}


@pytest.mark.parametrize("target", EXACT)
def test_a_run_that_was_half_added_is_deleted_by_the_next_conversion(target):
    run = make_small()
    make_other(target)
    killed(target)
    left = rids(target) - {"other"}
    if target == "runs":  # it is hidden
        assert left == set()
        assert any(name.startswith(".unfinished-") for name in os.listdir(target))
    else:
        (half,) = left
        assert half.startswith(f"{run.rid}.unfinished-")
    convert("source", target)
    assert rids(target) == {"other", run.rid}
    assert target != "runs" or len(os.listdir(target)) == 2
    whole = drawstore.open(target).get_run(run.rid)
    assert_same_chains(whole, run)
    with pytest.raises(FileExistsError):
        convert("source", target)


# Kills itself while the copy is made, when it is whole, and when it has replaced the other run.
REPLACING = """
import os, signal, sys
from drawstore.convert import convert, stores
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
target, at = sys.argv[1:]
name = {"runs": "take_run", "runs.h5": "replace_run"}[target]
of = stores.FileBackend if target == "runs" else __import__("drawstore").HDF5Backend
replace = getattr(of, name)
setattr(of, name, lambda *given: (at == "whole" and die(), replace(*given), die()))
convert("source", target, force=True, progress=die if at == "half" else None)
"""


@pytest.mark.parametrize("at", ["half", "whole", "replaced"])
@pytest.mark.parametrize("target", EXACT)
def test_a_run_is_there_until_another_replaces_it(target, at):
    make_small()
    convert("source", target)
    shutil.move("source", "old")
    new = make_small({1: 7, 2: 8})
    done = subprocess.run([sys.executable, "-c", REPLACING, target, at], capture_output=True)
    assert done.returncode == -9, done.stderr
    expected = new if at == "replaced" else only("old")
    assert_same_chains(drawstore.open(target).get_run(new.rid), expected)
    convert("source", target, force=True)
    assert rids(target) == {new.rid}
    assert_same_chains(only(target), new)


@pytest.mark.parametrize("target", EXACT)
def test_a_run_that_is_to_be_replaced_stays_where_that_fails(target):
    old = make_small()
    convert("source", target)

    def fail(done, total):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        convert("source", target, force=True, progress=fail)
    assert rids(target) == {old.rid}
    assert_same_chains(only(target), old)
    store = drawstore.open(target, "a")
    with (
        store.get_run(old.rid).init_chain(0, resume=True),
        pytest.raises(RuntimeError, match="being written"),
    ):
        convert("source", target, force=True)
    assert rids(target) == {old.rid}
    assert_same_chains(only(target), old)


# Sources that grow, and damaged ones.


@pytest.mark.parametrize("source", EXACT)
def test_a_run_that_is_written_is_copied_as_it_is(source):
    store = drawstore.HDF5Backend(source) if ".h5" in source else drawstore.FileBackend(source)
    with store.init_run(drawstore.make_meta({"x": (float, ())}, rid="r")) as run:
        chain = run.init_chain(0)
        chain.extend({"x": np.arange(5.0)})
        others = ["copy", "copy.nc", "copy.parquet"]
        for target in others:
            convert(source, target, progress=lambda *_: chain.append({"x": -1.0}))
    lengths = [len(only(target).get_chains()[0]) for target in others]
    assert lengths == sorted(lengths)
    assert lengths[0] == 5
    for target in others:
        copied = only(target).get_chains()[0].get_draws("x")
        np.testing.assert_array_equal(
            copied, only(source).get_chains()[0].get_draws("x")[: len(copied)]
        )


@pytest.mark.parametrize("target", ["copy", "copy.h5", "copy.nc", "copy.parquet"])
def test_damaged_chains_are_told_and_not_converted(target):
    run = drawstore.FileBackend("source").init_run(drawstore.make_meta({"x": (float, ())}))
    with run.init_chain(0) as chain:
        chain.extend({"x": np.arange(30_000.0)})
    (path,) = Path("source").glob("*/*.draws")
    data = bytearray(path.read_bytes())
    data[-8000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"chain-0.draws' is damaged"):
        convert("source", target)
    assert os.listdir() == ["source"]


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
