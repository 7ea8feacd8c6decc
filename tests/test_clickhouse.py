"""ClickHouse as a user meets it: opening, looking, recovering, and reading from elsewhere."""

import logging
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import drawstore
from drawstore import ClickHouseBackend, make_meta
from drawstore.cli import main
from drawstore.clickhouse.http import HttpServer
from drawstore.recovery import recover
from drawstore.snapshots import snapshot

META = make_meta({"x": (float, (2,)), "t": ("str", ())}, {"tune": (bool, ())}, rid="ours")


@pytest.fixture(autouse=True)
def journals(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "drawstore" / "journals"


@pytest.fixture
def url(clickhouse, request):
    clickhouse.query(f"DROP DATABASE IF EXISTS {database(request)}")
    return f"clickhouse://127.0.0.1:{clickhouse.http}/{database(request)}"


def database(request):
    return "".join(c if c.isalnum() else "_" for c in request.node.name)


def fill(chain, start, stop):
    for i in range(start, stop):
        chain.append({"x": [i, -i], "t": f"draw {i}"}, {"tune": i < 3})


def check(chain, n):
    assert len(chain) == n
    i = np.arange(float(n))
    np.testing.assert_array_equal(chain.get_draws("x"), np.stack([i, -i], axis=1))
    assert chain.get_draws("t").tolist() == [f"draw {k}" for k in range(n)]
    assert chain.get_stats("tune").tolist() == [k < 3 for k in range(n)]


# A process that leaves draws behind.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from drawstore import ClickHouseBackend
from test_clickhouse import META, fill
chain = ClickHouseBackend(sys.argv[1], flush_interval=1000).init_run(META).init_chain(0)
fill(chain, 0, 100)
chain.flush()
fill(chain, 100, 150)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def left_behind(url):
    here = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", KILLED, url, here], check=False)
    assert done.returncode == -signal.SIGKILL
    return url


def test_another_process_sees_what_was_flushed_while_the_run_goes_on(url):
    chain = ClickHouseBackend(url, flush_interval=1000).init_run(META).init_chain(3)
    fill(chain, 0, 10)
    chain.flush()
    backend = drawstore.open(url)
    (elsewhere,) = backend.get_run("ours").get_chains()
    code = "import sys, drawstore; print(len(drawstore.open(sys.argv[1]).get_run('ours')"
    command = [sys.executable, "-c", f"{code}.get_chains()[0]))", url]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"10\n"
    fill(chain, 10, 20)
    chain.close()
    check(elsewhere, 20)
    with pytest.raises(RuntimeError, match="opened to be read"):
        backend.delete_run("ours")


def test_draws_arrive_within_the_interval(url):
    chain = ClickHouseBackend(url, flush_interval=0.05).init_run(META).init_chain(0)
    fill(chain, 0, 10)
    (elsewhere,) = drawstore.open(url).get_run("ours").get_chains()
    for _ in range(500):
        if len(elsewhere) == 10:
            break
        signal.sigtimedwait([], 0.02)
    check(elsewhere, 10)
    chain.close()


def test_a_datatree_of_a_run_that_goes_on(url):
    run = ClickHouseBackend(url).init_run(META)
    with run.init_chain(0) as chain:
        fill(chain, 0, 10)
        chain.flush()
        tree = drawstore.open(url).get_run("ours").to_datatree()
        assert tree["posterior"]["x"].shape == (1, 7, 2)
        assert tree["warmup_posterior"]["t"].values.tolist() == [["draw 0", "draw 1", "draw 2"]]


@pytest.mark.parametrize("how", ["open", "resume", "recover"])
def test_what_a_killed_process_left_is_delivered(left_behind, journals, how):
    url = left_behind
    (elsewhere,) = drawstore.open(url).get_run("ours").get_chains()
    check(elsewhere, 100)
    assert any(path.suffix == ".journal" for path in journals.rglob("*"))
    if how == "open":
        drawstore.open(url, "a")
    elif how == "recover":
        assert "50 draws of 'ours/0' would be delivered" in recover(url, dry_run=True).said[0]
        check(elsewhere, 100)
        assert recover(url).found.draws == {("ours", 0): 150}
    else:
        backend = ClickHouseBackend(url, mode="r")
        backend.mode = "a"
        chain = backend.get_run("ours").init_chain(0, resume=True)
        check(chain, 150)
        chain.close()
    check(elsewhere, 150)
    assert not any(path.suffix == ".journal" for path in journals.rglob("*"))


def test_what_is_not_ours_is_set_aside(left_behind, journals):
    url = left_behind
    other = ClickHouseBackend(url, journal=journals.parent / "of another machine")
    other.delete_run("ours")
    with pytest.warns(RuntimeWarning, match="begun anew.*kept as"):
        drawstore.open(url, "a")
    (kept,) = (path for path in journals.rglob("*") if path.is_file())
    assert kept.suffix == ".set-aside" or kept.name.endswith(".journal.set-aside")


def test_show_tells_what_there_is_and_what_waits(left_behind, capsys):
    url = left_behind
    assert main(["show", url]) == 0
    shown = capsys.readouterr().out
    assert f"{url}: runs in a database of ClickHouse" in shown
    assert "left by a process that died" in shown
    assert re.search(r"0 +100 +3 +left +last written by process \d+ on ", shown)
    chain = ClickHouseBackend(url).get_run("ours").init_chain(1)
    assert main(["show", url]) == 0
    assert "being written" in capsys.readouterr().out
    chain.close()


def test_where_there_is_nothing(url, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="no runs in 'clickhouse://"):
        drawstore.open(url)
    assert main(["show", url]) == 1
    assert "there are no runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://me:geheim@",
        "clickhouse://me:geheim@host:port/db",
        "clickhouse://me:geheim@host:1/a/b",
        "clickhouse://me:geheim@host/db?unknown=1",
    ],
)
def test_a_url_that_is_none_is_told_without_its_password(url):
    with pytest.raises(ValueError, match="clickhouse://user:password@host:8123/database") as info:
        ClickHouseBackend(url)
    assert "geheim" not in str(info.value)


