"""HDF5 files of runs as any other program sees them, and steps to fill them with."""

import contextlib
import time

import emcee
import h5py
import numpy as np


def steps_in(path, name="mcmc"):
    """Steps in a file."""
    with h5py.File(path) as file:
        group = file[name]
        assert len(group["chain"]) == len(group["log_prob"]) == group.attrs["iteration"]
        return int(group.attrs["iteration"])


def wait_until(condition, seconds=30.0):
    """Return as soon as a condition is true; fail where it never is.

    A condition may open the file in the moment in which a block goes into it; it is locked then.
    """
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(BlockingIOError):
            if condition():
                return
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def made_up_states(n, shape, seed=3):
    """States of an ensemble that need no sampler."""
    rng = np.random.RandomState(seed)
    for _ in range(n):
        coords = rng.randn(*shape)
        yield emcee.State(coords, log_prob=coords.sum(axis=1), random_state=rng.get_state())


def save(backend, n, shape, seed=3, announce=None):
    """Save made-up steps; the backend is reset where it has no run."""
    if not backend.initialized:
        backend.reset(*shape)
    backend.grow(n if announce is None else announce, None)
    for state in made_up_states(n, shape, seed):
        backend.save_step(state, np.ones(shape[0], bool))
