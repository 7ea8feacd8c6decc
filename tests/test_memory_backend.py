"""The backend in memory beside emcee's own: the same script, the same answers."""

import gc
import weakref

import emcee
import numpy as np
import pytest

from drawstore.emcee import Backend, TempHDFBackend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    assert_same_random_state,
    assert_same_state,
    compare_runs,
    filled,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    start_points,
    step,
)

BOTH = pytest.mark.parametrize("cls", [emcee.backends.Backend, Backend], ids=["emcee", "ours"])


def both_filled(**kwargs):
    return filled(Backend, **kwargs), filled(emcee.backends.Backend, **kwargs)


class TestReading:
    @BOTH
    def test_nothing_to_read_before_the_first_step(self, cls):
        backend = cls()
        for reset in (False, True):
            if reset:
                backend.reset(*SHAPE)
            for read in (
                backend.get_chain,
                backend.get_log_prob,
                backend.get_blobs,
                backend.get_last_sample,
                backend.get_autocorr_time,
            ):
                with pytest.raises(AttributeError):
                    read()

    @BOTH
    def test_attributes_that_reset_makes(self, cls):
        backend = cls()
        assert backend.initialized is False
        for name in ("chain", "log_prob", "blobs", "iteration", "accepted", "shape", "nwalkers"):
            assert not hasattr(backend, name)
        backend.reset(np.int64(12), np.int32(3))
        assert backend.initialized is True
        assert (backend.nwalkers, backend.ndim) == backend.shape == (12, 3)
        assert backend.iteration == 0
        assert backend.chain.shape == (0, 12, 3)
        assert backend.log_prob.shape == (0, 12)
        assert backend.blobs is None
        assert backend.has_blobs() is False
        assert backend.random_state is None
        assert_same_array(backend.accepted, np.zeros(12))

    def test_what_is_saved_is_read(self):
        assert_same_backend(*both_filled(steps=20))

    @pytest.mark.parametrize("flat", [False, True])
    @pytest.mark.parametrize("thin", [1, 2, 7, 30])
    @pytest.mark.parametrize("discard", [0, 1, 19, 20, 25])
    def test_thin_discard_flat(self, flat, thin, discard):
        ours, theirs = both_filled(steps=20)
        for name in ("chain", "log_prob"):
            mine = ours.get_value(name, flat=flat, thin=thin, discard=discard)
            assert_same_array(mine, theirs.get_value(name, flat=flat, thin=thin, discard=discard))
        assert ours.get_value("blobs", flat=flat, thin=thin, discard=discard) is None

    @BOTH
    def test_arrays_are_writeable_and_not_copied(self, cls):
        backend = filled(cls)
        for how in ({}, {"thin": 2}, {"discard": 1}, {"thin": 2, "discard": 1}):
            for name in ("chain", "log_prob"):
                values = backend.get_value(name, **how)
                assert values.flags.writeable
                assert np.shares_memory(values, getattr(backend, name))
        backend.get_chain()[2] = 7.0
        assert np.all(backend.get_chain()[2] == 7.0)
        assert np.all(backend.chain[2] == 7.0)

    @BOTH
    def test_no_such_array(self, cls):
        with pytest.raises(AttributeError):
            filled(cls).get_value("draws")

    @BOTH
    def test_thin_of_nothing(self, cls):
        with pytest.raises(ValueError, match="zero"):
            filled(cls).get_chain(thin=0)

    @BOTH
    def test_accepted_counts_in_place(self, cls):
        backend = filled(cls, steps=1)
        held, before = backend.accepted, backend.accepted.copy()
        state, accepted = step(1)
        backend.grow(1, None)
        backend.save_step(state, accepted)
        assert held is backend.accepted
        assert_same_array(held, before + accepted)

    def test_context(self):
        with Backend() as backend:
            run(backend, 3)
        assert backend.iteration == 3


