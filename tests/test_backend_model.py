"""Random uses of the backends: emcee's own in memory is the model of both."""

import copy
import os
import pickle
import tempfile

import emcee
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from drawstore.emcee import Backend, HDFBackend
from emcee_runs import assert_same_array, assert_same_backend

KINDS = ["none", "float32", "float64", "vector", "dict", "text"]
COPIES = [copy.copy, copy.deepcopy, lambda backend: pickle.loads(pickle.dumps(backend))]


def blobs_of(kind, nwalkers, rng):
    """Make blobs of a step, as emcee hands them over."""
    if kind == "none":
        return None
    if kind == "vector":
        return rng.randn(nwalkers, 2)
    if kind == "dict":
        return np.array([{"energy": x, "n": i} for i, x in enumerate(rng.randn(nwalkers))])
    if kind == "text":
        return np.array(["b" * rng.randint(5) for _ in range(nwalkers)], dtype=object)
    return rng.randn(nwalkers).astype(kind)


class Machine(RuleBasedStateMachine):
    """Does the same to both backends. Subclasses say what ours is."""

    ours = None

    def __init__(self):
        super().__init__()
        self.theirs = emcee.backends.Backend()
        self.rng = np.random.RandomState(0)

    @initialize(shape=st.tuples(st.integers(1, 6), st.integers(1, 3)), kind=st.sampled_from(KINDS))
    def reset_at_first(self, shape, kind):
        self.reset(shape, kind)

    @rule(shape=st.tuples(st.integers(1, 6), st.integers(1, 3)), kind=st.sampled_from(KINDS))
    def reset(self, shape, kind):
        self.kind = kind
        for backend in (self.ours, self.theirs):
            backend.reset(*shape)

    def state(self):
        nwalkers, ndim = self.theirs.shape
        return emcee.State(
            self.rng.randn(nwalkers, ndim),
            log_prob=self.rng.randn(nwalkers),
            blobs=blobs_of(self.kind, nwalkers, self.rng),
            random_state=self.rng.get_state(),
        )

    def room(self):
        return len(self.theirs.chain) - self.theirs.iteration

    @rule(steps=st.integers(0, 40))
    def grow(self, steps):
        blobs = blobs_of(self.kind, self.theirs.nwalkers, self.rng)
        self.ours.grow(steps, blobs)
        # emcee's own fails with fewer steps than there is room for.
        with np.errstate(invalid="ignore"):  # it converts steps that have no values yet
            self.theirs.grow(max(steps, self.room()), blobs)

    @rule(steps=st.integers(1, 30))
    def save(self, steps):
        if self.room() < steps or (self.kind != "none" and self.theirs.blobs is None):
            self.grow(steps)
        for _ in range(steps):
            state = self.state()
            accepted = self.rng.rand(self.theirs.nwalkers) < 0.5
            for backend in (self.ours, self.theirs):
                backend.save_step(state, accepted)

    @rule(wrong=st.sampled_from(["coords", "log_prob", "accepted", "blobs"]))
    def save_what_does_not_fit(self, wrong):
        if not self.room() or (self.kind != "none" and self.theirs.blobs is None):
            self.grow(3)
        state = self.state()
        accepted = np.zeros(self.theirs.nwalkers, dtype=bool)
        if wrong == "accepted":
            accepted = np.zeros(self.theirs.nwalkers + 1, dtype=bool)
        elif wrong == "blobs":
            state.blobs = None if self.kind != "none" else np.zeros(self.theirs.nwalkers)
        else:
            setattr(state, wrong, getattr(state, wrong)[1:])
        for backend in (self.ours, self.theirs):
            with pytest.raises(ValueError, match=r"expected|invalid|blobs"):
                backend.save_step(state, accepted)

    @rule()
    def change_whether_there_are_blobs(self):
        if not self.theirs.iteration:
            return
        blobs = np.zeros(self.theirs.nwalkers) if self.kind == "none" else None
        for backend in (self.ours, self.theirs):
            with pytest.raises(ValueError, match="blobs"):
                backend.grow(1, blobs)

    @rule(thin=st.integers(1, 9), discard=st.integers(0, 20), flat=st.booleans())
    def read(self, thin, discard, flat):
        how = {"thin": thin, "discard": discard, "flat": flat}
        for name in ("get_chain", "get_log_prob"):
            if self.theirs.iteration:
                mine = getattr(self.ours, name)(**how)
                assert_same_array(mine, getattr(self.theirs, name)(**how))
            else:
                with pytest.raises(AttributeError):
                    getattr(self.ours, name)(**how)

    @invariant()
    def all_is_equal(self):
        if self.theirs.initialized:
            if not self.theirs.iteration:
                assert self.ours.iteration == 0
            else:
                assert_same_backend(self.ours, self.theirs)


