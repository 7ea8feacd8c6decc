"""The commands on runs that a process is writing, or has left behind."""

import os
import signal
import socket

import pytest

from cli_runs import make, reported, said
from scripting import finish, start, wait_for

KINDS = ["directory", "hdf5", "emcee", "clickhouse"]

# It appends until it is told to stop, and closes or dies, as it is told.
WRITER = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
import numpy as np
import drawstore, drawstore.emcee
from cli_runs import META, blocks, save

kind, where = sys.argv[1:3]
if kind == "emcee":
    backend = drawstore.emcee.HDFBackend(where, flush_interval=1000)
    save(backend, 50)
    backend.flush()
    backend.grow(1000, None)
    writer = backend
else:
    store = {
        "directory": drawstore.FileBackend,
        "hdf5": drawstore.HDF5Backend,
        "clickhouse": drawstore.ClickHouseBackend,
    }[kind]
    options = {} if kind == "directory" else {"flush_interval": 1000}
    writer = store(where, **options).init_run(META).init_chain(0)
    writer.extend(*blocks(0, 50))
    writer.flush(sync=True)
    draws, stats = blocks(1, 7)
    writer.extend(draws, stats)
if kind == "emcee":
    rng = np.random.default_rng(3)
    from cli_runs import step
    positions = rng.normal(size=(8, 2))
    for _ in range(7):
        state, moved = step(positions, rng)
        writer.save_step(state, moved)
print("ready", flush=True)
if sys.stdin.readline().strip() == "die":
    os.kill(os.getpid(), signal.SIGKILL)
writer.close()
"""


@pytest.fixture(params=KINDS)
def written(request, tmp_path, monkeypatch):
    """A kind of store, where it is, and the process that writes it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    where = str(tmp_path / "store")
    if request.param == "clickhouse":
        server = request.getfixturevalue("clickhouse")
        database = f"running_{tmp_path.name}"
        server.query(f"DROP DATABASE IF EXISTS {database}")
        where = f"clickhouse://127.0.0.1:{server.http}/{database}"
    process = start(WRITER, request.param, where, os.path.dirname(__file__))
    wait_for(process, "ready")
    yield request.param, where, process
    process.kill()
    process.communicate()


def test_a_run_that_goes_on(capsys, written):
    kind, where, process = written
    (run,) = reported(capsys, "ls", where)["runs"]
    assert run["state"] == "running"
    if kind != "clickhouse":  # a server has what was sent to it
        assert run["draws"] == {"0": 57}
    (chain,) = reported(capsys, "show", where)["runs"][0]["chains"]
    assert chain["writer"]["pid"] == process.pid
    assert (chain["writer"]["host"], chain["writer"]["holds"]) == (socket.gethostname(), True)
    assert f"process {process.pid} on {socket.gethostname()}" in said(capsys, "show", where)[1]
    report = reported(capsys, "why", where)
    assert report["verdict"].startswith(f"running: process {process.pid} on ")
    assert report["rate_at_end"] == 0  # between two looks
    reported(capsys, "summary", where)
    assert reported(capsys, "check", where)["damages"] == []
    process.stdin.write("close\n")
    finish(process)
    (run,) = reported(capsys, "ls", where)["runs"]
    assert (run["state"], run["draws"]) == ("ended", {"0": 57})
    assert reported(capsys, "why", where)["verdict"].startswith("ended: ")


def test_a_run_whose_process_died(capsys, written):
    kind, where, process = written
    process.stdin.write("die\n")
    finish(process, -signal.SIGKILL)
    (run,) = reported(capsys, "ls", where)["runs"]
    assert run["state"] == "left"
    report = reported(capsys, "show", where)
    (chain,) = report["runs"][0]["chains"]
    assert (chain["writer"]["pid"], chain["writer"]["lives"]) == (process.pid, False)
    waits = 0 if kind == "directory" else 7
    assert report["runs"][0]["waiting"] == waits
    assert any(file["is_trouble"] for file in report["beside"]) == (waits > 0)
    report = reported(capsys, "why", where)
    assert report["verdict"].startswith(f"died: process {process.pid} on ")
    assert ("`drawstore recover` delivers" in report["verdict"]) == (waits > 0)
    assert report["waiting"] == waits
    reported(capsys, "recover", where)
    report = reported(capsys, "why", where)
    assert (report["run"]["draws"], report["waiting"]) == ({"0": 57}, 0)
    if waits:
        assert report["verdict"].startswith("ended: ")
        assert report["writers"][0]["pid"] == process.pid  # not who recovered it


def test_the_batch_job_is_recorded(capsys, tmp_path, monkeypatch, clickhouse):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    for kind in ("hdf5", "ensemble", "emcee", "clickhouse"):
        where = make(kind, tmp_path / kind.replace(" ", ""), clickhouse)
        assert reported(capsys, "why", where)["job"] == "slurm job 4711"
        assert "batch job" in said(capsys, "why", where)[1]


def test_the_rate_at_the_end_is_seen_by_two_looks(capsys, tmp_path):
    code = """
    import sys, time
    import drawstore
    chain = drawstore.FileBackend(sys.argv[1]).init_run(
        drawstore.make_meta({"x": (float, ())})
    ).init_chain(0)
    print("ready", flush=True)
    while True:
        chain.append({"x": 1.0})
        time.sleep(0.001)
    """
    process = start(code, tmp_path / "runs")
    wait_for(process, "ready")
    try:
        assert 0 < reported(capsys, "why", tmp_path / "runs")["rate_at_end"] < 1100
    finally:
        process.kill()
        process.communicate()
