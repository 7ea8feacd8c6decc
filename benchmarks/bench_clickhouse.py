"""Making blocks for ClickHouse and reading answers, beside copying the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import drawstore
from drawstore._core import Chain, ClickHouseTable, Journal
from drawstore.backends.core import core_meta
from paired import Paired, measure, memcpy, replay, timed
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_NDIM = 10
_SERVERS_ROWS = 65_505  # of the blocks in which servers answer
_Measured = tuple[str, Paired]


@pytest.fixture(scope="module")
def n(quick: bool) -> int:
    return 20_000 if quick else 1_000_000


@pytest.fixture(scope="module")
def draws(n: int) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(size=(n, _NDIM))


@pytest.fixture(scope="module")
def clickhouse_table() -> ClickHouseTable:
    return ClickHouseTable(core_meta(drawstore.make_meta({"x": ("float64", (_NDIM,))})))


@pytest.fixture(scope="module", params=["in memory", "in a journal"])
def chain(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    draws: NDArray[np.float64],
) -> Iterator[tuple[str, Chain]]:
    meta = drawstore.make_meta({"x": ("float64", (_NDIM,))})
    path: Path = tmp_path_factory.mktemp("clickhouse") / "journal"
    journal = Journal(str(path))
    chain: Any = drawstore.MemoryBackend().init_run(meta).init_chain(0)
    if request.param == "in a journal":
        chain = journal.begin_chain(bytes(16), "chain", core_meta(meta), 0, 0, 0)
    chain.extend({"x": draws})
    yield request.param, chain
    journal.close(True)


@pytest.fixture(scope="module")
def encoded(
    chain: tuple[str, Chain], n: int, clickhouse_table: ClickHouseTable, rounds: int, table: Table
) -> _Measured:
    where, rows = chain

    def encode() -> int:
        done = size = 0
        while done < n:
            stop = done + clickhouse_table.rows_fitting(rows, done, n)
            size += len(clickhouse_table.encode(rows, done, stop))
            done = stop
        return size

    contenders = {"drawstore": timed(encode), "memcpy": memcpy(encode())}
    paired = measure(contenders, rounds)
    work = f"blocks for ClickHouse from {n:,} draws of {_NDIM} float64 {where}"
    table.slower(work, "memcpy of these bytes into fresh memory", paired, "memcpy", 2.0)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "memcpy"])
def bench_encode(benchmark: Any, encoded: _Measured, name: str) -> None:
    work, paired = encoded
    replay.show(benchmark, paired, name, work)


def _count(number: int) -> bytes:
    """Seven bits a byte, as counts are in Native blocks."""
    low = bytes([number & 0x7F | (0x80 if number > 0x7F else 0)])
    return low + (_count(number >> 7) if number > 0x7F else b"")


def _answer(draws: NDArray[np.float64]) -> bytes:
    """Give what a server answers that has these draws."""
    pieces = []
    for start in range(0, len(draws), _SERVERS_ROWS):
        block = draws[start : start + _SERVERS_ROWS]
        numbers = np.arange(len(block), dtype=np.uint64)
        pieces += [
            *(b"\2", _count(len(block)), b"\4draw\6UInt64", (numbers + start).tobytes()),
            *(b"\1x\x0eArray(Float64)", ((numbers + 1) * _NDIM).tobytes(), block.tobytes()),
        ]
    return b"".join(pieces)


@pytest.fixture(scope="module")
def decoded(
    draws: NDArray[np.float64],
    n: int,
    clickhouse_table: ClickHouseTable,
    rounds: int,
    table: Table,
) -> _Measured:
    answer = _answer(draws)
    _, values, _ = clickhouse_table.decode(answer, ["x"])
    np.testing.assert_array_equal(values["x"], draws)
    del values
    contenders = {
        "drawstore": timed(lambda: clickhouse_table.decode(answer, ["x"])),
        "memcpy": memcpy(draws.nbytes + 8 * n, len(answer)),
    }
    paired = measure(contenders, rounds)
    work = f"{n:,} draws of {_NDIM} float64 from an answer of ClickHouse"
    table.slower(work, "memcpy of the draws into fresh memory", paired, "memcpy", 2.0)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "memcpy"])
def bench_decode(benchmark: Any, decoded: _Measured, name: str) -> None:
    work, paired = decoded
    replay.show(benchmark, paired, name, work)
