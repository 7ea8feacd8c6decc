"""A server that is killed while a sampler runs, beside a sampler whose server stays."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import clickhouse_server
import drawstore
from child import in_child
from clickhouse_loads import sample, sampler_step
from paired import Paired
from table import Bar, Table

_WORK = 40  # of a step: about half a millisecond


def _step_seconds() -> float:
    step = sampler_step(_WORK)
    start = time.perf_counter()
    for _ in range(200):
        step()
    return (time.perf_counter() - start) / 200


def _draws(node: Any, what: str = "count()") -> int:
    """Ask a server for something of the draws of its one run; 0 where it has none yet."""
    try:
        tables = node.query(
            "SELECT name FROM system.tables WHERE name NOT LIKE 'drawstore%' AND database = 'bench'"
        )
        return int(node.query(f"SELECT {what} FROM bench.`{tables.decode().strip()}`"))
    except (RuntimeError, OSError):
        return 0


def _until_all_have_some(nodes: Iterable[Any], sampling: Iterable[Future[Any]]) -> None:
    while not all(_draws(node) > 0 for node in nodes):
        for future in sampling:
            assert not future.done(), future.result()
        time.sleep(0.05)


def _check(url: str, rid: str, n: int) -> None:
    """See that the draws are those that were appended."""
    reading = drawstore.ClickHouseBackend(url, mode="r", journal=False)
    (chain,) = reading.get_run(rid).get_chains()
    np.testing.assert_array_equal(chain.get_draws("i"), np.arange(n))


def bench_server_away(quick: bool, table: Table, tmp_path: Path) -> None:
    away = 1.0 if quick else 60.0
    n = int(3 * away / _step_seconds())
    with (
        clickhouse_server.servers(tmp_path / "stays") as (stays,),
        clickhouse_server.servers(tmp_path / "dies") as (dies,),
        ThreadPoolExecutor() as threads,
    ):
        nodes = {"stays": stays, "dies": dies}
        urls = {name: f"clickhouse://127.0.0.1:{node.http}/bench" for name, node in nodes.items()}
        # At the same time: what disturbs one disturbs the other.
        sampling = {
            name: threads.submit(
                in_child, sample, url, str(tmp_path / f"{name}-journals"), n, _WORK
            )
            for name, url in urls.items()
        }
        _until_all_have_some(nodes.values(), sampling.values())
        time.sleep(away)
        dies.kill()
        time.sleep(away)
        dies.start()
        done = {name: future.result() for name, future in sampling.items()}
        for name in nodes:
            _check(urls[name], done[name]["rid"], n)
        lost = {name: n - _draws(node, "uniqExact(draw)") for name, node in nodes.items()}
        twice = {name: _draws(node, "count() - uniqExact(draw)") for name, node in nodes.items()}
    assert lost == twice == {"stays": 0, "dies": 0}
    work = f"a run of {n:,} steps, the server killed, and back after {away:g} s"
    paired = Paired({name: [done[name]["seconds"]] for name in nodes})
    remark = (
        f"{paired.median('dies'):.1f} s against {paired.median('stays'):.1f} s; closed "
        f"{done['dies']['close']:.2f} s later"
    )
    ratio = paired.ratio("dies", to="stays").median
    table.number(work, "the server stays", ratio, Bar("at most", 1.05), remark=remark)
    for what, found in (("lost", lost), ("there twice", twice)):
        table.number(f"the same: draws {what}", "–", found["dies"], Bar("at most", 0.0, ""))
