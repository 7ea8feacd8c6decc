"""Growing and saving in memory, all in, beside emcee's `Backend`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from child import in_child
from memory_work import BACKENDS, contender, first_time
from paired import Contender, Paired, measure, memcpy, replay
from steps import Shape, draw_bytes, sampler
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_CONTENDERS = ["drawstore", "emcee", "memcpy"]
_CASES: list[tuple[int, Shape, float]] = [
    (60_000, (32, 5), 4.0),
    (20_000, (128, 20), 3.0),
    (2_000, (512, 64), 1.0),
]


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
def fresh(case: Any, rounds: int, table: Table) -> tuple[str, Paired]:
    n, shape, bar = case
    contenders: dict[str, Contender] = {
        name: _in_fresh_process(name, n, shape) for name in _CONTENDERS
    }
    paired = measure(contenders, rounds, warm_up=0)
    work = f"the same, {_size(n, shape)}, first in a fresh process"
    # The verdict is on the rounds in one process, where our released pages are used again; whoever
    # makes one backend in a script has this row, so the same bar stands here to compare with.
    table.faster(work, "emcee `Backend`", paired, bar, judged=False)
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
        ensemble, start_points = sampler(shape, BACKENDS[name]())
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
