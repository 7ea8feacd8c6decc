"""Small models for PyMC, sampled fast, and traces side by side."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pymc as pm
import pytensor

# Models this small cost more to compile than to sample.
pytensor.config.mode = "FAST_COMPILE"
pytensor.config.cxx = ""

# PyMC 6 is about to retire `return_inferencedata=False`; 5.28 advises against it with warm-up.
# Steps of no sense overflow. Python 3.12 warns of forking a process with threads, and PyMC forks.
QUIET = (
    "ignore:`return_inferencedata=False` is deprecated:FutureWarning",
    "ignore:Tuning samples will be included:UserWarning",
    "ignore::RuntimeWarning:pytensor",
    "ignore:.*use of fork\\(\\) may lead to deadlocks:DeprecationWarning",
)

OPTIONS: dict[str, Any] = {
    "draws": 12,
    "tune": 8,
    "chains": 2,
    "cores": 1,
    "random_seed": 5,
    "progressbar": False,
    "compute_convergence_checks": False,
    "return_inferencedata": False,
    "nuts_sampler": "pymc",
}
# Clocks differ from run to run.
CLOCKS = {"perf_counter_diff", "perf_counter_start", "process_time_diff"}

logging.getLogger("pymc").setLevel(logging.ERROR)


def line_model(labels: tuple[str, ...] = ("a", "b", "c")) -> Any:
    """A model with all that a run is described by."""
    rng = np.random.default_rng(1)
    with pm.Model(coords={"group": labels, "side": [1, 2]}) as model:
        x = pm.Data("x", rng.normal(size=(len(labels), 2)), dims=("group", "side"))
        slope = pm.Normal("slope", dims="side")
        sigma = pm.HalfNormal("sigma")
        mean = pm.Deterministic("mean", x @ slope, dims="group")
        pm.Normal("y", mean, sigma, observed=rng.normal(size=len(labels)), dims="group")
    return model


def mixed_model() -> Any:
    """A model whose variables need samplers of different kinds."""
    with pm.Model() as model:
        pm.LogNormal("scale")
        pm.Poisson("count", 3)
        pm.Bernoulli("switch", 0.4, shape=(2,))
    return model


def sample(trace: Any = None, **options: Any) -> Any:
    """Call `pm.sample` in a model."""
    return pm.sample(trace=trace, **(OPTIONS | options))


def assert_same(ours: Any, theirs: Any) -> None:
    """Compare two `MultiTrace`, bit for bit."""
    assert ours.chains == theirs.chains
    assert ours.varnames == theirs.varnames
    assert ours.stat_names == theirs.stat_names
    assert len(ours) == len(theirs)
    for chain in theirs.chains:
        assert_same_chain(ours._straces[chain], theirs._straces[chain])


def assert_same_chain(ours: Any, theirs: Any) -> None:
    """Compare the traces of one chain, bit for bit."""
    for name in theirs.varnames:
        _assert_bits(ours.get_values(name), theirs.get_values(name))
    assert ours.sampler_vars == theirs.sampler_vars
    for i, sampler in enumerate(theirs.sampler_vars):
        for name in sampler:
            here, there = (trace.get_sampler_stats(name, i) for trace in (ours, theirs))
            if name in CLOCKS:
                assert (here.shape, here.dtype) == (there.shape, there.dtype)
            elif here.dtype == object:
                assert list(map(repr, here)) == list(map(repr, there))
            else:
                _assert_bits(here, there)


def _assert_bits(ours: Any, theirs: Any) -> None:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert ours.tobytes() == theirs.tobytes()
