"""chDB is held to the contract of engines; test_backend_contract_clickhouse.py runs this."""

import clickhouse_connect
import pytest

from clickhouse_contract import EngineContract
from drawstore import ClickHouseBackend
from drawstore.testing.runs import RunsContract


class TestEmbedded(EngineContract):
    is_shared = False

    def make_backend(self, path):
        return ClickHouseBackend(f"chdb://{path}/store", journal=path / "journals")

    def reopen(self, backend):
        return ClickHouseBackend(backend.place, journal=backend.spool.options.path)


class TestClient(RunsContract):
    """Through a client of clickhouse_connect, which old servers do not understand."""

    @pytest.fixture(autouse=True)
    def client(self, tmp_path):
        self.client = clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/store")
        self.journals = tmp_path / "journals"
        yield
        self.client.close()

    def make_backend(self, path):
        return ClickHouseBackend(self.client, journal=self.journals)

    def reopen(self, backend):
        return self.make_backend(None)