class TestDtypes:
    @pytest.mark.parametrize("dtype", [None, np.float32, "f4", np.longdouble])
    def test_kept(self, dtype):
        ours, theirs = both_filled(dtype=dtype)
        assert ours.dtype == theirs.dtype
        assert_same_backend(ours, theirs)

    def test_byte_order_is_kept(self):
        backend = filled(Backend, dtype=">f8")  # growing makes emcee's own native
        assert backend.get_chain().dtype == np.dtype(">f8")
        np.testing.assert_array_equal(backend.get_chain(), filled(Backend).get_chain())

    def test_float32_run(self):
        compare_runs(Backend(dtype=np.float32))

    def test_longdouble_keeps_every_bit(self):
        backend = Backend(dtype=np.longdouble)
        backend.reset(*SHAPE)
        state, accepted = step(0)
        state.coords = state.coords.astype(np.longdouble) + np.finfo(np.longdouble).eps
        backend.save_step(state, accepted)
        assert_same_array(backend.get_last_sample().coords, state.coords)

    def test_a_dtype_that_would_lose_values_is_refused(self):
        backend = filled(Backend)
        state, accepted = step(9)
        state.coords = state.coords + 1j
        with pytest.raises(TypeError, match=r"complex128.*chain.*float64"):
            backend.save_step(state, accepted)
        assert_same_backend(backend, filled(emcee.backends.Backend))


class TestSavingWhatDoesNotFit:
    @BOTH
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("coords", np.zeros((SHAPE[0], SHAPE[1] + 1))),
            ("coords", np.zeros((SHAPE[0] - 1, SHAPE[1]))),
            ("coords", np.zeros(SHAPE[0])),
            ("log_prob", np.zeros(SHAPE[0] + 1)),
            ("log_prob", np.zeros((SHAPE[0], 1))),
            ("blobs", np.zeros(SHAPE[0])),
        ],
    )
    def test_shapes(self, cls, name, value):
        backend = filled(cls)
        backend.grow(1, None)
        state, accepted = step(5)
        good = getattr(state, name)
        setattr(state, name, value)
        with pytest.raises(ValueError, match=r"invalid|expected|blobs"):
            backend.save_step(state, accepted)
        assert backend.iteration == 5
        setattr(state, name, good)
        backend.save_step(state, accepted)
        assert_same_backend(backend, filled(emcee.backends.Backend, steps=6))

    @BOTH
    def test_accepted(self, cls):
        backend = filled(cls)
        backend.grow(1, None)
        with pytest.raises(ValueError, match="acceptance"):
            backend.save_step(step(5)[0], np.zeros(SHAPE[0] + 1, dtype=bool))
        assert_same_backend(backend, filled(emcee.backends.Backend))

    @BOTH
    def test_blobs_that_are_not_there(self, cls):
        backend = cls()
        backend.reset(*SHAPE)
        backend.grow(3, np.zeros(SHAPE[0]))
        with pytest.raises(ValueError, match="blobs"):
            backend.save_step(*step(0))
        with pytest.raises(ValueError, match="blobs"):
            backend.save_step(*step(0, blobs=np.zeros(SHAPE[0] - 1)))
        assert backend.iteration == 0
        with pytest.raises(ValueError, match="blobs"):
            backend.grow(3, None)

    @BOTH
    def test_blobs_that_come_late(self, cls):
        with pytest.raises(ValueError, match="blobs"):
            filled(cls).grow(1, np.zeros(SHAPE[0]))

    @BOTH
    def test_before_reset(self, cls):
        backend = cls()
        with pytest.raises(AttributeError):
            backend.save_step(*step(0))
        with pytest.raises(AttributeError):
            backend.grow(1, None)

    def test_not_a_state(self):
        with pytest.raises(AttributeError, match="coords"):
            filled(Backend).save_step(np.zeros(SHAPE), np.ones(SHAPE[0], dtype=bool))
        with pytest.raises(TypeError, match="state and an array"):
            filled(Backend).save_step(step(0)[0])

    @BOTH
    def test_nan_log_prob_is_saved(self, cls):
        backend = filled(cls)
        backend.grow(1, None)
        state, accepted = step(5)
        state.log_prob[3] = np.nan
        backend.save_step(state, accepted)
        assert np.isnan(backend.get_last_sample().log_prob[3])

    @BOTH
    def test_nan_log_prob_ends_a_run(self, cls):
        calls = []

        def sometimes_nan(x):
            calls.append(x)
            return np.nan if len(calls) > 5 * SHAPE[0] else log_prob(x)

        backend = cls()
        with pytest.raises(ValueError, match="NaN"):
            run(backend, 20, function=sometimes_nan)
        assert backend.iteration == 4
        run(backend, 20)
        assert backend.iteration == 24

    def test_a_step_more_than_announced_is_welcome(self):
        # emcee's own raises an IndexError there.
        backend = filled(Backend)
        backend.save_step(*step(5))
        assert_same_backend(backend, filled(emcee.backends.Backend, steps=6))


