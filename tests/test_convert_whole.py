"""Conversions that fail or are killed: whole, or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
