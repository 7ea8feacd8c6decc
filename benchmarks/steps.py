"""Steps of an ensemble to be saved, the same for every backend."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import emcee
import numpy as np

Shape = tuple[int, int]

DIFFERENT = 64  # states, used over and over again


def made_up_states(shape: Shape) -> list[Any]:
    """Make some states as a sampler hands them to a backend, random numbers included."""
    rng = np.random.RandomState(1)  # emcee's kind
    return [
        emcee.State(
            rng.standard_normal(shape),
            log_prob=rng.standard_normal(shape[0]),
            random_state=rng.get_state(),
        )
        for _ in range(DIFFERENT)
    ]


def save(backend: Any, states: Sequence[Any], n: int) -> None:
    """Save ``n`` steps, the states over and over again."""
    save_step = backend.save_step
    accepted = np.ones(len(states[0].coords), dtype=bool)
    for state in itertools.islice(itertools.cycle(states), n):
        save_step(state, accepted)


def draw_bytes(n: int, shape: Shape) -> int:
    """Bytes of the positions and the log-probabilities of ``n`` steps."""
    walkers, parameters = shape
    return n * walkers * (parameters + 1) * 8


def log_prob(positions: np.ndarray) -> np.ndarray:
    """A normal distribution, for all walkers at once: about as cheap as a likelihood can be."""
    return -0.5 * np.einsum("ij,ij->i", positions, positions)


def sampler(shape: Shape, backend: Any = None, function: Any = log_prob) -> tuple[Any, Any]:
    """Make a sampler, and where its walkers start; the random numbers are always the same."""
    sampler = emcee.EnsembleSampler(*shape, function, backend=backend, vectorize=True)
    rng = np.random.RandomState(2)
    sampler.random_state = rng.get_state()
    return sampler, rng.standard_normal(shape)


def timed_run(ensemble: Any, start: Any, n: int) -> float:
    """Take n steps; gives the seconds."""
    began = time.perf_counter()
    ensemble.run_mcmc(start, n)
    return time.perf_counter() - began
