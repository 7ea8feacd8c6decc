"""The steps of an ensemble are the same ones, wherever they are kept."""

import emcee
import numpy as np
import pytest

import drawstore
from drawstore.emcee import Backend, HDFBackend
from drawstore.ensemble import steps_in, steps_of
from emcee_runs import SHAPE, log_prob_blobs, sampler_on, start_points


def made(kind, folder):
    if kind == "emcee's file":
        return emcee.backends.HDFBackend(folder / "chain.h5")
    if kind == "hdf":
        return HDFBackend(folder / "chain.h5", flush_interval=1000)
    store = {"files": drawstore.FileBackend, "hdf5": drawstore.HDF5Backend}[kind](folder / "runs")
    return Backend(store=store, rid="job")


@pytest.mark.parametrize("kind", ["emcee's file", "hdf", "files", "hdf5"])
def test_those_of_a_run_and_of_its_backend(tmp_path, kind):
    backend = made(kind, tmp_path)
    sampler = sampler_on(backend, log_prob_blobs)
    samples = sampler.sample(start_points(), iterations=20)
    next(samples)
    (where,) = [path for path in tmp_path.iterdir() if path.name in ("chain.h5", "runs")]
    (info,) = drawstore.open(where).get_runs()
    run = drawstore.open(where).get_run(info.rid)
    stored, held = steps_of(run), steps_in(sampler)
    for n in (1, 2, 9):
        while sampler.iteration < n:
            next(samples)
        assert len(stored) == len(held) == n
        for steps in (stored, held):
            assert (steps.n_walkers, steps.ndim) == SHAPE
            np.testing.assert_array_equal(steps.read("chain", range(n)), sampler.get_chain())
            log_prob = steps.read("log_prob", range(n // 2, n))
            np.testing.assert_array_equal(log_prob, sampler.get_log_prob(discard=n // 2))
            np.testing.assert_array_equal(steps.accepted(n), sampler.backend.accepted)
        np.testing.assert_array_equal(stored.read("blobs", range(n)), sampler.get_blobs())
        assert stored.dtype == np.float64
        assert stored.blobs().dtype == sampler.get_blobs().dtype
        np.testing.assert_array_equal(stored.random_state(n)[1], backend.random_state[1])


def test_blocks_are_the_last_first():
    backend = Backend(store=drawstore.MemoryBackend(), rid="job")
    backend.reset(4, 1)
    steps = steps_in(backend)
    assert len(steps) == 0
    assert list(steps.blocks(10, 2**22)) == [range(6, 10), range(2, 6), range(2)]


def test_what_is_none():
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": (float, ())}))
    assert steps_of(run) is None
    assert steps_in(run) is None
