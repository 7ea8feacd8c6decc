"""chDB is held to the contract of backends; test_backend_contract_clickhouse.py runs this."""

import clickhouse_connect

from drawstore import ClickHouseBackend
from drawstore.testing import BackendContract


class TestEmbedded(BackendContract):
    is_shared = False

    def make_backend(self, path):
        return ClickHouseBackend(f"chdb://{path}/store", journal=path / "journals")

    def reopen(self, backend):
        return ClickHouseBackend(backend.place, journal=backend.spool.options.path)


class TestClient(TestEmbedded):
    def make_backend(self, path):
        self.client = clickhouse_connect.get_client(dsn=f"chdb://{path}/store")
        return self.open(path)

    def open(self, path):
        self.path = path
        return ClickHouseBackend(self.client, journal=path / "journals")

    def reopen(self, backend):
        return self.open(self.path)
