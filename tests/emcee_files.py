"""Files that emcee itself writes, as its users do."""

import contextlib

import emcee
import h5py
import numpy as np

SHAPE = 8, 3


def log_prob(theta):
    return -0.5 * np.sum(theta**2)


def with_text(theta):
    return log_prob(theta), f"{theta[0]:.3f}"


def with_numbers(theta):
    return log_prob(theta), theta[0], int(theta[1] * 10)


NUMBERS = [("first", np.float64), ("second", np.int16)]


class StoppedError(Exception):
    pass


def sample(
    backend,
    n,
    *,
    announced=None,
    function=log_prob,
    shape=SHAPE,
    seed=1,
    dtype=None,
    vectorize=False,
):
    """Sample n steps with emcee, of so many announced; goes on where there are some."""
    walkers, ndim = shape
    start = np.random.RandomState(seed).randn(*shape)
    with contextlib.suppress(AttributeError):
        start = backend.get_last_sample()
    sampler = emcee.EnsembleSampler(
        walkers, ndim, function, backend=backend, blobs_dtype=dtype, vectorize=vectorize
    )
    if isinstance(start, np.ndarray):
        sampler._random.seed(seed)
    with contextlib.suppress(StoppedError):
        for i, _ in enumerate(sampler.sample(start, iterations=announced or n), start=1):
            if i == n:
                raise StoppedError


def write(path, n=60, *, name="mcmc", compression=None, **options):
    """Make a file, or a group in one."""
    backend = emcee.backends.HDFBackend(str(path), name=name, compression=compression)
    backend.reset(*options.get("shape", SHAPE))
    sample(backend, n, **options)
    return backend


def contents(path, name="mcmc"):
    """All that emcee knows of a run, as bytes."""
    backend = emcee.backends.HDFBackend(str(path), name=name, read_only=True)
    blobs = backend.get_blobs()
    return {
        "iteration": backend.iteration,
        "chain": backend.get_chain().tobytes(),
        "log_prob": backend.get_log_prob().tobytes(),
        "blobs": None if blobs is None else (blobs.dtype, blobs.tolist()),
        "accepted": backend.accepted.tobytes(),
        "random_state": [np.asarray(part).tolist() for part in backend.random_state],
    }


def foreign(path):
    """A file that has nothing to do with samplers."""
    with h5py.File(path, "w") as file:
        file["table"] = np.arange(5)
