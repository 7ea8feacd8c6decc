"""Servers that are killed in the middle of inserts, and started again: each draw exactly once."""

import threading
import time

import pytest
import rows
from databases import Database, append_for
from rows import LAYOUTS

from clickhouse_server import servers

ROUNDS = 2


class Sampler(threading.Thread):
    """Appends to a chain until it is told to stop."""

    def __init__(self, chain, layout, random):
        super().__init__(daemon=True)
        self._arguments = chain, layout, 0.001, (1, 1, 1, 20), random
        self._chain = chain
        self.slowest = 0.0
        self._ended = False
        self.error = None

    def run(self):
        try:
            while not self._ended:
                chain, layout, *how = self._arguments
                self.slowest = max(self.slowest, append_for(0.05, chain, layout, *how))
        except BaseException as error:
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self.join(60)

    def stop(self):
        self.__exit__()
        assert self.error is None, self.error
        assert self.slowest < 5
        return len(self._chain)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("nodes"), 2) as two:
        yield two


def test_a_server_killed_in_the_middle_of_inserts(server, rounds):
    def fault(random, folder):
        layout = random.choice(LAYOUTS)
        database = Database([server], f"d{random.getrandbits(60):x}", folder)
        database.create(layout)
        chain = database.backend(timeout=5).get_run(rows.RID).init_chain(0)
        with Sampler(chain, layout, random) as sampler:
            for _ in range(2):
                time.sleep(random.uniform(0, 0.3))
                server.kill()
                time.sleep(random.uniform(0, 0.5))
                server.start()
            time.sleep(random.uniform(0, 0.2))
        n = sampler.stop()
        chain.close()
        database.check(layout, n)
        assert database.kept() == []
        server.query(f"DROP DATABASE {database.name}")

    rounds.play(fault)


def test_each_node_of_a_cluster_killed_in_turn(nodes, rounds):
    def fault(random, folder):
        layout = random.choice(LAYOUTS)
        database = Database(nodes, f"d{random.getrandbits(60):x}", folder)
        database.create(layout)
        numbers = numbers_on_both(database)
        run = database.backend(timeout=5).get_run(rows.RID)
        chains = [run.init_chain(number) for number in numbers]
        # Of another name, so that it is no reader of what is written here.
        reader = database.backend("r", [node.http for node in reversed(nodes)], timeout=5)
        reading = reader.get_run(rows.RID).get_chains()
        assert len(reading) == 2
        samplers = [Sampler(chain, layout, random) for chain in chains]
        with samplers[0], samplers[1]:
            for node in random.sample(nodes, 2):
                time.sleep(random.uniform(0, 0.3))
                node.kill()
                time.sleep(random.uniform(0, 0.3))
                try:
                    check_that_reading_is_an_error(reader, reading)
                finally:
                    node.start()
        lengths = [sampler.stop() for sampler in samplers]
        for chain in chains:
            chain.close()
        for number, n in zip(numbers, lengths, strict=True):
            database.check(layout, n, number)
        assert database.kept() == []
        for node in nodes:
            node.query(f"DROP DATABASE {database.name}")

    rounds.play(fault)


def numbers_on_both(database):
    """Give the numbers of two chains whose draws are on different nodes."""
    shard = {
        number: database.query(f"SELECT sipHash64('{rows.RID}', toUInt32({number})) % 2")
        for number in range(20)
    }
    return [0, next(number for number in shard if shard[number] != shard[0])]


def check_that_reading_is_an_error(backend, chains):
    """Also for those who have read before."""
    for chain in chains:
        with pytest.raises(OSError, match="clickhouse://"):
            len(chain)
        with pytest.raises(OSError, match="clickhouse://"):
            chain.get_draws("i", slice(None))
    for ask in backend.get_runs, lambda: backend.get_run(rows.RID):
        with pytest.raises(OSError, match="clickhouse://"):
            ask()
