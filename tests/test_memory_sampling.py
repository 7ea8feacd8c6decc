"""Samplers and threads on the backend in memory."""

import threading

import emcee
import numpy as np
import pytest

from drawstore.emcee import Backend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    compare_runs,
    filled,
    log_prob,
    log_prob_blobs,
    run,
    sampler_on,
    start_points,
    step,
)


class TestSampling:
    @pytest.mark.parametrize("function", [log_prob, log_prob_blobs])
    @pytest.mark.parametrize(
        "sample",
        [
            {},
            {"thin_by": 3},
            {"tune": True},
            {"skip_initial_state_check": True},
            {"thin_by": 2, "tune": True, "progress": False},
        ],
        ids=str,
    )
    def test_the_same_numbers(self, function, sample):
        ours = Backend()
        theirs = compare_runs(ours, function=function, sample=sample)
        compare_runs(ours, 7, theirs, function=function, sample=sample)

    def test_several_runs_of_one_sampler(self):
        backends = []
        for cls in (Backend, emcee.backends.Backend):
            sampler = sampler_on(cls())
            state = sampler.run_mcmc(start_points(), 5)
            sampler.run_mcmc(None, 1)
            sampler.run_mcmc(state, 4, store=False)
            sampler.run_mcmc(None, 10)
            for last in sampler.sample(state, iterations=6):
                assert_same_array(sampler.get_chain()[-1], last.coords)
            backends.append(sampler.backend)
        assert backends[0].iteration == 22
        assert_same_backend(*backends)

    def test_nothing_stored(self):
        sampler = sampler_on(Backend())
        for _ in sampler.sample(start_points(), iterations=5, store=False):
            pass
        assert sampler.backend.iteration == 0
        with pytest.raises(AttributeError, match="store"):
            sampler.get_chain()

    def test_a_new_sampler_resumes(self):
        ours = Backend()
        theirs = compare_runs(ours, function=log_prob_blobs)
        compare_runs(ours, theirs=theirs, seed=99, function=log_prob_blobs)
        whole = Backend()
        run(whole, 40, function=log_prob_blobs)
        assert_same_backend(ours, whole)

    def test_a_sampler_of_another_shape(self):
        backend = filled(Backend)
        with pytest.raises(ValueError, match="incompatible"):
            sampler_on(backend, shape=(20, 4))

    def test_an_interrupted_run_goes_on(self):
        backends = []
        for cls in (Backend, emcee.backends.Backend):
            sampler = sampler_on(cls())
            for i, state in enumerate(sampler.sample(start_points(), iterations=50)):
                if i == 6:
                    break
            sampler.run_mcmc(state, 60)
            backends.append(sampler.backend)
        assert_same_backend(*backends)

    def test_acceptance_and_autocorrelation(self):
        ours = Backend()
        theirs = compare_runs(ours, 300)
        for how in ({}, {"discard": 20}, {"thin": 2}, {"discard": 7, "thin": 3}):
            np.testing.assert_allclose(
                ours.get_autocorr_time(quiet=True, **how),
                theirs.get_autocorr_time(quiet=True, **how),
                rtol=1e-10,
            )
        with pytest.raises(emcee.autocorr.AutocorrError) as caught:
            ours.get_autocorr_time()
        np.testing.assert_allclose(caught.value.tau, theirs.get_autocorr_time(quiet=True))


class TestThreads:
    def test_a_second_writer_is_refused(self):
        # A blob that takes long to encode, because it waits for the other thread.
        backend = Backend()
        backend.reset(*SHAPE)
        entered, tried = threading.Event(), threading.Event()
        rows = np.array([{"n": i} for i in range(SHAPE[0])], dtype=object)
        backend.grow(2, rows)

        class Slow:
            def __array__(self, dtype=None, copy=None):
                entered.set()
                assert tried.wait(60)
                return np.array(7)

        slow = rows.copy()
        slow[0] = {"n": Slow()}
        writer = threading.Thread(target=backend.save_step, args=step(0, blobs=slow))
        writer.start()
        assert entered.wait(60)
        try:
            with pytest.raises(RuntimeError, match="another thread"):
                backend.save_step(*step(1, blobs=rows))
            with pytest.raises(RuntimeError, match="another thread"):
                backend.grow(10, rows)
            assert backend.iteration == 0
        finally:
            tried.set()
            writer.join()
        assert backend.iteration == 1
        assert backend.get_blobs()["n"][0].tolist() == [7, *range(1, SHAPE[0])]
        backend.save_step(*step(1, blobs=rows))
        assert_same_array(backend.get_chain(), np.array([step(i)[0].coords for i in range(2)]))

    def test_a_reader_sees_whole_steps(self):
        backend = Backend()
        backend.reset(*SHAPE)
        steps, broken, done = 3000, [], threading.Event()

        def read():
            while not done.is_set():
                n = backend.iteration
                if n:
                    chain = backend.get_chain()
                    last = chain[n - 1]
                    if len(chain) < n or np.any(last != n - 1):
                        broken.append((n, last.copy()))

        reader = threading.Thread(target=read)
        reader.start()
        accepted = np.ones(SHAPE[0], dtype=bool)
        try:
            for i in range(steps):
                state = emcee.State(np.full(SHAPE, float(i)), log_prob=np.zeros(SHAPE[0]))
                backend.save_step(state, accepted)
        finally:
            done.set()
            reader.join()
        assert not broken
        assert backend.iteration == steps
