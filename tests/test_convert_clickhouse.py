"""Runs into a database of ClickHouse, and out of it."""

import os
import subprocess
import sys

import pytest

import drawstore
from convert_runs import (
    assert_same_chains,
    assert_same_facts,
    everything,
    fill,
)
from drawstore.convert import convert

KILLED = """
import os, signal, sys
from drawstore.convert import convert
convert("source", sys.argv[1], force=True, progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.fixture
def url(clickhouse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return f"clickhouse://127.0.0.1:{clickhouse.http}/{tmp_path.name}"


@pytest.fixture
def run(url):
    run = drawstore.FileBackend("source").init_run(everything())
    fill(run, {0: 23, 1: 9, 4: 2})
    run.add_groups(prior={"x": [[1.0, 2.0]]})
    return run


def test_runs_go_into_a_database_and_back(url, run):
    convert("source", url)
    with pytest.raises(FileExistsError, match="there is a run 'all of it' in 'clickhouse://"):
        convert("source", url)
    convert("source", url, force=True)
    convert(url, "back.h5", rid=run.rid)
    copy = drawstore.open("back.h5").get_run(run.rid)
    assert_same_chains(copy, run)
    assert_same_facts(copy, run)
    stored = drawstore.open(url).get_run(run.rid)
    assert stored.observed_data.keys() == run.observed_data.keys()
    assert {"prior"} <= stored._load_groups().keys()


def test_a_run_that_was_half_sent_is_deleted_by_the_next_conversion(url, run):
    convert("source", url)
    done = subprocess.run([sys.executable, "-c", KILLED, url], capture_output=True, env=os.environ)
    assert done.returncode == -9, done.stderr
    with drawstore.open(url) as database:
        assert_same_chains(database.get_run(run.rid), run)  # that it would have replaced
        (other,) = {info.rid for info in database.get_runs()} - {run.rid}
        assert other.startswith(f"{run.rid}.unfinished-")
    convert("source", url, force=True)
    with drawstore.open(url) as database:
        (info,) = database.get_runs()
        copy = database.get_run(run.rid)
        assert info.rid == copy.meta.rid == run.rid
        assert_same_chains(copy, run)
