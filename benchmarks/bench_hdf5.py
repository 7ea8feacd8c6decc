"""Saving to HDF5 files and reading them, beside emcee's `HDFBackend`."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emcee.backends
import h5py
import numpy as np
import pytest

import drawstore.emcee
from paired import Contender, Paired, measure, memcpy, replay, timed
from steps import Shape, draw_bytes, log_prob, made_up_states, sampler, save
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_SHAPE: Shape = (32, 5)
_PEER = "emcee `HDFBackend`"
_Measured = tuple[str, Paired]


@pytest.fixture(scope="module")
def n(quick: bool) -> int:
    """Steps that drawstore saves."""
    return 400 if quick else 20_000


@pytest.fixture(scope="module")
def n_peer(quick: bool) -> int:
    """Steps that emcee saves; its time is scaled."""
    return 10 if quick else 300


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Gives the path of a new file; the one before is deleted."""
    folder = tmp_path_factory.mktemp("hdf5")
    count = 0

    def new() -> Path:
        nonlocal count
        (folder / f"{count}.h5").unlink(missing_ok=True)
        count += 1
        return folder / f"{count}.h5"

    return new


def _emcee_saves(path: Callable[[], Path], n: int) -> Contender:
    """emcee's backend saves; its `reset` and `grow` are left out, since the time is scaled."""
    states = made_up_states(_SHAPE)

    def run() -> float:
        backend = emcee.backends.HDFBackend(path())
        backend.reset(*_SHAPE)
        backend.grow(n, None)
        start = time.perf_counter()
        save(backend, states, n)
        return time.perf_counter() - start

    return run


@pytest.fixture(scope="module")
def saving(
    path: Callable[[], Path], n: int, n_peer: int, rounds: int, table: Table
) -> dict[str, _Measured]:
    states = made_up_states(_SHAPE)

    def all_in() -> None:
        with drawstore.emcee.HDFBackend(path()) as backend:
            backend.reset(*_SHAPE)
            backend.grow(n, None)
            save(backend, states, n)

    def steps_alone() -> float:
        with drawstore.emcee.HDFBackend(path()) as backend:
            backend.reset(*_SHAPE)
            backend.grow(n + 1, None)  # the last announced step would complete the file
            start = time.perf_counter()
            save(backend, states, n)
            return time.perf_counter() - start

    peer, copy = _emcee_saves(path, n_peer), memcpy(draw_bytes(n, _SHAPE))
    contenders = {"drawstore": timed(all_in), "steps": steps_alone, "emcee": peer, "memcpy": copy}
    seconds = measure(contenders, rounds).scaled(emcee=n / n_peer).seconds
    closed = {name: seconds[name] for name in ("drawstore", "emcee", "memcpy")}
    work = f"save {n:,} steps of {_SHAPE[0]} × {_SHAPE[1]} to HDF5, closing included"
    scaled = f"emcee: {n_peer} steps, scaled"
    table.faster(work, _PEER, Paired(closed), 300.0, remark=scaled)
    per_step = Paired({**closed, "drawstore": seconds["steps"]}).scaled(
        drawstore=1 / n, emcee=1 / n, memcpy=1 / n
    )
    mean = "mean `save_step` into HDF5, without the close"
    table.faster(mean, _PEER, per_step, 1000.0, remark=scaled)
    return {"closed": (work, Paired(closed)), "step": (mean, per_step)}


@pytest.mark.parametrize("what", ["closed", "step"])
@pytest.mark.parametrize("name", ["drawstore", "emcee", "memcpy"])
def bench_saving(benchmark: Any, saving: dict[str, _Measured], what: str, name: str) -> None:
    work, paired = saving[what]
    replay.show(benchmark, paired, name, work)


@pytest.fixture(scope="module")
def one_step(path: Callable[[], Path], n: int, rounds: int, table: Table) -> _Measured:
    states = made_up_states(_SHAPE)
    accepted = np.ones(_SHAPE[0], dtype=bool)

    def median_step(make: Callable[[], Any]) -> Contender:
        def run() -> float:
            backend = make()
            backend.reset(*_SHAPE)
            backend.grow(n + 1, None)  # the last announced step would complete the file
            save_step, clock, seconds = backend.save_step, time.perf_counter, []
            for state in itertools.islice(itertools.cycle(states), n):
                start = clock()
                save_step(state, accepted)
                seconds.append(clock() - start)
            if isinstance(backend, drawstore.emcee.HDFBackend):
                backend.close()
            return statistics.median(seconds)

        return run

    contenders = {
        "drawstore": median_step(lambda: drawstore.emcee.HDFBackend(path())),
        "memory": median_step(drawstore.emcee.Backend),
        "memcpy": memcpy(draw_bytes(n, _SHAPE)),
    }
    paired = measure(contenders, rounds).scaled(memcpy=1 / n)
    work = f"median `save_step` of {_SHAPE[0]} × {_SHAPE[1]}, journal and HDF5"
    most = max(3.0, 3e-6 / paired.median("memory"))  # 3 µs, or 3 ×
    table.slower(work, "`drawstore.emcee.Backend`, in memory", paired, "memory", most)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "memory", "memcpy"])
def bench_one_step(benchmark: Any, one_step: _Measured, name: str) -> None:
    work, paired = one_step
    replay.show(benchmark, paired, name, work)


