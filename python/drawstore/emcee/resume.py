"""Sampling until enough is done, however often the process is ended on the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

import emcee

from drawstore.deadline import TimeLimit

from .base import BaseBackend
from .outcome import Result
from .steps import step_count
from .stopping import Stop, advance
from .stored import StoredBackend

if TYPE_CHECKING:
    from drawstore.monitor import Monitor, Rule

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
    sampler: emcee.EnsembleSampler,
    initial_state: Any,
    *,
    total: SupportsIndex | None = None,
    converged: bool | Rule | Monitor | None = None,
    max_time: float | timedelta | None = None,
    deadline: datetime | float | Literal["slurm"] | None = None,
    margin: float | timedelta | None = None,
    **options: Any,
) -> Result:
    """Sample until the run is done, or the time is up: start it, or go on with it.

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
    total : int, optional
        Steps in all, those that are there already among them. Without it the run goes on until one
        of the following ends it.
    converged : True, callable or drawstore.Monitor, optional
        Stop when the run has converged: by the rule of `drawstore.Monitor`, by one of your own, or
        as your monitor says. It is asked every 100 steps (`Monitor.every`), and of the draws alone,
        so that a run that was interrupted stops at the same step.
    max_time : float or timedelta, optional
        Seconds after which this call returns.
    deadline : datetime, float or "slurm", optional
        When it is to have returned: a time, without a time zone in the local one; seconds since
        1970; or "slurm", the end of the job, of which Slurm says when it is.
    margin : float or timedelta, optional
        Seconds to stop before `max_time` or `deadline`, for what follows. By default a hundredth of
        the time there is when this is called, and one minute at most. The time that two steps take
        is kept in any case, and what delivering the steps that wait takes, as the last drains did.
    **options
        Of `emcee.EnsembleSampler.sample`: ``thin_by``, ``tune``, ``progress`` and others. With
        ``thin_by=k`` every k-th step is kept, and ``total`` counts those that are kept. With
        ``progress=True`` there is a bar, by ``tqdm.auto``: to `total`, or to as many steps as the
        rule is likely to want; with the autocorrelation time beside it where there is a rule.

    Returns
    -------
    Result
        The last step, an `emcee.State`. Its `outcome` is "complete", "converged" or "time", and its
        `exit_code` what the script is to end with: 0, or 75 where it is to be started again. Where
        the run was to converge, `expected` says when that may be.

    Raises
    ------
    TypeError
        Where the sampler has no backend of drawstore, or an option has no place here.
    ValueError
        Where there are more steps than ``total``, none and no initial state, or nothing that ends
        the run.

    Notes
    -----
    Every step is delivered when this returns. Where the time is up, and the place where the steps
    are kept cannot be reached, they stay in its journal, with a warning in the log. How far the run
    is, and when it may converge, is told to the log, as information, once a minute.

    Examples
    --------
    >>> import emcee, numpy as np, drawstore.emcee
    >>> backend = drawstore.emcee.Backend()
    >>> sampler = emcee.EnsembleSampler(8, 2, lambda x: -x @ x, backend=backend)
    >>> state = drawstore.emcee.run(sampler, np.random.rand(8, 2), total=30)
    >>> state = drawstore.emcee.run(sampler, None, total=50)
    >>> backend.iteration
    50
    >>> drawstore.emcee.run(sampler, None, converged=True, max_time=60).outcome
    'converged'
    """
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
    if total is None and not converged and max_time is None and deadline is None:
        raise ValueError("nothing ends the run: say total=, converged=, max_time= or deadline=")
    ending = backend._seconds_to_deliver if isinstance(backend, StoredBackend) else lambda: 0.0
    stop = Stop(sampler, converged, TimeLimit(max_time, deadline, margin, ending))
    steps = backend.iteration
    left = None if total is None else step_count(total) - steps
    if left is not None and left < 0:
        raise ValueError(f"there are {steps} steps already, more than total={total}")
    if steps == 0:
        if initial_state is None:
            raise ValueError("there is no step to go on from: pass an initial state")
        return advance(sampler, emcee.State(initial_state), left, stop, options)
    state = backend.get_last_sample()
    if stop.has_converged() or left == 0:
        return stop.result(state)
    if state.random_state is None:
        raise ValueError(
            "the state of the random numbers is not kept with the last step, so the run cannot be "
            "gone on with exactly; sampler.run_mcmc(None, ...) goes on with other numbers"
        )
    if initial_state is not None:
        # Moves compute in the precision in which the walkers started.
        state.coords = state.coords.astype(emcee.State(initial_state).coords.dtype, copy=False)
    options["skip_initial_state_check"] = True  # which an uninterrupted run does not make here
    return advance(sampler, state, left, stop, options)
