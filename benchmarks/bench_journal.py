"""What it costs to lose nothing: appending through a journal, beside writing the same bytes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawstore._core import Journal
from paired import Contender, Paired, measure, memcpy, replay
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_WALKERS, _NDIM = 128, 20
_ROW_BYTES = 8 * _WALKERS * (_NDIM + 1)
_PACE = _ROW_BYTES / 150e6  # seconds from one row to the next, which every disk keeps up with
_SINK_PAUSE = 0.1
_META = (
    "run",
    [
        ("chain", "float64", [_WALKERS, _NDIM], [], False, False),
        ("log_prob", "float64", [_WALKERS], [], False, False),
    ],
    [],
    b"",
)


@pytest.fixture(scope="module")
def n(quick: bool) -> int:
    """Rows that are appended."""
    return 500 if quick else 15_000


def _paced(append: Callable[[], object], n: int) -> float:
    """Append rows at the pace; gives the seconds that it took, less the waiting."""
    clock = time.perf_counter
    due = clock()
    taken = 0.0
    for _ in range(n):
        while clock() < due:
            pass
        start = clock()
        append()
        taken += clock() - start
        due += _PACE
    return taken


def _journal(path: Path, store: str, draw: dict[str, Any], n: int) -> Contender:
    """Append through a journal whose rows a thread takes out, as one that delivers them does."""

    def run() -> float:
        journal = Journal(str(path), store=store)
        chain = journal.begin_chain(bytes(16), "run", _META, 0, 0, 0)
        ended = threading.Event()

        def sink() -> None:
            while not ended.wait(_SINK_PAUSE):
                journal.sync()
                rows = slice(chain.released, chain.synced)
                for name in draw:
                    chain.get_draws(name, rows)
                chain.release(rows.stop)

        thread = threading.Thread(target=sink)
        thread.start()
        try:
            return _paced(lambda: chain.append(draw), n)
        finally:
            ended.set()
            thread.join()
            journal.close(remove=True)

    return run


def _write(path: Path, data: bytes, n: int) -> Contender:
    """Write the bytes of the rows, one row a call."""

    def run() -> float:
        handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        try:
            return _paced(lambda: os.write(handle, data), n)
        finally:
            os.close(handle)
            path.unlink()

    return run


@pytest.fixture(scope="module")
def paced(
    tmp_path_factory: pytest.TempPathFactory, n: int, rounds: int, table: Table
) -> dict[str, tuple[str, Paired]]:
    folder = tmp_path_factory.mktemp("journal")
    rng = np.random.default_rng(1)
    draw = {"chain": rng.normal(size=(_WALKERS, _NDIM)), "log_prob": rng.normal(size=_WALKERS)}
    data = b"".join(value.tobytes() for value in draw.values())
    contenders = {
        "mapped": _journal(folder / "mapped", "mapped", draw, n),
        "written": _journal(folder / "written", "written", draw, n),
        "write": _write(folder / "bytes", data, n),
        "memcpy": memcpy(n * _ROW_BYTES),
    }
    each = dict.fromkeys(contenders, 1 / n)
    seconds = measure(contenders, rounds).scaled(**each).seconds
    measured = {}
    for store, bar in ("mapped", 0.6), ("written", 2.0):
        work = f"append a row of {_ROW_BYTES / 1e3:.1f} kB to a journal ({store}), 150 MB/s"
        paired = Paired(
            {
                "drawstore": seconds[store],
                "write": seconds["write"],
                "memcpy": seconds["memcpy"],
            }
        )
        table.slower(work, "`write()` of the bytes", paired, "write", bar)
        measured[store] = (work, paired)
    return measured


@pytest.mark.parametrize("store", ["mapped", "written"])
@pytest.mark.parametrize("name", ["drawstore", "write", "memcpy"])
def bench_appending(
    benchmark: Any, paced: dict[str, tuple[str, Paired]], store: str, name: str
) -> None:
    work, paired = paced[store]
    replay.show(benchmark, paired, name, work)
