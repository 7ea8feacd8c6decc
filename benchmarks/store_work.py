"""What `bench_footprint.py` measures, each in a process of its own."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import drawstore
from child import resident, status
from drawstore.autocorr import integrated_time

STORES = ["MemoryBackend", "FileBackend", "HDF5Backend"]


def store(name: str, folder: str) -> drawstore.Backend:
    """Make or open a store in a folder."""
    if name == "MemoryBackend":
        return drawstore.MemoryBackend()
    if name == "FileBackend":
        return drawstore.FileBackend(Path(folder) / "runs")
    return drawstore.HDF5Backend(Path(folder) / "runs.h5")


def scalars(n: int) -> drawstore.RunMeta:
    """Describe a run of so many scalar variables."""
    return drawstore.make_meta({f"x{i}": (np.float64, ()) for i in range(n)}, rid="run")


def footprint(name: str, folder: str, n_chains: int, n_variables: int, n_draws: int) -> list[int]:
    """Bytes that short chains take, and the mappings that the process has then."""
    meta = scalars(n_variables)
    draw = {variable.name: 1.0 for variable in meta.variables}
    before = resident()
    run = store(name, folder).init_run(meta)
    chains = [run.init_chain(i) for i in range(n_chains)]
    for _ in range(n_draws):
        for chain in chains:
            chain.append(draw)
    taken = resident() - before
    assert {len(chain) for chain in chains} == {n_draws}
    return [taken, len(Path("/proc/self/maps").read_text().splitlines())]


def bytes_read(name: str, folder: str, variable: str) -> list[int]:
    """Bytes that are read, and those of the draws, when a stored run is asked for one variable."""
    before = _io("rchar")
    (chain,) = store(name, folder).get_run("run").get_chains()
    draws = chain.get_draws(variable)
    return [_io("rchar") - before, draws.nbytes]


def appended_with_little_address_space(name: str, folder: str, room: int, n_draws: int) -> int:
    """Draws that are kept where a queue leaves only so many bytes of address space."""
    meta = drawstore.make_meta({"x": (np.float64, (10,)), "y": (np.int32, ())})
    run = store(name, folder).init_run(meta)
    limit = status("VmSize") + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    chains = [run.init_chain(i) for i in range(4)]
    for i in range(n_draws):
        for chain in chains:
            chain.append({"x": np.full(10, float(i)), "y": i})
    return sum(
        int(np.count_nonzero(chain.get_draws("y") == np.arange(n_draws)))
        for chain in chains
        if chain.get_draws("x")[-1, -1] == n_draws - 1
    )


def larger_than_memory(name: str, folder: str, group: str, n_variables: int, n: int) -> int:
    """Write a run and summarise it, in a memory group or watched; returns bytes held at most.

    The draws are eight, over and over again; ``n`` is a multiple of that.
    """
    if group:
        (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    meta = drawstore.make_meta(
        {f"x{i}": (np.float64, (10,)) for i in range(n_variables)}, rid="run"
    )
    rng = np.random.default_rng(7)
    draws = [
        {variable.name: rng.standard_normal(10) for variable in meta.variables} for _ in range(8)
    ]
    with _peak() as peak:
        run = store(name, folder).init_run(meta)
        with run.init_chain(0) as chain:
            for i in range(n):
                chain.append(draws[i % len(draws)])
        posterior: Any = store(name, folder).get_run("run").to_datatree()["posterior"]
        for variable in meta.variables:
            values = posterior[variable.name].values
            assert values.shape == (1, n, 10)
            expected = np.mean([draw[variable.name] for draw in draws], axis=0)
            np.testing.assert_allclose(values.mean(axis=(0, 1)), expected)
            values.std(axis=(0, 1))
            integrated_time(values.swapaxes(0, 1), tol=0)
    return peak[0]


def memory_of_a_long_run(file: str, n: int, walkers: int, ndim: int) -> int:
    """Bytes that are held at most, over those before, while rows go into an HDF5 file flat out."""
    variables = {"chain": (np.float64, (walkers, ndim)), "log_prob": (np.float64, (walkers,))}
    rng = np.random.default_rng(4)
    draws = [
        {"chain": rng.standard_normal((walkers, ndim)), "log_prob": rng.standard_normal(walkers)}
        for _ in range(64)
    ]
    before = status("RssAnon")
    with _peak() as peak:
        run = drawstore.HDF5Backend(file).init_run(drawstore.make_meta(variables))
        with run.init_chain(0) as chain:
            for i in range(n):
                chain.append(draws[i % len(draws)])
    return peak[0] - before


@contextmanager
def _peak() -> Iterator[list[int]]:
    """Watch the memory of this process that no file stands behind."""
    peak = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            peak[0] = max(peak[0], status("RssAnon"))
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _io(key: str) -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)[key])
