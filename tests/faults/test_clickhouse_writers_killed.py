"""SIGKILL of who writes to a server: each draw whose append returned is there once."""

import time

import pytest
from clickhouse_work import append_forever, open_forever
from databases import Database
from ledger import Ledger
from nursery import Nursery
from proxy import Proxy
from rows import LAYOUTS

from clickhouse_server import servers

ROUNDS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


@pytest.fixture(scope="module")
def senders():
    made = Nursery(["clickhouse_work"])
    yield made
    made.close()


class Killed:
    """A database whose place is a proxy, also for journals."""

    def __init__(self, server, random, folder):
        self.random = random
        self.layout = random.choice(LAYOUTS)
        self.database = Database([server], f"d{random.getrandbits(60):x}", folder)
        self.database.create(self.layout)
        self.ledger = Ledger(folder / "ledger")
        self.proxy = Proxy(server.http, random.random())
        self.url = self.database.url([self.proxy.port])

    def write(self, senders, trouble):
        """Write, have trouble, and be killed."""
        database, random = self.database, self.random
        pace, batch = random.choice([0.0, 0.001]), random.choice([1, 1, 40])
        said = self.ledger.said
        arguments = self.url, database.journals, self.layout, self.ledger, pace, batch
        child = senders.start(append_forever, *arguments)
        self.ledger.wait_for("said", said + 1)
        time.sleep(random.uniform(0, 0.1))
        trouble()
        time.sleep(random.uniform(0, 0.3))
        child.kill_and_wait()

    def heal(self, senders, seconds):
        """Try to deliver what is left, and be killed."""
        child = senders.start(open_forever, self.url, self.database.journals)
        time.sleep(self.random.uniform(0, seconds))
        child.kill_and_wait()

    def check(self):
        """Open it as the next process does; all is there then."""
        self.database.backend(ports=[self.proxy.port])
        n = len(self.database.backend("r").get_run("run").get_chains()[0])
        ledger = self.ledger
        assert ledger.appended <= n <= ledger.begun, (ledger.appended, n, ledger.begun)
        self.database.check(self.layout, n)
        assert self.database.kept() == []
        ledger.begun = ledger.appended = n


def test_while_the_network_misbehaves_and_again_while_healing(server, senders, rounds):
    def fault(random, folder):
        killed = Killed(server, random, folder)
        with killed.proxy as proxy:
            for _ in range(2):
                killed.write(senders, lambda: proxy.misbehave(random.choice([0.3, 0.9])))
                killed.heal(senders, 0.5)
                proxy.heal()
                if random.random() < 0.5:
                    killed.heal(senders, 0.1)
                killed.check()
        server.query(f"DROP DATABASE {killed.database.name}")

    rounds.play(fault)


def test_while_the_server_is_down_and_again_while_healing(server, senders, rounds):
    def fault(random, folder):
        killed = Killed(server, random, folder)
        with killed.proxy:
            killed.write(senders, server.kill)
            killed.heal(senders, 0.1)
            server.start()
            killed.heal(senders, 0.1)
            killed.check()
        server.query(f"DROP DATABASE {killed.database.name}")

    rounds.play(fault)
