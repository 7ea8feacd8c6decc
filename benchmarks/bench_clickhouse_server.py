"""Draws into a server of ClickHouse and back, beside McBackend's backend and clickhouse-driver."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clickhouse_server
import drawstore
from clickhouse_loads import TEN, new_run, peers_chain, waiting_draws
from draws import DIFFERENT, LOADS, Load, append
from paired import Contender, Paired, measure, memcpy, replay, timed
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_PEER = "McBackend's `ClickHouseBackend`"
_LOADS = [TEN, *LOADS]
_FASTER = dict(zip((load.name for load in _LOADS), (12.0, 5.0, 5.0, 5.0), strict=True))
_FEW_ROUNDS = 5  # of what takes many seconds
_PART = 10  # of the draws, which a peer that is slow has; its time is scaled
_Measured = tuple[str, Paired]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with clickhouse_server.servers(tmp_path_factory.mktemp("clickhouse")) as (node,):
        yield node


@pytest.fixture(scope="module")
def url(server: Any) -> str:
    return f"clickhouse://127.0.0.1:{server.http}/bench"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@pytest.fixture(scope="module")
def ten(quick: bool) -> Load:
    return replace(TEN, n=TEN.n // 100) if quick else TEN


@pytest.fixture(scope="module", params=_LOADS, ids=["ten", "small", "many", "big"])
def load(request: pytest.FixtureRequest, quick: bool) -> Load:
    load: Load = request.param
    return replace(load, n=load.n // 100) if quick else load


@pytest.fixture(scope="module")
def appended(
    server: Any, url: str, folder: Path, load: Load, rounds: int, table: Table
) -> _Measured:
    draws = load.draws()

    def drawstores() -> float:
        with new_run(url, folder, load) as run:
            start = time.perf_counter()
            chain = run.init_chain(0)
            append(chain, draws, load.n)
            chain.flush()
            seconds = time.perf_counter() - start
            assert len(chain) == load.n
        return seconds

    def peers() -> float:
        with peers_chain(server.tcp, load) as chain:
            start = time.perf_counter()
            append(chain, draws, load.n // _PART)
            chain._commit()
            seconds = time.perf_counter() - start
            assert len(chain) == load.n // _PART
        return seconds

    contenders: dict[str, Contender] = {
        "drawstore": drawstores,
        "McBackend": peers,
        "memcpy": memcpy(load.n * load.row_bytes, DIFFERENT * load.row_bytes),
    }
    paired = measure(contenders, min(rounds, _FEW_ROUNDS)).scaled(McBackend=_PART)
    work = f"`append` {load.n:,} draws into a server, {load.name} {load.dtype}, until flushed"
    remark = f"McBackend: {load.n // _PART:,} draws, scaled"
    table.faster(work, _PEER, paired, _FASTER[load.name], peer="McBackend", remark=remark)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "McBackend", "memcpy"])
def bench_append_to_a_server(benchmark: Any, appended: _Measured, name: str) -> None:
    work, paired = appended
    replay.show(benchmark, paired, name, work)


def bench_drain(url: str, folder: Path, ten: Load, rounds: int, table: Table) -> None:
    draws = np.random.default_rng(1).standard_normal((ten.n, *ten.shapes[0]))

    def run() -> float:
        with new_run(url, folder, ten) as run:
            return waiting_draws(run.init_chain(0), draws)

    paired = measure({"drawstore": run}, rounds)
    table.rate(
        f"{ten.n:,} draws of 10 float64 that wait, until they are on a server",
        "–",
        draws.nbytes,
        paired.seconds["drawstore"],
        Bar("at least", 200.0, "MB/s"),
    )


def bench_append_while_draws_are_sent(
    url: str, folder: Path, ten: Load, rounds: int, table: Table
) -> None:
    draws = ten.draws()

    def drawstores() -> float:
        with new_run(url, folder, ten) as run:
            chain = run.init_chain(0)
            return timed(lambda: append(chain, draws, ten.n))()

    def in_memory() -> float:
        chain = drawstore.MemoryBackend().init_run(ten.meta()).init_chain(0)
        return timed(lambda: append(chain, draws, ten.n))()

    seconds = measure({"drawstore": drawstores, "memory": in_memory}, rounds).seconds
    both = zip(seconds["drawstore"], seconds["memory"], strict=True)
    ours, memory = (statistics.median(seconds[name]) / ten.n * 1e9 for name in seconds)
    table.number(
        "mean `append` of a draw of 10 float64 while others are sent to a server, beyond that",
        "of `MemoryBackend`",
        statistics.median(mine - other for mine, other in both) / ten.n * 1e6,
        Bar("at most", 3.0, "µs"),
        remark=f"{ours:.0f} ns against {memory:.0f} ns",
    )


@pytest.fixture(scope="module")
def read(server: Any, url: str, folder: Path, ten: Load, rounds: int, table: Table) -> _Measured:
    from clickhouse_driver import Client

    draws = np.random.default_rng(1).standard_normal((ten.n, *ten.shapes[0]))
    with new_run(url, folder, ten) as run:
        writing = run.init_chain(0)
        writing.extend({"v0": draws})
        writing.close()
        reading = drawstore.ClickHouseBackend(url, mode="r", journal=False)
        (chain,) = reading.get_run(run.rid).get_chains()
        client = Client("127.0.0.1", port=server.tcp)
        where = f"WHERE chain = 0 AND draw < {ten.n // _PART} ORDER BY draw"

        def rows() -> np.ndarray:
            found = client.execute(f"SELECT v0 FROM bench.{run.table} {where}")
            return np.array([row for (row,) in found])

        np.testing.assert_array_equal(chain.get_draws("v0"), draws)
        np.testing.assert_array_equal(rows(), draws[: ten.n // _PART])
        contenders = {
            "drawstore": timed(lambda: chain.get_draws("v0")),
            "driver": timed(rows),
            "memcpy": memcpy(draws.nbytes),
        }
        paired = measure(contenders, rounds).scaled(driver=_PART)
        client.disconnect()
    work = f"`get_draws` of {ten.n:,} draws of 10 float64 from a server"
    against = "`clickhouse-driver`'s rows, made an array"
    remark = f"clickhouse-driver: {ten.n // _PART:,} draws, scaled"
    table.faster(work, against, paired, 4.0, peer="driver", remark=remark)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "driver", "memcpy"])
def bench_read(benchmark: Any, read: _Measured, name: str) -> None:
    work, paired = read
    replay.show(benchmark, paired, name, work)