def test_a_server_that_is_not_there(journals):
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9.*refused") as info:
        ClickHouseBackend("clickhouse://me:geheim@127.0.0.1:9").get_runs()
    assert "geheim" not in str(info.value)


def test_a_summary_is_one_query(url, monkeypatch):
    run = ClickHouseBackend(url).init_run(META)
    with run.init_chain(0) as chain:
        fill(chain, 0, 100)
    asked = []
    query = HttpServer.query

    def count(self, sql, *args, **options):
        asked.append(sql)
        return query(self, sql, *args, **options)

    monkeypatch.setattr(HttpServer, "query", count)
    summary = run.summary()
    assert summary.chains == {0: 97}
    np.testing.assert_allclose(summary.variables["x"].mean, [51, -51])
    assert sum("avgForEach" in sql for sql in asked) == 1
    assert not any("FORMAT Native" in sql for sql in asked)


def test_blocks_that_came_twice_count_once(url, clickhouse, request):
    run = ClickHouseBackend(url).init_run(META)
    with run.init_chain(0) as chain:
        fill(chain, 0, 10)
    table = f"{database(request)}.`{run.table}`"
    clickhouse.query(f"INSERT INTO {table} SELECT * FROM {table} WHERE draw > 5")
    assert clickhouse.query(f"SELECT count() FROM {table}") == b"14\n"
    (elsewhere,) = drawstore.open(url).get_run("ours").get_chains()
    check(elsewhere, 10)
    assert elsewhere.get_draws("x", slice(None, None, -3))[:, 0].tolist() == [9, 6, 3, 0]
    assert run.summary().chains == {0: 7}
    check(run.init_chain(0, resume=True), 10)


def test_draws_that_the_server_lost_are_told(url, clickhouse, request):
    run = ClickHouseBackend(url).init_run(META)
    with run.init_chain(0) as chain:
        for start in (0, 5, 10):
            fill(chain, start, start + 5)
            chain.flush()
    table = f"{database(request)}.`{run.table}`"
    kept = f"{database(request)}.kept"
    clickhouse.query(f"CREATE TABLE {kept} AS {table}")
    clickhouse.query(f"INSERT INTO {kept} SELECT * FROM {table} WHERE draw != 7")
    clickhouse.query(f"RENAME TABLE {table} TO {kept}_before, {kept} TO {table}")
    (elsewhere,) = drawstore.open(url).get_run("ours").get_chains()
    with pytest.raises(OSError, match="1 are missing on the server"):
        len(elsewhere)


