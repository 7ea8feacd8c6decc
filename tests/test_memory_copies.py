"""Pickles and copies of the backend in memory: the same numbers, and a life of their own."""

import copy
import pickle

import dill
import emcee
import numpy as np
import pytest

from drawstore.emcee import Backend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    filled,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    start_points,
    step,
)


def log_prob_objects(x):
    return log_prob(x), ["a list", float(x[0])]


def log_prob_texts(x):
    return log_prob(x), {"name": "b" * int(10 * abs(x[0])), "energy": float(x[1])}


def _pickler(protocol):
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


COPIERS = {
    **{f"pickle {n}": _pickler(n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
    "dill": lambda value: dill.loads(dill.dumps(value)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
FUNCTIONS = [log_prob, log_prob_blobs, log_prob_dict, log_prob_objects, log_prob_texts]
COPIED = pytest.mark.parametrize("copied", COPIERS.values(), ids=COPIERS)
FUNCTION = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)


def options(function):
    return {"blobs_dtype": object} if function is log_prob_objects else {}


@COPIED
def test_fresh(copied):
    for backend in (Backend(), Backend(dtype=np.float32)):
        twin = copied(backend)
        assert not twin.initialized
        assert not hasattr(twin, "iteration")
        assert twin.dtype == backend.dtype
        run(twin, 3)
        assert twin.iteration == 3
        assert not hasattr(backend, "iteration")


@COPIED
def test_reset_only(copied):
    backend = Backend()
    backend.reset(*SHAPE)
    twin = copied(backend)
    assert_same_backend(twin, backend)
    run(twin, 3)
    assert backend.iteration == 0
    assert not backend.accepted.any()


@COPIED
@FUNCTION
def test_goes_on_alike_and_alone(copied, function):
    backend, whole = Backend(), Backend()
    run(whole, 18, function=function, **options(function))
    run(backend, 10, function=function, **options(function))
    twin = copied(backend)
    assert_same_backend(twin, backend)
    assert len(twin.chain) == len(backend.chain)
    before = copy.deepcopy(backend)
    run(twin, 8, function=function, **options(function))
    assert_same_backend(backend, before)
    assert_same_backend(twin, whole)
    run(backend, 8, function=function, **options(function))
    assert_same_backend(backend, whole)
    twin.chain[...] = 0.0
    twin.accepted[...] = 0.0
    assert_same_backend(backend, whole)


@COPIED
def test_announced_steps_and_assigned_arrays(copied):
    backend = filled(Backend)
    backend.grow(3, None)
    backend.chain = np.full((8, *SHAPE), 2.0)
    twin = copied(backend)
    assert_same_backend(twin, backend)
    assert twin.chain.shape == (8, *SHAPE)
    twin.chain[...] = 3.0
    assert np.all(backend.chain == 2.0)
    for each in (twin, backend):
        each.save_step(*step(5))
    assert np.all(twin.get_chain()[:5] == 3.0)
    assert np.all(backend.get_chain()[:5] == 2.0)
    assert_same_array(twin.get_chain()[5], backend.get_chain()[5])


# emcee's State, which a sampler holds, has no pickles of protocols 0 and 1.
@pytest.mark.parametrize("copied", list(COPIERS.values())[2:], ids=list(COPIERS)[2:])
@FUNCTION
def test_whole_sampler(copied, function):
    sampler = sampler_on(Backend(), function, **options(function))
    sampler.run_mcmc(start_points(), 10)
    twin = copied(sampler)
    for each in (sampler,) if twin.backend is sampler.backend else (sampler, twin):
        each.run_mcmc(None, 5)
    whole = run(Backend(), 15, function=function, **options(function))
    assert_same_backend(sampler.backend, whole.backend)
    assert_same_backend(twin.backend, whole.backend)
    # As with emcee's own, only copy.copy, which copies no attribute, leaves both with one backend.
    assert (twin.backend is sampler.backend) == (copied is copy.copy)


@COPIED
def test_of_a_subclass_with_attributes(copied):
    backend = Labelled("mine")
    run(backend, 5)
    twin = copied(backend)
    assert type(twin) is Labelled
    assert twin.label == "mine"
    run(twin, 2)
    assert twin.saved == 7
    assert backend.saved == 5


class Labelled(Backend):
    def __init__(self, label):
        super().__init__()
        self.label = label
        self.saved = 0

    def save_step(self, state, accepted):
        super().save_step(state, accepted)
        self.saved += 1


@pytest.mark.parametrize("copied", [copy.deepcopy, COPIERS["dill"]])
def test_save_step_of_ones_own_is_copied(copied):
    backend = Backend()
    backend.save_step = ignore
    twin = copied(backend)
    twin.reset(*SHAPE)
    twin.save_step(*step(0))
    assert twin.iteration == 0


def ignore(state, accepted):
    pass


def test_a_copy_is_not_bigger_than_emcees():
    ours, theirs = Backend(), emcee.backends.Backend()
    for backend in (ours, theirs):
        run(backend, 200, function=log_prob_blobs)
    assert len(pickle.dumps(ours)) <= 1.01 * len(pickle.dumps(theirs)) + 1000
