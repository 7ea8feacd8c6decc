"""What is waited for where a server is away: as long as was said, and with all draws kept."""

import logging
import subprocess
import sys
import threading
import time

import pytest
import rows
from databases import Database
from proxy import Proxy
from rows import Rows

from clickhouse_server import servers

LAYOUT = Rows(2000, True)  # 16 kB a row
EXIT = """
import sys
sys.path[:0] = {paths!r}
import os
import rows
from drawstore import ClickHouseBackend
from drawstore.delivery import delivery
delivery._SAFE_EXIT_WAIT *= {part}
chains = []
run = ClickHouseBackend({url!r}, journal={journals!r}, timeout={timeout}).get_run(rows.RID)
for number in range({chains}):
    chain = run.init_chain(number, resume=True)
    chain.flush()
    chains.append(chain)
print("begun", flush=True)
sys.stdin.readline()
for chain in chains:
    for i in range(7):
        rows.Rows(2000, True).append(chain, i)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


@pytest.fixture
def database(server, tmp_path, request):
    made = Database([server], f"d{abs(hash(request.node.name))}", tmp_path)
    made.create(LAYOUT)
    return made


@pytest.fixture
def proxy(server):
    with Proxy(server.http) as made:
        yield made


def begin(database, proxy, **options):
    options = {"timeout": 30, **options}
    return database.backend(ports=[proxy.port], **options).get_run(rows.RID).init_chain(0)


@pytest.mark.parametrize("fault", ["refuse", "stall"])
@pytest.mark.parametrize("journal", [True, False], ids=["journal", "memory"])
def test_close_and_flush_end_in_time_and_say_what_is_kept_where(
    database, proxy, fault, journal, monkeypatch
):
    options = {} if journal else {"journal": False}
    chain = begin(database, proxy, flush_interval=1000, **options)
    proxy.misbehave(1.0, [fault])
    for i in range(5):
        LAYOUT.append(chain, i)
    where = database.journals if journal else "in memory"
    monkeypatch.setattr("drawstore.clickhouse.writer.ServerWriter.flush_patience", 0.5)
    for wait in chain.flush, lambda: chain.close(0.5), lambda: chain.close(0):
        begun = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            wait()
        assert time.monotonic() - begun < 3
        assert str(caught.value).startswith("5 draws are not in ")
        assert where in str(caught.value)
    assert LAYOUT.check(chain) == 5
    proxy.heal()
    chain.close()
    database.check(LAYOUT, 5)
    assert database.kept() == []


@pytest.mark.parametrize("fault", ["refuse", "stall"])
def test_an_append_waits_where_no_more_may_wait_and_goes_on_then(database, proxy, fault, caplog):
    chain = begin(database, proxy, max_buffer=400_000, timeout=5)
    proxy.misbehave(1.0, [fault])
    appended = []

    def sample():
        for i in range(200):
            LAYOUT.append(chain, i)
            appended.append(i)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    used = time.process_time()
    time.sleep(3)
    assert time.process_time() - used < 1.5, "it waits by computing"
    n = len(appended)
    assert 10 < n < 60
    time.sleep(0.3)
    assert len(appended) == n
    said = [record.message for record in caplog.records]
    assert sum("the sampler waits" in text for text in said) == 1
    assert "another program" not in str(said)
    proxy.heal()
    sampler.join(30)
    assert not sampler.is_alive()
    chain.close()
    database.check(LAYOUT, 200)


def test_trouble_is_said_once(database, proxy, caplog):
    chain = begin(database, proxy)
    proxy.misbehave(1.0, ["refuse"])
    LAYOUT.append(chain, 0)
    time.sleep(1.5)
    LAYOUT.append(chain, 1)
    time.sleep(0.5)
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) <= 2  # one for each way of the system to say it
    proxy.heal()
    chain.close()
    database.check(LAYOUT, 2)


def exit_with_the_server_away(database, proxy, fault, chains, part=1.0):
    """Give the seconds that the end of a process takes, and what it says.

    It waits for a part of the time that it otherwise would.
    """
    code = EXIT.format(
        paths=sys.path,
        url=database.url([proxy.port]),
        journals=database.journals,
        chains=chains,
        timeout=60,
        part=part,
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    proxy.misbehave(1.0, [fault])
    begun = time.monotonic()
    _, said = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return time.monotonic() - begun, said


@pytest.mark.parametrize("fault", ["refuse", "stall"])
def test_the_end_of_a_process_waits_a_little_and_says_what_is_kept(database, proxy, fault):
    chains = 5
    took, said = exit_with_the_server_away(database, proxy, fault, chains, part=0.3)
    assert 2.4 < took < 12
    kept = f"the last 7 draws are kept in journals in {database.journals!r}"
    assert said.count(kept) == chains, said
    assert len(database.kept()) == chains
    proxy.heal()
    database.backend(ports=[proxy.port])
    for number in range(chains):
        database.check(LAYOUT, 7, number)
    assert database.kept() == []


def test_a_server_that_comes_back_while_the_process_ends_gets_all(database, proxy):
    healing = threading.Timer(4, proxy.heal)
    healing.start()
    took, said = exit_with_the_server_away(database, proxy, "refuse", 2)
    healing.join()
    assert took < 9
    assert "kept" not in said
    for number in range(2):
        database.check(LAYOUT, 7, number)
    assert database.kept() == []
