"""Children of who writes to a server, and processes that are in each other's way."""

import os
import socket
import warnings

import pytest
import rows
from clickhouse_work import append_forever, begin_while_another_writes, use_in_children
from databases import Database
from ledger import Ledger
from nursery import Nursery
from proxy import Proxy
from rows import Rows

from clickhouse_server import servers

LAYOUT = Rows(3, True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


@pytest.fixture(scope="module")
def senders():
    made = Nursery(["clickhouse_work"])
    yield made
    made.close()


@pytest.fixture
def database(server, tmp_path, request):
    made = Database([server], request.node.name.replace("[", "_").replace("]", ""), tmp_path)
    made.create(LAYOUT)
    return made


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


@pytest.mark.parametrize("fault", ["stall", "late"])
def test_forked_children_are_refused_at_once_also_while_the_server_stalls(
    database, senders, ledger, fault
):
    with Proxy(database.servers[0].http) as proxy:
        url = database.url([proxy.port])
        child = senders.start(use_in_children, url, database.journals, LAYOUT, ledger)
        ledger.wait_for("said", 1)
        proxy.misbehave(1.0, [fault])
        ledger.asked = 1
        ledger.wait_for("said", 2)
        proxy.heal()
        ledger.asked = 2
        child.finish()
    database.check(LAYOUT, ledger.appended)
    assert database.kept() == []


def test_the_second_is_told_of_the_first_and_takes_its_place_when_it_dies(
    database, senders, ledger
):
    first = senders.start(append_forever, database.url(), database.journals, LAYOUT, ledger)
    try:
        ledger.wait_for("appended", 5)
        with pytest.raises(RuntimeError) as caught:
            database.backend().get_run(rows.RID).init_chain(0, resume=True)
        assert f"process {first.pid} on " in str(caught.value)
        assert socket.gethostname() in str(caught.value)
    finally:
        first.kill_and_wait()
    chain = database.backend().get_run(rows.RID).init_chain(0, resume=True)
    n = LAYOUT.check(chain)
    assert ledger.appended <= n <= ledger.begun
    LAYOUT.append(chain, n)
    chain.close()
    database.check(LAYOUT, n + 1)


def test_of_two_machines_the_later_is_refused_and_its_draws_are_kept(
    database, senders, ledger, tmp_path
):
    journals = str(tmp_path / "elsewhere")
    other = Rows(3, True, mark=10**6)
    later = senders.start(begin_while_another_writes, database.url(), journals, other, ledger)
    ledger.wait_for("said", 1)
    later_had = len(find_chain(database))
    chain = database.backend().get_run(rows.RID).init_chain(0, resume=True)
    n = len(chain)
    for i in range(n, n + 20):
        LAYOUT.append(chain, i)
    chain.close()
    ledger.asked = 1
    later.wait()
    assert ledger.said == 2
    check_both(database, other, later_had, n)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        database.backend(journal=journals)
    assert [warning.category for warning in caught] == [RuntimeWarning]
    assert "another program went on" in str(caught[0].message)
    (kept,) = (os.path.join(at, name) for at, _, names in os.walk(journals) for name in names)
    assert kept in str(caught[0].message)
    assert kept.endswith(".journal.set-aside")
    check_both(database, other, later_had, n)


def find_chain(database):
    return database.backend("r").get_run(rows.RID).get_chains()[0]


def check_both(database, other, n_of_other, n):
    """What was there first is there, and what the second wrote behind it; nothing else."""
    assert n_of_other <= n
    numbers = find_chain(database).get_draws("i", slice(None)).tolist()
    first = [i + other.mark for i in range(n)]
    assert numbers == first + list(range(n, n + 20))
    table = database.backend("r").get_run(rows.RID).table
    assert database.query(f"SELECT count() FROM `{table}`") == str(n + 20)
