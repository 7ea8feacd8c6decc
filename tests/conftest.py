"""Options of the tests; and so that tests/ is where the tests below it find its helpers."""

import signal

import hypothesis
import pytest

import clickhouse_server

# How long an example takes says what else the machine is doing.
hypothesis.settings.register_profile("drawstore", deadline=None)
hypothesis.settings.load_profile("drawstore")

# Who starts the tests in the background may have Ctrl-C ignored, and so would their children.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        help="how often each test of tests/faults repeats its fault (each has a small default)",
    )
    parser.addoption(
        "--part",
        type=part_of,
        default=(1, 1),
        metavar="K/N",
        help="run every N-th test, beginning with the K-th; all N parts together are all tests",
    )


def part_of(text: str) -> tuple[int, int]:
    k, n = map(int, text.split("/"))
    if not 1 <= k <= n:
        raise ValueError(text)
    return k, n


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    k, n = config.getoption("part")
    chosen = items[k - 1 :: n]
    if len(chosen) < len(items):
        kept = set(chosen)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = chosen


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory):
    """A server of ClickHouse, alone."""
    with clickhouse_server.servers(tmp_path_factory.mktemp("clickhouse")) as (server,):
        yield server


@pytest.fixture(scope="session")
def clickhouse_cluster(tmp_path_factory):
    """Two servers, which are the cluster "two"."""
    with clickhouse_server.servers(tmp_path_factory.mktemp("clickhouse-cluster"), 2) as nodes:
        yield nodes