class InMemory(Machine):
    """Ours in memory, whose arrays are the user's too."""

    def __init__(self):
        super().__init__()
        self.ours = Backend()
        self.held = []  # arrays obtained before a reset, and what was in them

    @rule(shape=st.tuples(st.integers(1, 6), st.integers(1, 3)), kind=st.sampled_from(KINDS))
    def reset(self, shape, kind):
        if self.theirs.initialized and self.theirs.iteration:
            arrays = [self.ours.get_chain(), self.ours.get_log_prob(thin=2), self.ours.accepted]
            self.held += [(array, array.copy()) for array in arrays]
        super().reset(shape, kind)

    @invariant()
    def arrays_of_before_stay(self):
        for array, before in self.held:
            assert_same_array(array, before)

    @rule(how=st.sampled_from(COPIES))
    def go_on_with_a_copy(self, how):
        before = self.ours
        self.ours, self.theirs = how(self.ours), copy.deepcopy(self.theirs)
        if before.iteration:  # nothing done to it reaches the copy
            before.chain[...] = 0.0
            before.accepted[...] = 0.0

    @rule(name=st.sampled_from(["chain", "log_prob", "accepted"]), shared=st.booleans())
    def assign(self, name, shared):
        value = self.rng.randn(*getattr(self.theirs, name).shape)
        setattr(self.ours, name, value)
        setattr(self.theirs, name, value.copy())
        if shared:  # until the next step is saved, the array is the user's
            value[...] = 1.0
            getattr(self.theirs, name)[...] = 1.0

    @precondition(lambda self: self.theirs.initialized and self.theirs.iteration)
    @rule(part=st.floats(0, 1))
    def take_steps_back(self, part):
        steps = int(part * self.theirs.iteration)
        if self.kind != "none" and steps == 0:
            return  # emcee keeps the dtype of blobs that are gone
        self.ours.iteration = self.theirs.iteration = steps

    @rule()
    def fill_in_place(self):
        if not self.room() or (self.kind != "none" and self.theirs.blobs is None):
            self.grow(3)
        state = self.state()
        for backend in (self.ours, self.theirs):
            i = backend.iteration
            backend.chain[i] = state.coords
            backend.log_prob[i] = state.log_prob
            if self.kind == "dict" and backend is self.ours:
                backend.blobs[i] = [tuple(blob.values()) for blob in state.blobs]
            elif self.kind != "none":
                backend.blobs[i] = state.blobs
            backend.iteration += 1

    @precondition(lambda self: self.theirs.initialized and self.kind.startswith("float"))
    @rule()
    def widen_the_blobs(self):
        self.kind = "float64"

    @invariant()
    def arrays_are_not_copied(self):
        if self.theirs.initialized and self.theirs.iteration:
            chain = self.ours.get_chain()
            assert chain.flags.writeable
            assert np.shares_memory(chain, self.ours.chain)


class InHDF5(Machine):
    """Ours in a file, which emcee's own reads as well."""

    def __init__(self):
        super().__init__()
        fd, self.path = tempfile.mkstemp(suffix=".h5")
        os.close(fd)
        self.ours = HDFBackend(self.path, flush_interval=0.01)

    def teardown(self):
        self.ours.close()
        os.remove(self.path)

    @rule()
    def flush(self):
        self.ours.flush()

    # Before the first step, a run that is let go forgets which blobs were announced.
    @precondition(lambda self: self.theirs.initialized and self.theirs.iteration)
    @rule()
    def open_again(self):
        self.ours.close()
        self.ours = HDFBackend(self.path, flush_interval=0.01)

    @precondition(lambda self: self.theirs.initialized and self.theirs.iteration)
    @rule()
    def go_on_with_another_handle(self):
        self.ours = HDFBackend(self.path, flush_interval=0.01)

    @precondition(lambda self: self.theirs.initialized and self.theirs.iteration)
    @rule()
    def go_on_with_a_pickle(self):
        self.ours = pickle.loads(pickle.dumps(self.ours))

    @precondition(lambda self: self.theirs.initialized and self.kind != "text")
    @rule()
    def emcee_reads_the_file(self):
        self.ours.flush()
        theirs = emcee.backends.HDFBackend(self.path, read_only=True)
        if self.theirs.iteration:
            assert_same_array(theirs.get_chain(), self.theirs.get_chain())
            assert_same_array(theirs.get_log_prob(), self.theirs.get_log_prob())
            assert_same_array(theirs.accepted, self.theirs.accepted)
            assert bool(theirs.has_blobs()) == self.theirs.has_blobs()


TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestInHDF5 = InHDF5.TestCase
TestInHDF5.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
