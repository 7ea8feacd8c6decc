"""Options of the benchmarks, and the table at their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from table import Table

_TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("drawstore's benchmarks")
    group.addoption(
        "--quick",
        action="store_true",
        help="small sizes and few rounds: shows that all runs, judges nothing",
    )
    group.addoption(
        "--enforce", action="store_true", help="fail where a number does not reach its bar"
    )
    group.addoption(
        "--table", type=Path, metavar="FILE", help="write the table of ratios as Markdown"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.quick and config.option.enforce:
        raise pytest.UsageError("--quick judges nothing that --enforce could insist on")
    config.stash[_TABLE] = Table(verdict=not config.option.quick)


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Table:
    """The table at the end of the run."""
    return request.config.stash[_TABLE]


@pytest.fixture(scope="session")
def quick(request: pytest.FixtureRequest) -> bool:
    """Whether small sizes will do."""
    return bool(request.config.option.quick)


@pytest.fixture(scope="session")
def rounds(quick: bool) -> int:
    """Paired rounds of a measurement."""
    return 2 if quick else 15


@pytest.fixture(scope="session", autouse=True)
def _no_parallel_tests(request: pytest.FixtureRequest) -> None:
    if hasattr(request.config, "workerinput"):
        pytest.exit("benchmarks run one after the other: leave -n out", returncode=4)


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    table = config.stash[_TABLE]
    if config.option.table is not None and table.rows:
        config.option.table.write_text(table.markdown(), encoding="utf-8")
    if config.option.enforce and table.missed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    yield  # pytest-benchmark's tables come first
    table = config.stash[_TABLE]
    if not table.rows:
        return
    terminalreporter.section("drawstore beside its peers")
    terminalreporter.write(table.markdown())
    for line in table.summary():
        terminalreporter.line(line, red=bool(table.verdict and table.missed))
