"""The backend in memory beside emcee's own: the same script, the same answers."""

import threading

import emcee
import numpy as np
import pytest
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    assert_same_random_state,
    assert_same_state,
    compare_runs,
    log_prob,
    log_prob_blobs,
    run,
    sampler_on,
    start_points,
)

from drawstore.emcee import Backend

BOTH = pytest.mark.parametrize("cls", [emcee.backends.Backend, Backend], ids=["emcee", "ours"])


def step(i, shape=SHAPE, blobs=None):
    """Make the i-th step of a run, and its accepted flags."""
    rng = np.random.RandomState(i)
    state = emcee.State(
        rng.randn(*shape), log_prob=rng.randn(shape[0]), blobs=blobs, random_state=rng.get_state()
    )
    return state, rng.rand(shape[0]) < 0.5


def filled(cls, steps=5, dtype=None):
    backend = cls(dtype=dtype)
    backend.reset(*SHAPE)
    backend.grow(steps, None)
    for i in range(steps):
        backend.save_step(*step(i))
    return backend


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

    @pytest.mark.parametrize("number", [2.0, "3", None])
    def test_not_whole(self, number):
        backend = filled(Backend)
        with pytest.raises(TypeError, match="whole number"):
            backend.grow(number, None)

    def test_negative(self):
        with pytest.raises(ValueError, match="negative"):
            filled(Backend).grow(-1, None)

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
            for state in sampler.sample(state, iterations=6):
                assert_same_array(sampler.get_chain()[-1], state.coords)
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


class TestAssigning:
    """Fixtures and converters put arrays into a backend instead of sampling."""

    @staticmethod
    def values(steps=6):
        rng = np.random.RandomState(0)
        return {
            "chain": rng.randn(steps, *SHAPE),
            "log_prob": rng.randn(steps, SHAPE[0]),
            "blobs": rng.randn(steps, SHAPE[0], 2),
            "accepted": rng.randint(steps, size=SHAPE[0]).astype(float),
            "random_state": rng.get_state(),
            "iteration": steps,
        }

    def assigned(self, cls, order, reset, **changes):
        backend = cls()
        values = {**self.values(), **changes}
        if reset:
            backend.reset(*SHAPE)
        else:
            backend.nwalkers, backend.ndim = SHAPE
            backend.initialized = True
        for name in order:
            setattr(backend, name, values[name])
        return backend

    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize("turn", range(6))
    def test_in_any_order(self, reset, turn):
        order = list(self.values())
        order = order[turn:] + order[:turn]
        for names in (order, order[::-1]):
            ours = self.assigned(Backend, names, reset)
            theirs = self.assigned(emcee.backends.Backend, names, reset)
            assert_same_backend(ours, theirs)
            for i in range(3):
                for backend in (ours, theirs):
                    if i == 0:
                        backend.grow(2 + i, np.zeros((SHAPE[0], 2)))
                    backend.grow(3, np.zeros((SHAPE[0], 2)))
                    backend.save_step(*step(i, blobs=np.full((SHAPE[0], 2), i)))
                assert_same_backend(ours, theirs)

    def test_the_array_that_was_assigned_is_read(self):
        backend = filled(Backend)
        chain = np.zeros((5, *SHAPE))
        backend.chain = chain
        assert backend.chain is chain
        chain[...] = 3.0
        assert np.all(backend.get_chain() == 3.0)
        assert_same_array(backend.get_log_prob(), filled(Backend).get_log_prob())

    def test_steps_follow_without_grow(self):
        backend = filled(Backend)
        backend.chain = np.zeros((5, *SHAPE))
        backend.save_step(*step(5))
        assert_same_array(backend.get_chain()[:5], np.zeros((5, *SHAPE)))
        assert_same_array(backend.get_chain()[5], step(5)[0].coords)

    def test_fewer_steps(self):
        ours, theirs = both_filled()
        for backend in (ours, theirs):
            backend.iteration = 2
        assert_same_backend(ours, theirs)
        for backend in (ours, theirs):
            backend.save_step(*step(8))
        assert_same_backend(ours, theirs)

    @BOTH
    def test_arrays_are_filled_in_place(self, cls):
        backend = cls()
        backend.reset(*SHAPE)
        backend.grow(4, np.zeros(SHAPE[0]))
        values = self.values(4)
        backend.chain[...] = values["chain"]
        backend.log_prob[...] = values["log_prob"]
        backend.blobs[...] = values["blobs"][..., 0]
        backend.iteration = 3
        backend.iteration += 1
        assert_same_array(backend.get_chain(), values["chain"])
        assert_same_array(backend.get_log_prob(), values["log_prob"])
        assert_same_array(backend.get_blobs(), values["blobs"][..., 0])
        backend.grow(1, np.zeros(SHAPE[0]))
        backend.save_step(*step(4, blobs=np.ones(SHAPE[0])))
        assert_same_array(backend.get_chain()[:4], values["chain"])
        assert np.all(backend.get_blobs()[4] == 1.0)

    def test_a_sampler_goes_on(self):
        ours = self.assigned(Backend, self.values(), True)
        theirs = self.assigned(emcee.backends.Backend, self.values(), True)
        for backend in (ours, theirs):
            run(backend, 5, function=log_prob_blobs)
        assert_same_backend(ours, theirs)

    def test_blobs_are_taken_away(self):
        ours = self.assigned(Backend, self.values(), True, blobs=None)
        theirs = self.assigned(emcee.backends.Backend, self.values(), True, blobs=None)
        for backend in (ours, theirs):
            run(backend, 5)
        assert_same_backend(ours, theirs)

    def test_arrays_that_do_not_fit_change_nothing(self):
        backend = filled(Backend)
        backend.chain = chain = np.zeros((5, SHAPE[0], SHAPE[1] + 1))
        with pytest.raises(ValueError, match="chain"):
            backend.save_step(*step(5))
        assert backend.chain is chain
        assert backend.iteration == 5
        backend.chain = filled(Backend).get_chain()
        backend.save_step(*step(5))
        assert_same_backend(backend, filled(emcee.backends.Backend, steps=6))

    def test_dicts_as_blobs(self):
        blobs = np.empty((6, SHAPE[0]), dtype=object)
        for i in range(blobs.size):
            blobs.flat[i] = {"energy": float(i)}
        backend = self.assigned(Backend, self.values(), True, blobs=blobs)
        following = np.array([{"energy": -1.0}] * SHAPE[0], dtype=object)
        backend.save_step(*step(6, blobs=following))
        assert backend.get_blobs().dtype.names == ("energy",)
        assert_same_array(
            backend.get_blobs()["energy"][:6], np.arange(6.0 * SHAPE[0]).reshape(6, -1)
        )
        assert np.all(backend.get_blobs()["energy"][6] == -1.0)


