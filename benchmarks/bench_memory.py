"""Growing and saving in memory, all in, beside emcee's `Backend`."""

from __future__ import annotations

import time
from typing import Any

import emcee.backends
import pytest

import drawstore.emcee
from child import in_child
from paired import Contender, Paired, measure, memcpy, replay, timed
from steps import Shape, draw_bytes, made_up_states, sampler, save
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_BACKENDS = {"drawstore": drawstore.emcee.Backend, "emcee": emcee.backends.Backend}
_CONTENDERS = ["drawstore", "emcee", "memcpy"]
_FRESH_ROUNDS = 7
_CASES: list[tuple[int, Shape, float]] = [
    (60_000, (32, 5), 4.0),
    (20_000, (128, 20), 3.0),
    (2_000, (512, 64), 1.0),
]


def contender(name: str, n: int, shape: Shape) -> Contender:
    """Make what is measured: from the empty backend to the last step, and giving it up again.

    drawstore keeps released memory for the next backend. Giving up is in the time, so that nobody
    does any of the work outside of it.
    """
    if name == "memcpy":
        return memcpy(draw_bytes(n, shape))
    states = made_up_states(shape)

    def run() -> None:
        backend = _BACKENDS[name]()
        backend.reset(*shape)
        backend.grow(n, None)
        save(backend, states, n)

    return timed(run)


def first_time(name: str, n: int, shape: list[int]) -> float:
    """Run a contender that nothing was before, in a process of its own."""
    return contender(name, n, (shape[0], shape[1]))()


def _size(n: int, shape: Shape) -> str:
    return f"{n:,} steps of {shape[0]} × {shape[1]}"


@pytest.fixture(scope="module", params=_CASES, ids=["small", "middling", "big"])
def case(request: pytest.FixtureRequest, quick: bool) -> tuple[int, Shape, float]:
    n, shape, bar = request.param
    return (n // 100 if quick else n), shape, bar


@pytest.fixture(scope="module")
def again(case: Any, rounds: int, table: Table) -> tuple[str, Paired]:
    n, shape, bar = case
    paired = measure({name: contender(name, n, shape) for name in _CONTENDERS}, rounds)
    work = f"grow + save {_size(n, shape)} in memory, all in"
    table.faster(work, "emcee `Backend`", paired, bar)
    return work, paired


@pytest.fixture(scope="module")
def fresh(case: Any, quick: bool, table: Table) -> tuple[str, Paired]:
    n, shape, _ = case
    contenders: dict[str, Contender] = {
        name: _in_fresh_process(name, n, shape) for name in _CONTENDERS
    }
    paired = measure(contenders, 1 if quick else _FRESH_ROUNDS, warm_up=0)
    work = f"the same, {_size(n, shape)}, first in a fresh process"
    table.faster(work, "emcee `Backend`", paired, None)
    return work, paired


def _in_fresh_process(name: str, n: int, shape: Shape) -> Contender:
    return lambda: float(in_child(first_time, name, n, shape))


@pytest.mark.parametrize("name", _CONTENDERS)
def bench_again_in_one_process(benchmark: Any, again: tuple[str, Paired], name: str) -> None:
    work, paired = again
    replay.show(benchmark, paired, name, work)


@pytest.mark.parametrize("name", _CONTENDERS)
def bench_first_in_a_fresh_process(benchmark: Any, fresh: tuple[str, Paired], name: str) -> None:
    work, paired = fresh
    replay.show(benchmark, paired, name, work)


@pytest.fixture(scope="module")
def whole_run(quick: bool, rounds: int, table: Table) -> tuple[str, Paired]:
    n, shape = (40 if quick else 4_000), (32, 5)

    def run(name: str) -> float:
        ensemble, start_points = sampler(shape, _BACKENDS[name]())
        start = time.perf_counter()
        ensemble.run_mcmc(start_points, n)
        return time.perf_counter() - start

    contenders: dict[str, Contender] = {
        "drawstore": lambda: run("drawstore"),
        "emcee": lambda: run("emcee"),
        "memcpy": memcpy(draw_bytes(n, shape)),
    }
    paired = measure(contenders, rounds)
    work = f"a whole `run_mcmc` of {_size(n, shape)} in memory, vectorised `log_prob`"
    table.faster(work, "emcee `Backend`", paired, None)
    return work, paired


@pytest.mark.parametrize("name", _CONTENDERS)
def bench_whole_run(benchmark: Any, whole_run: tuple[str, Paired], name: str) -> None:
    work, paired = whole_run
    replay.show(benchmark, paired, name, work)
