"""Arrays put into the backend in memory by hand, and subclasses that fill it."""

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
    log_prob_blobs,
    run,
    step,
)

BOTH = pytest.mark.parametrize("cls", [emcee.backends.Backend, Backend], ids=["emcee", "ours"])


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
        ours, theirs = filled(Backend), filled(emcee.backends.Backend)
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
