"""A database on a server, in which rows are counted in another way than drawstore does."""

import os
import time

import rows

from drawstore import ClickHouseBackend


class Database:
    """A database of one run of one layout.

    Parameters
    ----------
    servers : sequence
        One, or the nodes of the cluster "two".
    name : str
    folder : path
        Of the journals.
    """

    def __init__(self, servers, name, folder):
        self.servers = servers
        self.name = name
        self.journals = os.path.join(folder, "journals")
        self.cluster = "two" if len(servers) > 1 else None

    def url(self, ports=None, login=""):
        """Give the address; by default without a proxy."""
        ports = ports or [server.http for server in self.servers]
        return f"clickhouse://{login}{','.join(f'127.0.0.1:{p}' for p in ports)}/{self.name}"

    def backend(self, mode="a", ports=None, **options):
        options = {"journal": self.journals, "flush_interval": 0.01, **options}
        return ClickHouseBackend(self.url(ports), mode=mode, cluster=self.cluster, **options)

    def create(self, layout):
        self.backend().init_run(layout.meta())

    def query(self, sql, i=0):
        return self.servers[i].query(sql, database=self.name).decode().strip()

    def check(self, layout, n, number=0):
        """The server has n rows of a chain, each once and right."""
        (chain,) = [
            chain
            for chain in self.backend("r").get_run(rows.RID).get_chains()
            if chain.chain_number == number
        ]
        assert layout.check(chain) == n
        table = self.backend("r").get_run(rows.RID).table
        where = f"WHERE chain = {number}"
        assert self.query(f"SELECT count() FROM `{table}` FINAL {where}") == str(n)
        assert self.query(f"SELECT uniqExact(draw) FROM `{table}` {where}") == str(n)

    def kept(self):
        """List the journals there are."""
        return sorted(name for _, _, names in os.walk(self.journals) for name in names)


def append_for(seconds, chain, layout, pace=0.0, batches=(1, 1, 1, 50), random=None, most=2**62):
    """Append numbered rows for some time; returns the seconds that the slowest append took."""
    slowest = 0.0
    end = time.monotonic() + seconds
    i = len(chain)
    while time.monotonic() < end and i < most:
        n = random.choice(batches) if random else 1
        begun = time.monotonic()
        if n == 1:
            layout.append(chain, i)
        else:
            layout.extend(chain, i, n)
        slowest = max(slowest, time.monotonic() - begun)
        i += n
        time.sleep(pace)
    return slowest
