"""Each draw exactly once, over a network that does everything wrong, and then heals."""

import collections
import time

import pytest
import rows
from databases import Database, append_for
from proxy import FAULTS, Proxy
from rows import LAYOUTS

from clickhouse_server import servers

ROUNDS = 3
SECONDS = 0.6  # of trouble
TIMEOUT = 0.3  # of the backend: a stalled server is given up soon


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


def misbehave(server, random, folder, rate, faults):
    layout = random.choice(LAYOUTS)
    database = Database([server], f"d{random.getrandbits(60):x}", folder)
    database.create(layout)
    with Proxy(server.http, random.random()) as proxy:
        backend = database.backend(ports=[proxy.port], timeout=TIMEOUT)
        chain = backend.get_run(rows.RID).init_chain(0)
        proxy.misbehave(rate, faults)
        slowest = append_for(SECONDS, chain, layout, pace=0.001, random=random)
        n = len(chain)
        if random.random() < 0.5:
            proxy.heal()
            chain.close()
        else:  # it goes on, and is overcome all the same
            proxy.misbehave(rate / 2, faults)
            close_at_last(chain)
            proxy.heal()
        met = collections.Counter(proxy.met)
        time.sleep(0.05)  # for inserts that come late
        database.check(layout, n)
        assert database.kept() == []
    assert slowest < 5
    server.query(f"DROP DATABASE {database.name}")
    return met


def close_at_last(chain):
    for _ in range(5):
        try:
            chain.close(20)
            return
        except TimeoutError:
            pass
    chain.close()


def test_faults_of_all_kinds(server, rounds):
    met = collections.Counter()
    rounds.play(lambda random, folder: met.update(misbehave(server, random, folder, 0.5, FAULTS)))
    assert met.total() > 3 * rounds.n
    print(dict(met))


@pytest.mark.parametrize("fault", FAULTS)
def test_one_kind_of_fault_at_nearly_every_request(server, rounds, fault):
    rounds.n = max(1, rounds.n // 3)
    rounds.play(lambda random, folder: misbehave(server, random, folder, 0.8, (fault,)))
