"""Work with ClickHouse: McBackend's way into a server, and what needs a process of its own."""

from __future__ import annotations

import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import drawstore
from draws import Load

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ArviZ 1 warns of what McBackend imports from it
    import mcbackend
    from mcbackend.backends.clickhouse import ClickHouseRun

TEN = Load("a variable of (10,)", [(10,)], "float64", 1_000_000)

_PIECE = 2**24  # of a file that is written beside


@contextmanager
def peers_chain(port: int, load: Load) -> Iterator[Any]:
    """Begin a chain of McBackend's ClickHouse backend; its table is dropped in the end.

    Its backend asks for DateTime64, which servers have had since 2019, for its list of runs. The
    run and the chain need nothing of that.
    """
    from clickhouse_driver import Client

    variables = [
        mcbackend.Variable(f"v{i}", load.dtype, list(shape)) for i, shape in enumerate(load.shapes)
    ]
    meta = mcbackend.RunMeta(rid=f"run{uuid.uuid4().hex}", variables=variables)
    client = Client("127.0.0.1", port=port)
    try:
        chain = ClickHouseRun(meta, client_fn=lambda: client).init_chain(0)
        yield chain
        client.execute(f"DROP TABLE {chain.cid}")
    finally:
        client.disconnect()


@contextmanager
def new_run(url: str, folder: str | Path, load: Load) -> Iterator[drawstore.Run]:
    """Begin a run; it is deleted in the end."""
    backend = drawstore.ClickHouseBackend(url, journal=os.path.join(folder, "journals"))
    run = backend.init_run(load.meta())
    yield run
    backend.close()
    backend.delete_run(run.rid)


def waiting_draws(chain: drawstore.Chain, draws: np.ndarray) -> float:
    """Append draws in one call; gives the seconds from when they wait until all are flushed.

    The thread that sends them begins when the call returns.
    """
    chain.extend({"v0": draws})
    start = time.perf_counter()
    chain.flush()
    return time.perf_counter() - start


def write_and_sync(path: Path, n_bytes: int) -> float:
    """Write random bytes to a file, a piece and an `fdatasync` at a time; gives the seconds."""
    piece = np.random.default_rng(2).bytes(_PIECE)
    with path.open("wb", buffering=0) as file:
        start = time.perf_counter()
        for begin in range(0, n_bytes, _PIECE):
            file.write(piece[: n_bytes - begin])
            os.fdatasync(file.fileno())
        seconds = time.perf_counter() - start
    path.unlink()
    return seconds


# In a process of its own.


def embedded(folder: str, n: int, rounds: int) -> dict[str, list[float]]:
    """Measure chDB: seconds of each round, by what was done; the first one does not count."""
    draws = np.random.default_rng(1).standard_normal((n, *TEN.shapes[0]))
    url = f"chdb://{folder}/chdb"
    seconds: dict[str, list[float]] = {"drain": [], "append": [], "read": [], "write": []}
    for _ in range(1 + rounds):
        with new_run(url, folder, TEN) as run:
            chain = run.init_chain(0)
            seconds["drain"].append(waiting_draws(chain, draws))
            start = time.perf_counter()
            got = chain.get_draws("v0")
            seconds["read"].append(time.perf_counter() - start)
            np.testing.assert_array_equal(got, draws)
        with new_run(url, folder, TEN) as run:
            chain = run.init_chain(0)
            rows = [{"v0": row} for row in draws]
            start = time.perf_counter()
            for row in rows:
                chain.append(row)
            chain.flush()
            seconds["append"].append(time.perf_counter() - start)
        seconds["write"].append(write_and_sync(Path(folder, "file"), draws.nbytes))
    return {name: values[1:] for name, values in seconds.items()}


def sampler_step(work: int) -> Callable[[], None]:
    """Give a step that computes for a fixed while."""
    matrix = np.random.default_rng(3).standard_normal((20, 20))

    def step() -> None:
        state = matrix
        for _ in range(work):
            state = matrix @ state
            state = state / abs(state).max()

    return step


def sample(url: str, folder: str, n: int, work: int) -> dict[str, Any]:
    """Sample into a run, and flush it."""
    backend = drawstore.ClickHouseBackend(url, journal=folder)
    run = backend.init_run(drawstore.make_meta({"i": (int, ()), "x": (float, TEN.shapes[0])}))
    chain = run.init_chain(0)
    step, x = sampler_step(work), np.random.default_rng(4).standard_normal(TEN.shapes[0])
    start = time.perf_counter()
    for i in range(n):
        step()
        chain.append({"i": np.array(i), "x": x})
    sampled = time.perf_counter()
    backend.close(timeout=300.0)
    closed = time.perf_counter()
    assert not any(name for _, _, names in os.walk(folder) for name in names)
    return {"rid": run.rid, "seconds": sampled - start, "close": closed - sampled}
