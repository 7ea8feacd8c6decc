"""Appending, extending and reading chains, beside McBackend, `write` and `memcpy`."""

from __future__ import annotations

import os
import statistics
import time
import timeit
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drawstore
from draws import DIFFERENT, LOADS, Load, append
from paired import Contender, Paired, measure, memcpy, replay, timed
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_PEER = "McBackend `NumPyBackend`"
_FASTER = dict(zip((load.name for load in LOADS), (3.0, 4.0, 2.0), strict=True))
_OF_MEMCPY = LOADS[2].name
_Measured = tuple[str, Paired]


@pytest.fixture(scope="module", params=LOADS, ids=["small", "many", "big"])
def load(request: pytest.FixtureRequest, quick: bool) -> Load:
    load: Load = request.param
    return replace(load, n=load.n // 100) if quick else load


@pytest.fixture(scope="module")
def in_memory(load: Load, rounds: int, table: Table) -> _Measured:
    draws = load.draws()

    def drawstores() -> None:
        chain = drawstore.MemoryBackend().init_run(load.meta()).init_chain(0)
        append(chain, draws, load.n)
        assert len(chain) == load.n

    def peers() -> None:
        chain = load.peers_chain()
        append(chain, draws, load.n)
        assert len(chain) == load.n

    copy = memcpy(load.n * load.row_bytes, DIFFERENT * load.row_bytes)
    contenders = {"drawstore": timed(drawstores), "McBackend": timed(peers), "memcpy": copy}
    paired = measure(contenders, rounds)
    work = f"`append` {load.n:,} draws in memory, {load.name} {load.dtype}"
    table.faster(work, _PEER, paired, _FASTER[load.name], peer="McBackend")
    if load.name == _OF_MEMCPY:
        table.faster("the same", "memcpy into fresh memory", paired, 0.5, peer="memcpy")
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "McBackend", "memcpy"])
def bench_append_in_memory(benchmark: Any, in_memory: _Measured, name: str) -> None:
    work, paired = in_memory
    replay.show(benchmark, paired, name, work)


def _appends_to_files(load: Load, folder: Path) -> Contender:
    """Appends into a new data file. Closing, which syncs the file, is for `bench_files.py`."""
    draws = load.draws()

    def run() -> float:
        backend = drawstore.FileBackend(folder)
        draw_store = backend.init_run(load.meta())
        start = time.perf_counter()
        chain = draw_store.init_chain(0)
        append(chain, draws, load.n)
        seconds = time.perf_counter() - start
        chain.close()
        backend.delete_run(draw_store.rid)
        return seconds

    return run


def _writes(load: Load, file: Path) -> Contender:
    """One call of the system a row, into a file that grows."""
    rows = [b"".join(value.tobytes() for value in draw.values()) for draw in load.draws()]

    def run() -> float:
        def writes() -> None:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            write = os.write
            for i in range(load.n):
                write(descriptor, rows[i % DIFFERENT])
            os.close(descriptor)

        seconds = timed(writes)()
        assert file.stat().st_size == load.n * load.row_bytes
        file.unlink()
        return seconds

    return run


@pytest.fixture(scope="module")
def in_files(
    load: Load, rounds: int, table: Table, tmp_path_factory: pytest.TempPathFactory
) -> _Measured:
    folder = tmp_path_factory.mktemp("files")
    contenders = {
        "drawstore": _appends_to_files(load, folder / "runs"),
        "write": _writes(load, folder / "rows"),
    }
    paired = measure(contenders, rounds)
    # Not in turns with these: whoever came after it would always find the memory that it gave back
    # to the system, and the other one the pages of the first one's file.
    copy = {"memcpy": memcpy(load.n * load.row_bytes, DIFFERENT * load.row_bytes)}
    paired = Paired(paired.seconds | measure(copy, rounds).seconds)
    work = f"`append` {load.n:,} draws into `FileBackend`, {load.name} {load.dtype}"
    table.slower(work, "a `write` of each row's bytes to the same disk", paired, "write", 1.5)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "write", "memcpy"])
def bench_append_to_files(benchmark: Any, in_files: _Measured, name: str) -> None:
    work, paired = in_files
    replay.show(benchmark, paired, name, work)


@pytest.fixture(scope="module")
def extended(quick: bool, rounds: int, table: Table) -> _Measured:
    n, size = (100 if quick else 10_000), 1_000
    block = np.random.default_rng(6).standard_normal((n, size))
    meta = drawstore.make_meta({"x": (np.float64, (size,))})

    def extends() -> None:
        chain = drawstore.MemoryBackend().init_run(meta).init_chain(0)
        chain.extend({"x": block})

    contenders = {"drawstore": timed(extends), "memcpy": memcpy(block.nbytes, block.nbytes)}
    paired = measure(contenders, rounds)
    work = f"`extend` of {n:,} draws of {size:,} float64 in memory"
    table.faster(work, "memcpy into fresh memory", paired, 0.5, peer="memcpy")
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "memcpy"])
def bench_extend(benchmark: Any, extended: _Measured, name: str) -> None:
    work, paired = extended
    replay.show(benchmark, paired, name, work)


def bench_get_draws(quick: bool, rounds: int, table: Table) -> None:
    n = 100_000 if quick else 10_000_000
    chain = (
        drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": (float, ())})).init_chain(0)
    )
    chain.extend({"x": np.arange(n, dtype=float)})
    slc = slice(n // 10, n - 5, 7)
    whole, part = chain.get_draws("x"), chain.get_draws("x", slc)
    assert np.shares_memory(whole, part)
    np.testing.assert_array_equal(part, np.arange(n, dtype=float)[slc])
    calls = 10_000
    seconds = [
        timeit.timeit(lambda: chain.get_draws("x", slc), number=calls) for _ in range(rounds)
    ]
    table.number(
        f"`get_draws(name, slice(a, b, s))` of {n:,} rows in memory, a view",
        "–",
        statistics.median(seconds) / calls * 1e6,
        Bar("under", 5.0, "µs"),
    )
