"""Autocorrelation times, beside `emcee.autocorr`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import emcee.autocorr
import numpy as np
import pytest

import drawstore.autocorr
from child import extra_peak, in_child
from paired import Paired, measure, memcpy, replay, timed
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_Shape3 = tuple[int, int, int]

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "drawstore": drawstore.autocorr.integrated_time,
    "emcee": emcee.autocorr.integrated_time,
}
_CASES: list[tuple[_Shape3, float]] = [
    ((1_000, 32, 5), 4.0),
    ((10_000, 32, 5), 20.0),
    ((100_000, 32, 5), 25.0),
    ((1_000_000, 8, 2), 50.0),
]
_MEMORY = 20
_CONTENDERS = ["drawstore", "emcee", "memcpy"]


def correlated(shape: _Shape3) -> np.ndarray:
    """A chain of moving sums, whose autocorrelation times are about as many steps as they sum."""
    steps, *ensemble = shape
    noise = np.random.default_rng(4).standard_normal((steps + _MEMORY, *ensemble))
    sums = np.cumsum(noise, axis=0)
    return sums[_MEMORY:] - sums[:-_MEMORY]


def extra_memory(name: str, shape: list[int]) -> int:
    """Extra bytes at most while the times of a chain are estimated."""
    chain = correlated((shape[0], shape[1], shape[2]))
    _FUNCTIONS[name](chain[:1000], tol=0)  # what is made once is not counted
    return extra_peak(lambda: _FUNCTIONS[name](chain, tol=0))


def _small(shape: _Shape3, quick: bool) -> _Shape3:
    return (shape[0] // 50, *shape[1:]) if quick and shape[0] > 1000 else shape


@pytest.fixture(scope="module")
def errors() -> list[float]:
    """How far our times are from emcee's, relative, in each case."""
    return []


@pytest.fixture(scope="module", params=_CASES, ids=lambda case: "x".join(map(str, case[0])))
def measured(
    request: pytest.FixtureRequest, quick: bool, rounds: int, table: Table, errors: list[float]
) -> tuple[str, Paired]:
    shape = _small(request.param[0], quick)
    chain = correlated(shape)
    estimates = {name: function(chain, tol=0) for name, function in _FUNCTIONS.items()}
    errors.append(float(np.max(np.abs(estimates["drawstore"] / estimates["emcee"] - 1))))
    contenders = {
        name: timed(functools.partial(function, chain, tol=0))
        for name, function in _FUNCTIONS.items()
    }
    paired = measure({**contenders, "memcpy": memcpy(chain.nbytes)}, rounds)
    work = f"`integrated_time`, one thread, ({', '.join(f'{n:,}' for n in shape)})"
    table.faster(work, "emcee", paired, request.param[1])
    return work, paired


@pytest.mark.parametrize("name", _CONTENDERS)
def bench_integrated_time(benchmark: Any, measured: tuple[str, Paired], name: str) -> None:
    work, paired = measured
    replay.show(benchmark, paired, name, work)


def bench_extra_memory(quick: bool, table: Table) -> None:
    shape = _small(_CASES[-1][0], quick)
    ours, theirs = (in_child(extra_memory, name, shape) / 1e6 for name in _FUNCTIONS)
    table.number(
        f"its extra memory at ({', '.join(f'{n:,}' for n in shape)})",
        "emcee",
        ours,
        Bar("under", 8.0, "MB"),
        remark=f"emcee: {theirs:.0f} MB",
    )


def bench_times_are_the_same(table: Table, errors: list[float]) -> None:
    assert errors, "runs after the cases above"
    table.number(
        "τ of these chains: relative difference",
        "emcee",
        max(errors),
        Bar("at most", 1e-10, ""),
    )
