"""What it costs to lose nothing: appending through a journal, beside writing the same bytes."""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drawstore
from paired import Contender, Paired, measure, memcpy, replay
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_WALKERS, _NDIM = 128, 20
_ROW_BYTES = 8 * _WALKERS * (_NDIM + 1)
_PACE = _ROW_BYTES / 150e6  # seconds from one row to the next, which every disk keeps up with


@pytest.fixture(scope="module")
def n(quick: bool) -> int:
    """Rows that are appended."""
    return 500 if quick else 15_000


_means: dict[str, list[float]] = defaultdict(list)  # of a row, by contender


def _paced(name: str, append: Callable[[], object], n: int) -> float:
    """Append rows at the pace; gives the seconds of the one in the middle, less the waiting."""
    clock = time.perf_counter
    due = clock()
    taken = []
    for _ in range(n):
        while clock() < due:
            pass
        start = clock()
        append()
        taken.append(clock() - start)
        due += _PACE
    _means[name].append(sum(taken) / n)
    return statistics.median(taken)


def _with_journal(path: Path, draw: dict[str, Any], n: int) -> Contender:
    """Append to an HDF5 file through a journal, from which a thread takes the rows meanwhile."""
    meta = drawstore.make_meta({name: (v.dtype.name, v.shape) for name, v in draw.items()})

    def run() -> float:
        with drawstore.HDF5Backend(path) as backend:
            chain = backend.init_run(meta).init_chain(0)
            seconds = _paced("drawstore", lambda: chain.append(draw), n)
        path.unlink()
        return seconds

    return run


def _write(path: Path, data: bytes, n: int) -> Contender:
    """Write the bytes of the rows, one row a call."""

    def run() -> float:
        handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        try:
            return _paced("write", lambda: os.write(handle, data), n)
        finally:
            os.close(handle)
            path.unlink()

    return run


@pytest.fixture(scope="module")
def paced(
    tmp_path_factory: pytest.TempPathFactory, n: int, rounds: int, table: Table
) -> tuple[str, Paired]:
    folder = tmp_path_factory.mktemp("journal")
    rng = np.random.default_rng(1)
    draw = {"chain": rng.normal(size=(_WALKERS, _NDIM)), "log_prob": rng.normal(size=_WALKERS)}
    data = b"".join(value.tobytes() for value in draw.values())
    contenders = {
        "drawstore": _with_journal(folder / "runs.h5", draw, n),
        "write": _write(folder / "bytes", data, n),
        "memcpy": memcpy(n * _ROW_BYTES),
    }
    _means.clear()
    paired = measure(contenders, rounds).scaled(memcpy=1 / n)
    work = (
        f"`append` a row of {_ROW_BYTES / 1e3:.1f} kB to `HDF5Backend` at 150 MB/s, journal, median"
    )
    against = "a `write` of the bytes to the same disk"
    table.slower(work, against, paired, "write", 0.6)
    # The mean has what the sampler waits for, now and then: the interpreter, and fresh pages.
    means = Paired(_means)
    table.slower("the same, mean of all rows", against, means, "write", None)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "write", "memcpy"])
def bench_appending(benchmark: Any, paced: tuple[str, Paired], name: str) -> None:
    work, paced_rows = paced
    replay.show(benchmark, paced_rows, name, work)
