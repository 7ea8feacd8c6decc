"""A script that is ended and started again, and the backends that it may keep its steps in."""

import emcee
import numpy as np

import drawstore
import drawstore.emcee
from drawstore.emcee import Backend, HDFBackend
from emcee_runs import log_prob, run, sampler_on, start_points

TOTAL = 30


def job(backend, function=log_prob, total=TOTAL, start=None, run_options=None, **kwargs):
    """The script; its own random numbers are others each time that it goes on."""
    has_steps = backend.initialized and backend.iteration > 0
    seed = np.random.SeedSequence().generate_state(1)[0] if has_steps else 1234
    sampler = sampler_on(backend, function, seed=seed, **kwargs)
    start = start_points() if start is None else start
    return drawstore.emcee.run(sampler, start, total=total, **(run_options or {}))


def whole(function=log_prob, steps=TOTAL, **kwargs):
    """Make the run that nothing interrupts, with emcee alone."""
    backend = emcee.backends.Backend()
    run(backend, steps, function, **kwargs)
    return backend


def made_by(kind, folder):
    """Make another handle on the one run of a folder."""
    if kind == "hdf":
        return HDFBackend(folder / "chain.h5")
    if kind == "gzip":
        return HDFBackend(folder / "chain.h5", compression="gzip")
    store = {"files": drawstore.FileBackend, "hdf5": drawstore.HDF5Backend}[kind](folder / "runs")
    return Backend(store=store, rid="job")