@pytest.mark.parametrize("named", [1, 2])
def test_runs_on_a_cluster_are_seen_from_every_node(clickhouse_cluster, named, tmp_path):
    hosts = [f"127.0.0.1:{node.http}" for node in clickhouse_cluster]
    url = f"clickhouse://{','.join(hosts[:named])}/{tmp_path.name}"
    run = ClickHouseBackend(url, cluster="two").init_run(META)
    for number in range(4):
        with run.init_chain(number) as chain:
            fill(chain, 0, 10)
    for host in hosts:
        seen = drawstore.open(f"clickhouse://{host}/{tmp_path.name}").get_run("ours")
        for chain in seen.get_chains():
            check(chain, 10)
        assert seen.summary().chains == dict.fromkeys(range(4), 7)
    counts = [
        int(node.query(f"SELECT count() FROM {tmp_path.name}.`{run.table}_local`"))
        for node in clickhouse_cluster
    ]
    assert sum(counts) == 40
    # Who does not say so goes on with the cluster that is there, and another one is refused.
    with drawstore.open(f"clickhouse://{hosts[1]}/{tmp_path.name}", "a") as backend:
        chain = backend.get_run("ours").init_chain(0, resume=True)
        fill(chain, 10, 20)
        backend.init_run(make_meta({"y": (int, ())}, rid="another"))
    with pytest.raises(ValueError, match="on cluster 'two' already"):
        ClickHouseBackend(url, cluster="three").init_run(META)
    backend = drawstore.open(url, "a")
    backend.delete_run("ours")
    assert [info.rid for info in backend.get_runs()] == ["another"]


def test_the_journal_may_be_elsewhere_or_nowhere(url, tmp_path, journals, caplog):
    caplog.set_level(logging.WARNING)
    with ClickHouseBackend(url, journal=tmp_path / "here", flush_interval=1000) as backend:
        fill(backend.init_run(META).init_chain(0), 0, 10)
        assert any((tmp_path / "here").rglob("*.journal"))
    with ClickHouseBackend(url, journal=False) as backend:
        chain = backend.get_run("ours").init_chain(0, resume=True)
        fill(chain, 10, 20)
    check(chain, 20)
    assert not list(journals.rglob("*.journal"))
    assert not list((tmp_path / "here").rglob("*.journal"))
    assert not caplog.records


def test_one_draw_far_away_costs_the_spread_no_digits(url):
    x = np.concatenate([[1e9], np.random.default_rng(1).normal(0, 1e-3, 5000)])
    run = ClickHouseBackend(url).init_run(make_meta({"x": (float, ())}, {"tune": (bool, ())}))
    with run.init_chain(0) as chain:
        chain.extend({"x": x}, {"tune": np.arange(5001) < 1})
    with run.init_chain(1) as chain:
        chain.extend({"x": x[1:]}, {"tune": np.zeros(5000, bool)})
    found = run.summary().variables["x"]
    np.testing.assert_allclose(found.sd, np.std(np.tile(x[1:], 2), ddof=1), rtol=1e-10)
    with run.init_chain(2) as chain:
        chain.extend({"x": [1e9]}, {"tune": [False]})
    found = run.summary().variables["x"]
    np.testing.assert_allclose(found.sd, np.std(np.append(np.tile(x[1:], 2), 1e9), ddof=1))


def test_a_snapshot(url, tmp_path):
    run = ClickHouseBackend(url).init_run(META)
    with run.init_chain(0) as chain:
        fill(chain, 0, 10)
    for to in (tmp_path / "copy", tmp_path / "copy.h5"):
        assert snapshot(url, to).runs[0].draws == {0: 10}
        check(drawstore.open(to).get_run(run.rid).get_chains()[0], 10)
