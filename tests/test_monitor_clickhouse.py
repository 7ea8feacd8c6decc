"""Following runs that are written to ClickHouse: `drawstore.Monitor`, and `drawstore watch`."""

import signal

import numpy as np
import pytest

import drawstore
from cli_runs import reported
from drawstore.cli import main
from drawstore.emcee import Backend
from drawstore.watching import Watcher
from growing_chains import DRAWS, META, extend
from scripting import finish, start, wait_for
from test_monitor import check_ensemble, steps_of
from test_monitor_chains import as_kept, check_chains


@pytest.fixture(autouse=True)
def journals(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def url(clickhouse):
    clickhouse.query("DROP DATABASE IF EXISTS followed")
    return f"clickhouse://127.0.0.1:{clickhouse.http}/followed"


def test_an_ensemble_from_here_and_from_elsewhere(url):
    with drawstore.ClickHouseBackend(url, flush_interval=0.1) as store:
        backend = Backend(store=store, rid="job", parameter_names=["a", "b", "c"])
        sampler, steps = steps_of(backend)
        next(steps)
        backend.flush()
        monitors = [drawstore.Monitor(sampler), drawstore.Monitor(backend), drawstore.Monitor(url)]
        for n in (1, 60, 200):
            for _ in range(n):
                next(steps)
            backend.flush()
            for monitor in monitors:
                status = monitor.update()
                check_ensemble(status, sampler.get_chain(), sampler.acceptance_fraction)
                assert status.names == ("a", "b", "c")


# Appends the draws of a chain as its stdin asks for.
WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
import drawstore
from growing_chains import DRAWS, META, extend
with drawstore.ClickHouseBackend(sys.argv[1]) as store:
    run = store.init_run(drawstore.make_meta(**META, rid="far"))
    chains = [run.init_chain(i) for i in range(2)]
    for line in sys.stdin:
        for chain in chains:
            extend(chain, DRAWS[chain.chain_number][len(chain):int(line)], tune=False)
        run.flush()
        print("done", flush=True)
"""


@pytest.fixture
def writer(url, request):
    process = start(WRITER, url, request.path.parent)

    def upto(n):
        process.stdin.write(f"{n}\n")
        process.stdin.flush()
        wait_for(process, "done")

    upto.process = process
    yield upto
    process.kill()
    process.communicate()


def test_what_another_process_writes(url, writer):
    writer(20)
    monitor, watcher = drawstore.Monitor(url), Watcher(url)
    for n in (300, 301, 700):
        writer(n)
        check_chains(monitor.update(), [draws[:n] for draws in DRAWS[:2]])
        (sight,) = watcher.look()
        assert (sight.where, sight.rid) == (url, "far")
        assert (sight.n_draws, sight.is_over) == (2 * n, False)
        check_chains(sight.status, [draws[:n] for draws in DRAWS[:2]])
        last = [as_kept(draws[:n])[-1] for draws in DRAWS[:2]]
        for i, value in enumerate(np.mean(last, axis=0)):
            assert sight.trace.last(i) == pytest.approx(value)
    finish(writer.process)


def test_the_command(url, writer, capsys):
    writer(100)
    report = reported(capsys, "watch", url, "--once")
    (run,) = report["runs"]
    assert (run["rid"], run["draws"]) == ("far", {"0": 100, "1": 100})
    assert [p["name"] for p in run["status"]["parameters"]] == ["x", "y[0]", "y[1]"]
    assert main(["watch", url, "-n", "2", "--interval", "0.05"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [("far" in line, "200 draws" in line) for line in lines] == [(True, True)] * 2
    writer.process.send_signal(signal.SIGKILL)
    writer.process.wait()
    assert reported(capsys, "watch", url, "--once")["runs"][0]["draws"] == {"0": 100, "1": 100}


def test_only_new_draws_are_read(url, monkeypatch):
    with drawstore.ClickHouseBackend(url) as store:
        run = store.init_run(drawstore.make_meta(**META, rid="far"))
        chain = run.init_chain(0)
        extend(chain, DRAWS[0][:1000], tune=False)
        chain.flush()
        other = drawstore.open(url)
        monitor = drawstore.Monitor(other)
        monitor.update()
        kind, read = type(other.get_run("far").get_chains()[0]), []
        get_draws = kind.get_draws

        def counting(chain, name, slc=slice(None)):
            values = get_draws(chain, name, slc)
            read.append(len(values))
            return values

        extend(chain, DRAWS[0][1000:1050], tune=False)
        chain.flush()
        monkeypatch.setattr(kind, "get_draws", counting)
        check_chains(monitor.update(), [DRAWS[0][:1050]])
        assert 2 * 50 <= sum(read) < 2 * 60  # of both variables
