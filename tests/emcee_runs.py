"""Runs of emcee's sampler, the same with any backend, and what must be equal after them."""

import emcee
import numpy as np

SHAPE = (12, 3)  # walkers and parameters


def log_prob(x):
    """A correlated normal distribution."""
    return -0.5 * float(np.sum((x - 0.3 * np.roll(x, 1)) ** 2))


def log_prob_blobs(x):
    """The same, with two numbers as blobs."""
    return log_prob(x), float(x[0]), 2.0 * float(x[-1])


def log_prob_dict(x):
    """The same, with a dict as blob."""
    return log_prob(x), {"energy": float(x @ x), "inside": int(np.sum(x > 0)), "edge": x[:2].copy()}


def start_points(shape=SHAPE, seed=1234):
    return np.random.RandomState(seed).randn(*shape)


def sampler_on(backend, function=log_prob, shape=SHAPE, seed=1234, **kwargs):
    """Make a sampler whose random numbers depend on ``seed`` and the backend's steps only."""
    np.random.seed(seed)  # noqa: NPY002 - where emcee takes a fresh sampler's state from
    return emcee.EnsembleSampler(*shape, function, backend=backend, **kwargs)


def run(backend, steps=20, function=log_prob, shape=SHAPE, seed=1234, sample=None, **kwargs):
    """Sample from `start_points`, or go on where the backend ends; ``sample`` goes to run_mcmc."""
    sampler = sampler_on(backend, function, shape, seed, **kwargs)
    start = None if backend.iteration else start_points(shape, seed)
    sampler.run_mcmc(start, steps, **(sample or {}))
    return sampler


def compare_runs(ours, steps=20, theirs=None, **kwargs):
    """Run the same with our backend and with emcee's in memory; everything must be equal.

    Returns emcee's backend, so that a test can go on with both.
    """
    theirs = emcee.backends.Backend(dtype=ours.dtype) if theirs is None else theirs
    run(theirs, steps, **kwargs)
    run(ours, steps, **kwargs)
    assert_same_backend(ours, theirs)
    return theirs


def assert_same_backend(ours, theirs):
    """Everything that is read from two backends is equal to the bit."""
    assert ours.iteration == theirs.iteration
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert_same_array(ours.accepted, theirs.accepted)
    assert_same_random_state(ours.random_state, theirs.random_state)
    assert ours.has_blobs() == theirs.has_blobs()
    if not theirs.iteration:
        return
    for flat, thin, discard in ((False, 1, 0), (True, 1, 0), (False, 3, 2)):
        how = {"flat": flat, "thin": thin, "discard": discard}
        assert_same_array(ours.get_chain(**how), theirs.get_chain(**how))
        assert_same_array(ours.get_log_prob(**how), theirs.get_log_prob(**how))
        assert_same_blobs(ours.get_blobs(**how), theirs.get_blobs(**how))
    assert_same_state(ours.get_last_sample(), theirs.get_last_sample())


def assert_same_state(ours, theirs):
    """Two states of an ensemble are equal to the bit."""
    assert_same_array(ours.coords, theirs.coords)
    assert_same_array(ours.log_prob, theirs.log_prob)
    assert_same_blobs(ours.blobs, theirs.blobs)
    assert_same_random_state(ours.random_state, theirs.random_state)


def assert_same_random_state(ours, theirs):
    """Two states of NumPy's RandomState are equal; HDF5 gives them as lists."""
    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert np.array_equal(mine, other)


def assert_same_blobs(ours, theirs):
    """Two arrays of blobs are equal; emcee's may hold the dicts that ours has as structured."""
    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    if ours.dtype.names is not None and theirs.dtype.hasobject and not theirs.dtype.names:
        assert ours.shape == theirs.shape
        rows = ours.reshape(-1)
        for name in ours.dtype.names:
            np.testing.assert_array_equal(
                rows[name], np.array([blob[name] for blob in theirs.flat])
            )
        assert all(blob.keys() == set(ours.dtype.names) for blob in theirs.flat)
        return
    assert_same_array(ours, theirs)


def assert_same_array(ours, theirs):
    """Two arrays have the same dtype, shape and values; NaN equals NaN."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if ours.dtype.names is not None:
        for name in ours.dtype.names:
            assert_same_array(ours[name], theirs[name])
    elif ours.dtype.hasobject:
        for mine, other in zip(ours.flat, theirs.flat, strict=True):
            np.testing.assert_equal(mine, other)
    else:
        np.testing.assert_array_equal(ours, theirs)


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