@pytest.fixture(scope="module")
def whole_run(
    path: Callable[[], Path], n: int, n_peer: int, rounds: int, table: Table
) -> _Measured:
    def run(backend: Any, n: int) -> float:
        ensemble, start_points = sampler(_SHAPE, backend)
        start = time.perf_counter()
        ensemble.run_mcmc(start_points, n, store=backend is not None)
        return time.perf_counter() - start

    contenders: dict[str, Contender] = {
        "drawstore": lambda: run(drawstore.emcee.HDFBackend(path()), n),
        "store=False": lambda: run(None, n),
        "emcee": lambda: run(emcee.backends.HDFBackend(path()), n_peer),
        "memcpy": memcpy(draw_bytes(n, _SHAPE)),
    }
    paired = measure(contenders, rounds).scaled(emcee=n / n_peer)
    work = f"a whole `run_mcmc` of {n:,} steps of {_SHAPE[0]} × {_SHAPE[1]}, vectorised, HDF5"
    table.slower(work, "the same with `store=False`", paired, "store=False", 1.05)
    table.faster("the same", _PEER, paired, None, remark=f"emcee: {n_peer} steps, scaled")
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "store=False", "emcee", "memcpy"])
def bench_whole_run(benchmark: Any, whole_run: _Measured, name: str) -> None:
    work, paired = whole_run
    replay.show(benchmark, paired, name, work)


@pytest.mark.parametrize(
    ("compression", "bar"), [(None, Bar("at most", 1.1)), ("gzip", Bar("under", 1.0))]
)
def bench_file_size(
    path: Callable[[], Path], n: int, table: Table, compression: str | None, bar: Bar
) -> None:
    file = path()
    with drawstore.emcee.HDFBackend(file, compression=compression) as backend:
        ensemble, start = sampler(_SHAPE, backend)
        ensemble.run_mcmc(start, n)
    draws = draw_bytes(n, _SHAPE)
    size = file.stat().st_size
    table.number(
        f"size of the HDF5 file of such a run, {compression or 'plain'}",
        "bytes of its draws",
        size / draws,
        bar,
        remark=f"{size / 1e6:.1f} MB against {draws / 1e6:.1f} MB",
    )


def _log_prob_and_blobs(positions: np.ndarray) -> list[tuple[float, float, float]]:
    return [
        (value, float(x[0]), float(x @ x))
        for value, x in zip(log_prob(positions), positions, strict=True)
    ]


def bench_size_after_a_drain_each(path: Callable[[], Path], quick: bool, table: Table) -> None:
    n = 50 if quick else 2_000
    file = path()
    with drawstore.emcee.HDFBackend(file, compression="gzip") as backend:
        ensemble, start = sampler(_SHAPE, backend, _log_prob_and_blobs)
        for _ in ensemble.sample(start, iterations=n):
            backend.flush()
    with h5py.File(file) as opened:
        draws = sum(opened["mcmc"][key].nbytes for key in ("chain", "log_prob", "blobs"))
    size = file.stat().st_size
    table.number(
        f"size after {n:,} steps, a drain each, gzip, with blobs",
        "bytes of its draws",
        size / draws,
        Bar("at most", 1.0),
        remark=f"{size / 1e6:.2f} MB against {draws / 1e6:.2f} MB",
    )


def _emcee_file(path: Path, chain: np.ndarray) -> Any:
    """Make a file with emcee's backend, and fill it in one piece: step by step takes minutes."""
    backend = emcee.backends.HDFBackend(path)
    backend.reset(*chain.shape[1:])
    backend.grow(len(chain), None)
    with backend.open("a") as file:
        group = file["mcmc"]
        group["chain"][...] = chain
        group["log_prob"][...] = chain.sum(axis=2)
        group.attrs["iteration"] = len(chain)
    return backend


def _our_file(path: Path, chain: np.ndarray) -> Any:
    backend = drawstore.emcee.HDFBackend(path)
    backend.reset(*chain.shape[1:])
    backend.grow(len(chain), None)
    accepted = np.ones(chain.shape[1], dtype=bool)
    for coords in chain:
        backend.save_step(emcee.State(coords, log_prob=coords.sum(axis=1)), accepted)
    backend.close()
    return backend


@pytest.fixture(scope="module")
def thinned(
    tmp_path_factory: pytest.TempPathFactory, quick: bool, rounds: int, table: Table
) -> _Measured:
    n, thin = (1_000 if quick else 50_000), 10
    chain = np.random.default_rng(3).standard_normal((n, *_SHAPE))
    folder = tmp_path_factory.mktemp("thin")
    ours, theirs = _our_file(folder / "ours.h5", chain), _emcee_file(folder / "theirs.h5", chain)
    for backend in (ours, theirs):
        np.testing.assert_array_equal(backend.get_chain(thin=thin), chain[thin - 1 :: thin])
    contenders = {
        "drawstore": timed(lambda: ours.get_chain(thin=thin)),
        "emcee": timed(lambda: theirs.get_chain(thin=thin)),
        "memcpy": memcpy(chain.nbytes // thin),
    }
    paired = measure(contenders, rounds)
    work = f"`get_chain(thin={thin})` of {n:,} steps of {_SHAPE[0]} × {_SHAPE[1]} from HDF5"
    table.faster(work, "emcee's, on emcee's file", paired, 8.0)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "emcee", "memcpy"])
def bench_thinned_reading(benchmark: Any, thinned: _Measured, name: str) -> None:
    work, paired = thinned
    replay.show(benchmark, paired, name, work)
