"""Sampling step by step, until something says that it is enough."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import Any

import emcee

from drawstore.deadline import TimeLimit
from drawstore.monitor import Monitor, Rule

from .bar import StepsBar
from .outcome import Outcome, Result
from .stored import StoredBackend

__all__ = ["Stop", "advance"]

_logger = logging.getLogger(__name__)

_PIECE = 1_000, 100_000  # steps announced together where nobody knows how many there will be
_REPORT = 60.0  # seconds from one line in the log to the next


class Stop:
    """Says after each step whether it was the last.

    Parameters
    ----------
    sampler : emcee.EnsembleSampler
    converged : bool, callable, Monitor or None
        As `run` takes it.
    limit : TimeLimit
    """

    def __init__(
        self,
        sampler: emcee.EnsembleSampler,
        converged: bool | Rule | Monitor | None,
        limit: TimeLimit,
    ) -> None:
        self.outcome: Outcome = "complete"
        self._limit = limit
        self.monitor: Monitor | None = None
        if isinstance(converged, Monitor):
            self.monitor = converged
        elif callable(converged):
            self.monitor = Monitor(sampler, rule=converged)
        elif converged is True:
            self.monitor = Monitor(sampler)
        elif converged:
            raise TypeError(f"converged is True, a rule or a drawstore.Monitor; got {converged!r}")
        self._reported = float("-inf")

    def has_converged(self) -> bool:
        """Say whether the run has converged, where that is asked."""
        if self.monitor is None:
            return False
        if not self.monitor.converged():
            self._report(self.monitor)
            return False
        self.outcome = "converged"
        return True

    def is_over(self, steps: int) -> bool:
        """Say whether to stop after so many steps."""
        if self.monitor is not None and steps % self.monitor.every == 0 and self.has_converged():
            return True
        if self._limit.is_over():
            self.outcome = "time"
            return True
        return False

    def result(self, state: emcee.State) -> Result:
        """Give the result of a run that ends here."""
        status = None if self.monitor is None else self.monitor.update()
        _logger.info("%s%s", self.outcome, "" if status is None else f": {status.in_a_line()}")
        return Result(state, self.outcome, status)

    def _report(self, monitor: Monitor) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT:
            self._reported = now
            _logger.info(monitor.update().in_a_line())


def advance(
    sampler: emcee.EnsembleSampler,
    state: emcee.State,
    n_steps: int | None,
    stop: Stop,
    options: dict[str, Any],
) -> Result:
    """Sample so many steps, or any number, until it is enough; everything is delivered then.

    Parameters
    ----------
    sampler : emcee.EnsembleSampler
    state : emcee.State
        From which to go on.
    n_steps : int or None
    stop : Stop
    options : dict
        Of `emcee.EnsembleSampler.sample`.
    """
    steps = first = sampler.backend.iteration
    thin_by = int(options.get("thin_by", 1))
    progress = options.pop("progress", False)
    bar_options = options.pop("progress_kwargs", None) or {}
    over = stop.is_over(steps)
    with closing(StepsBar(progress, first, n_steps, thin_by, stop.monitor, bar_options)) as bar:
        while not over and (n_steps is None or steps < first + n_steps):
            piece = n_steps or min(max(_PIECE[0], steps), _PIECE[1])
            # The numbers of several pieces are those of one: each goes on from the state, with the
            # log-probabilities and random numbers, that the last one has left.
            with closing(sampler.sample(state, iterations=piece, **options)) as samples:
                for state in samples:
                    steps += 1
                    over = stop.is_over(steps)
                    bar.step(steps)
                    if over:
                        break
            options["skip_initial_state_check"] = True  # which one piece would not make here
    sampler._previous_state = state  # as run_mcmc does
    result = stop.result(state)
    if over:
        _deliver(sampler.backend, may_wait=stop.outcome == "time")
    return result


def _deliver(backend: Any, may_wait: bool) -> None:
    """Deliver all steps; where they may wait, they stay in their journal if that is impossible."""
    if not isinstance(backend, StoredBackend):
        return
    try:
        backend.close()
    except OSError as error:
        if not may_wait:
            raise
        _logger.warning("the steps are kept, and delivered by the next start: %s", error)
