"""Sampling to a number of steps in all, however often the process is ended on the way."""

from __future__ import annotations

from typing import Any, SupportsIndex

import emcee

from .base import BaseBackend
from .steps import step_count

__all__ = ["run"]

_NOT_TAKEN = {
    "iterations": "total= says how many steps there will be",
    "store": "the steps are kept in the backend of the sampler",
    "thin": "emcee replaced it by thin_by",
    "log_prob0": "pass an emcee.State as initial_state",
    "rstate0": "pass an emcee.State as initial_state",
    "blobs0": "pass an emcee.State as initial_state",
}


def run(
    sampler: emcee.EnsembleSampler, initial_state: Any, *, total: SupportsIndex, **options: Any
) -> emcee.State:
    """Sample until the backend holds ``total`` steps: start a run, or go on with it.

    A script that calls this is simply started again after a kill, a time limit or an error. The
    chain is then, bit for bit, that of a run that nothing interrupted. The exceptions are what no
    backend of emcee keeps: the place of ``GaussianMove(mode="sequential")`` in its sequence, what
    moves of your own remember or tune, and the digits that ``dtype=float32`` cuts off.

    Parameters
    ----------
    sampler : emcee.EnsembleSampler
        With a backend of drawstore.
    initial_state : array_like, shape (nwalkers, ndim), emcee.State or None
        Where the walkers start. Of a run that has steps only its dtype counts; None will do then.
    total : int
        Steps in all, those that are there already among them.
    **options
        Of `emcee.EnsembleSampler.sample`: ``thin_by``, ``tune``, ``progress`` and others. With
        ``thin_by=k`` every k-th step is kept, and ``total`` counts those that are kept.

    Returns
    -------
    emcee.State
        The last step.

    Raises
    ------
    TypeError
        Where the sampler has no backend of drawstore, or an option has no place here.
    ValueError
        Where there are more steps than ``total``, or none and no initial state.

    Examples
    --------
    >>> import emcee, numpy as np, drawstore.emcee
    >>> backend = drawstore.emcee.Backend()
    >>> sampler = emcee.EnsembleSampler(8, 2, lambda x: -x @ x, backend=backend)
    >>> state = drawstore.emcee.run(sampler, np.random.rand(8, 2), total=30)
    >>> state = drawstore.emcee.run(sampler, None, total=50)
    >>> backend.iteration
    50
    """
    total = step_count(total)
    for name in options:
        if name in _NOT_TAKEN:
            raise TypeError(f"run takes no {name}=: {_NOT_TAKEN[name]}")
    backend = sampler.backend
    if not isinstance(backend, BaseBackend):
        raise TypeError(
            f"the sampler keeps its steps in {type(backend).__module__}.{type(backend).__name__}; "
            "make it with a backend of drawstore, as in "
            'EnsembleSampler(..., backend=drawstore.emcee.HDFBackend("chain.h5"))'
        )
    steps = backend.iteration
    if steps > total:
        raise ValueError(f"there are {steps} steps already, more than total={total}")
    if steps == 0:
        if initial_state is None:
            raise ValueError("there is no step to go on from: pass an initial state")
        return sampler.run_mcmc(initial_state, total, **options)
    state = backend.get_last_sample()
    if steps == total:
        return state
    if state.random_state is None:
        raise ValueError(
            "the state of the random numbers is not kept with the last step, so the run cannot be "
            "gone on with exactly; sampler.run_mcmc(None, ...) goes on with other numbers"
        )
    if initial_state is not None:
        # Moves compute in the precision in which the walkers started.
        state.coords = state.coords.astype(emcee.State(initial_state).coords.dtype, copy=False)
    options["skip_initial_state_check"] = True  # which an uninterrupted run does not make here
    return sampler.run_mcmc(state, total - steps, **options)
