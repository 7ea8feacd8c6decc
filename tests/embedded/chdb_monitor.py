"""`drawstore.Monitor` on chDB; test_backend_contract_clickhouse.py runs this."""

import pytest

from drawstore import ClickHouseBackend
from test_monitor_chains import TestChains

__all__ = ["TestChains"]


@pytest.fixture
def store(tmp_path):
    with ClickHouseBackend(f"chdb://{tmp_path}/store", journal=tmp_path / "journals") as backend:
        yield backend
