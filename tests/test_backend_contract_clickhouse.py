"""A server of ClickHouse is held to the contract of backends, and each other engine to its part.

A server of your own, too, where DRAWSTORE_TEST_URL names it: clickhouse://user:password@host:8123.
"""

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from clickhouse_contract import EngineContract
from drawstore import ClickHouseBackend
from drawstore.testing import BackendContract

HERE = Path(__file__).parent
_numbers = count()


class OnServer(EngineContract):
    cluster = None

    @pytest.fixture(autouse=True)
    def database(self, hosts, tmp_path):
        """Each test has a database of its own, with a name that has to be quoted."""
        self.url = f"clickhouse://{hosts}/test%20{os.getpid()}%20{next(_numbers)}%60"
        self.journals = tmp_path / "journals"

    def open(self, mode):
        return ClickHouseBackend(self.url, cluster=self.cluster, journal=self.journals, mode=mode)

    def make_backend(self, path):
        return self.open("a")

    def reopen(self, backend):
        return self.open("a")


class TestServer(OnServer, BackendContract):
    @pytest.fixture
    def hosts(self, clickhouse):
        return f"127.0.0.1:{clickhouse.http}"


class TestCluster(OnServer):
    cluster = "two"

    @pytest.fixture
    def hosts(self, clickhouse_cluster):
        return ",".join(f"127.0.0.1:{node.http}" for node in clickhouse_cluster)


if "DRAWSTORE_TEST_URL" in os.environ:

    class TestGiven(OnServer, BackendContract):
        @pytest.fixture
        def hosts(self):
            return os.environ["DRAWSTORE_TEST_URL"].removeprefix("clickhouse://").strip("/")


@pytest.mark.parametrize("suite", ["chdb_contract.py", "chdb_monitor.py"])
def test_embedded(suite, tmp_path):
    """In a process of its own: the threads of chDB are none of ours when other tests fork."""
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "embedded" / suite],
        cwd=HERE.parent,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    print(process.stdout[-20000:], process.stderr[-5000:])
    assert process.returncode == 0
    assert " passed" in process.stdout
