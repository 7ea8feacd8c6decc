"""`get_autocorr_time` asked every hundred steps of a run, beside emcee's at the same points."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emcee.backends
import numpy as np
import pytest

import drawstore.autocorr
import drawstore.emcee
from paired import Contender, Paired, measure, memcpy, replay
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_NWALKERS, _NDIM = 32, 5
_EVERY = 100
_COEFFICIENT = 0.96  # of each position in the next: τ is (1 + 0.96)/(1 - 0.96) = 49
_CONTENDERS = ["drawstore", "emcee", "memcpy"]
_Follow = Callable[[Any], Any]


@pytest.fixture(scope="module")
def positions(quick: bool) -> np.ndarray:
    """Those of a run whose autocorrelation time is about 50 steps, as a real one's is."""
    positions = np.random.default_rng(4).standard_normal(
        (4_000 if quick else 100_000, _NWALKERS, _NDIM)
    )
    positions[0] /= np.sqrt(1 - _COEFFICIENT**2)
    for before, now in itertools.pairwise(positions):
        now += _COEFFICIENT * before
    return positions


@pytest.fixture(scope="module")
def sample(quick: bool) -> int:
    """Of how many points emcee is asked at one, in the middle of them; its time is scaled."""
    return 10 if quick else 50


def _emcee_asked(positions: np.ndarray, sample: int) -> Contender:
    backend = emcee.backends.Backend()
    backend.reset(_NWALKERS, _NDIM)
    backend.chain = positions

    def run() -> float:
        seconds = 0.0
        for n in range(_EVERY * sample // 2, len(positions) + 1, _EVERY * sample):
            backend.iteration = n
            start = time.perf_counter()
            backend.get_autocorr_time(tol=0)
            seconds += time.perf_counter() - start
        return sample * seconds

    return run


def _ours_asked(positions: np.ndarray, make: Callable[[], Any], look: _Follow) -> Contender:
    """Save steps, and ask at every point; asking is what counts."""
    log_prob, accepted = np.zeros(_NWALKERS), np.zeros(_NWALKERS, dtype=bool)
    random_state = np.random.RandomState(1).get_state()

    def run() -> float:
        backend = make()
        backend.reset(_NWALKERS, _NDIM)
        backend.grow(len(positions), None)
        seconds = 0.0
        for n, coords in enumerate(positions, start=1):
            state = emcee.State(coords, log_prob=log_prob, random_state=random_state)
            backend.save_step(state, accepted)
            if n % _EVERY == 0:
                look(backend)
                start = time.perf_counter()
                backend.get_autocorr_time(tol=0)
                seconds += time.perf_counter() - start
        if isinstance(backend, drawstore.emcee.HDFBackend):
            backend.close()
        return seconds

    return run


@pytest.fixture(scope="module", params=["memory", "looked at", "HDF5"])
def measured(
    request: pytest.FixtureRequest,
    positions: np.ndarray,
    sample: int,
    quick: bool,
    table: Table,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Paired]:
    folder = tmp_path_factory.mktemp("running")
    count = iter(range(1000))

    def in_file() -> Any:
        return drawstore.emcee.HDFBackend(Path(folder, f"{next(count)}.h5"))

    ours = {
        "memory": _ours_asked(positions, drawstore.emcee.Backend, lambda _: None),
        "looked at": _ours_asked(positions, drawstore.emcee.Backend, lambda b: b.get_chain()),
        "HDF5": _ours_asked(positions, in_file, lambda _: None),
    }[request.param]
    paired = measure(
        {
            "drawstore": ours,
            "emcee": _emcee_asked(positions, sample),
            "memcpy": memcpy(positions.nbytes),
        },
        rounds=1 if quick else 3,
        warm_up=0,
    )
    where = {
        "memory": "in memory",
        "looked at": "in memory, after a `get_chain` each time",
        "HDF5": "in a file that is being written",
    }[request.param]
    work = f"`get_autocorr_time` every {_EVERY} steps through {len(positions):,} of 32 × 5, {where}"
    remark = f"emcee: one point of {sample}, scaled"
    table.faster(work, "emcee `Backend`", paired, 100, remark=remark)
    return work, paired


@pytest.mark.parametrize("name", _CONTENDERS)
def bench_asked_again(benchmark: Any, measured: tuple[str, Paired], name: str) -> None:
    work, paired = measured
    replay.show(benchmark, paired, name, work)


def bench_times_asked_again_are_the_same(positions: np.ndarray, table: Table) -> None:
    backend = drawstore.emcee.Backend()
    backend.reset(_NWALKERS, _NDIM)
    backend.grow(len(positions), None)
    backend.chain[:] = positions  # undefined up to `iteration`, as in emcee's
    worst = 0.0
    for n in range(_EVERY, len(positions) + 1, _EVERY):
        backend.iteration = n
        tau = backend.get_autocorr_time(tol=0)
        if n % (20 * _EVERY) == 0:
            expected = drawstore.autocorr.integrated_time(positions[:n], tol=0)
            worst = max(worst, float(np.max(np.abs(tau / expected - 1))))
    table.number(
        "τ at these points: relative difference",
        "`integrated_time` of all steps",
        worst,
        Bar("at most", 1e-8, ""),
    )