class TestSubclasses:
    def make(self, base):
        class Logging(base):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.calls = []

            def reset(self, nwalkers, ndim):
                super().reset(nwalkers, ndim)
                self.calls.append("reset")

            def grow(self, ngrow, blobs):
                super().grow(ngrow, blobs)
                self.calls.append(f"grow {ngrow}")

            def save_step(self, state, accepted):
                super().save_step(state, accepted)
                self.calls.append("save_step")

        return Logging()

    def test_that_call_ours(self):
        ours = self.make(Backend)
        theirs = compare_runs(ours, 3, self.make(emcee.backends.Backend))
        assert ours.calls == theirs.calls == ["reset", "grow 3", *["save_step"] * 3]

    def test_of_a_subclass(self):
        class Plain(Backend):
            pass

        ours = self.make(Plain)
        compare_runs(ours, 3)
        assert len(ours.calls) == 5

    def test_that_keep_the_arrays_themselves(self):
        def make(base):
            class Own(base):
                def grow(self, ngrow, blobs):
                    room = np.zeros((ngrow, *self.shape), dtype=self.dtype)
                    self.chain = np.concatenate((self.chain, room))
                    room = np.zeros((ngrow, self.nwalkers), dtype=self.dtype)
                    self.log_prob = np.concatenate((self.log_prob, room))

                def save_step(self, state, accepted):
                    self.chain[self.iteration] = state.coords
                    self.log_prob[self.iteration] = state.log_prob
                    self.accepted += accepted
                    self.random_state = state.random_state
                    self.iteration += 1

            return Own()

        ours, theirs = make(Backend), make(emcee.backends.Backend)
        compare_runs(ours, 5, theirs)
        compare_runs(ours, 5, theirs)

    def test_that_grow_themselves_and_save_with_ours(self):
        class Own(Backend):
            def grow(self, ngrow, blobs):
                room = np.zeros((ngrow, *self.shape))
                self.chain = np.concatenate((self.chain[: self.iteration], room))

        ours = Own()
        theirs = compare_runs(ours, 5)
        compare_runs(ours, 5, theirs)

    def test_that_fill_our_room_themselves(self):
        class Own(Backend):
            def save_step(self, state, accepted):
                self.chain[self.iteration] = state.coords
                self.log_prob[self.iteration] = state.log_prob
                self.accepted += accepted
                self.random_state = state.random_state
                self.iteration += 1

        ours = Own()
        theirs = compare_runs(ours, 5)
        compare_runs(ours, 5, theirs)

    def test_that_do_not_call_our_constructor(self):
        class Own(Backend):
            def __init__(self, label):
                self.label = label
                self.initialized = False
                self.dtype = np.float64

        compare_runs(Own("mine"))

    @BOTH
    @pytest.mark.parametrize("when", ["fresh", "reset", "filled"])
    def test_save_step_wrapped_in_one_object(self, cls, when):
        backend = {"fresh": cls, "reset": cls, "filled": lambda: filled(cls)}[when]()
        if when == "reset":
            backend.reset(*SHAPE)
        save, steps = backend.save_step, []

        def counting(state, accepted):
            save(state, accepted)
            steps.append(state)

        backend.save_step = counting
        backend.reset(*SHAPE)
        run(backend, 5)
        backend.chain = np.array(backend.chain)
        run(backend, 2)
        backend.reset(*SHAPE)
        run(backend, 4, function=log_prob_blobs)
        assert backend.iteration == 4
        assert len(steps) == 11


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


def test_the_last_sample_is_a_state_to_start_from():
    ours, theirs = both_filled()
    assert_same_state(ours.get_last_sample(), theirs.get_last_sample())
    assert_same_random_state(ours.random_state, theirs.random_state)