class TestGrow:
    @BOTH
    def test_there_is_room(self, cls):
        backend = filled(cls, steps=2)
        backend.grow(3, None)
        assert backend.chain.shape == (5, *SHAPE)
        assert backend.log_prob.shape == (5, SHAPE[0])
        assert backend.get_chain().shape == (2, *SHAPE)
        backend.grow(np.int64(10), None)
        assert len(backend.chain) == 12

    def test_fewer_than_before(self):
        # After a run that was interrupted; emcee's own raises a ValueError there.
        backend = filled(Backend)
        backend.grow(100, None)
        backend.grow(2, None)
        backend.save_step(*step(5))
        assert_same_backend(backend, filled(emcee.backends.Backend, steps=6))

    @pytest.mark.parametrize("cls", [Backend, TempHDFBackend])
    @pytest.mark.parametrize(
        ("number", "error"),
        [(2.0, TypeError), ("3", TypeError), (None, TypeError), (-1, ValueError)],
    )
    def test_what_is_no_number_of_steps(self, cls, number, error):
        with cls() as backend:
            run(backend, 2)
            with pytest.raises(error, match="the number of steps is"):
                backend.grow(number, None)
            backend.grow(np.uint8(3), None)
            backend.save_step(*step(0))
            assert backend.iteration == 3

    @BOTH
    def test_no_steps(self, cls):
        backend = cls()
        run(backend, 0)
        assert backend.iteration == 0
        run(backend, 2)
        assert backend.iteration == 2

    def test_more_than_memory_is_no_promise(self):
        backend = filled(Backend)
        backend.grow(10**15, None)
        backend.save_step(*step(5))
        assert backend.iteration == 6


class TestReset:
    @BOTH
    def test_arrays_obtained_before_stay(self, cls):
        backend = filled(cls)
        chain, lp, accepted = backend.get_chain(), backend.get_log_prob(), backend.accepted
        copies = chain.copy(), lp.copy(), accepted.copy()
        backend.reset(*SHAPE)
        backend.grow(5, None)
        for i in range(10, 15):
            backend.save_step(*step(i))
        for held, copy in zip((chain, lp, accepted), copies, strict=True):
            assert_same_array(held, copy)
        del backend
        assert_same_array(chain, copies[0])

    def test_the_burn_in_idiom(self):
        outcomes = []
        for cls in (Backend, emcee.backends.Backend):
            sampler = sampler_on(cls())
            state = sampler.run_mcmc(start_points(), 15)
            burn_in = sampler.get_chain()
            copy = burn_in.copy()
            sampler.reset()
            sampler.run_mcmc(state, 10)
            assert_same_array(burn_in, copy)
            outcomes.append((sampler.backend, burn_in))
        (ours, mine), (theirs, other) = outcomes
        assert_same_array(mine, other)
        assert_same_backend(ours, theirs)

    @BOTH
    def test_to_another_shape_and_without_blobs(self, cls):
        backend = cls()
        run(backend, 5, function=log_prob_blobs)
        backend.reset(20, 4)
        assert backend.blobs is None
        run(backend, 5, shape=(20, 4))
        assert backend.get_chain().shape == (5, 20, 4)
        assert backend.get_blobs() is None


def test_the_last_sample_is_a_state_to_start_from():
    ours, theirs = both_filled()
    assert_same_state(ours.get_last_sample(), theirs.get_last_sample())
    assert_same_random_state(ours.random_state, theirs.random_state)


@pytest.mark.parametrize("function", [log_prob, log_prob_blobs, log_prob_dict])
def test_nothing_is_left_when_a_backend_goes(function):
    fresh, sampled, assigned = Backend(), Backend(), filled(Backend)
    run(sampled, 3, function=function)
    assigned.chain = np.zeros((5, *SHAPE))
    watched = [weakref.ref(backend) for backend in (fresh, sampled, assigned)]
    del fresh, sampled, assigned
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3
