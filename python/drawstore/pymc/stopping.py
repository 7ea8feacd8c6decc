"""What ends ``pm.sample`` when the run has converged, or the time is up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from ..deadline import TimeLimit
from ..monitor import Monitor, Rule
from .trace import TraceBackend

__all__ = ["StopWhen"]


class StopWhen:
    """A callback of ``pm.sample`` that ends it early; what was drawn is there, as ever.

    PyMC calls it in the process in which ``pm.sample`` runs, after each draw of any chain, and with
    several cores, too; it sees all chains of the run. It ends sampling by a KeyboardInterrupt,
    which ``pm.sample`` catches. What that returns has chains of one length, and as many draws in
    all as that allows; `TraceBackend.run` has all of them.

    With ``cores=1`` PyMC draws one chain after the other, and an interrupt ends the current one
    only. The run cannot converge before its last chain has begun, so only that is cut short; when
    the time is up, those that have not begun get one draw.

    Parameters
    ----------
    trace : TraceBackend
        The same that ``pm.sample`` gets.
    converged : bool or callable
        Stop when the run has converged, by the rule of `drawstore.Monitor`, or by one of your own.
    max_time : float or timedelta, optional
        Seconds from the first draw after which to stop.
    deadline : datetime, float or "slurm", optional
        When to have stopped, as for `drawstore.emcee.run`.
    margin : float or timedelta, optional
        Seconds to stop before `max_time` or `deadline`; by default a hundredth of the time there
        is, and one minute at most. What delivering the draws that wait takes, as the last drains
        did, is kept besides. PyMC copies all draws before it returns, unless it is told not to.
    every : int
        Draws of each chain from one check to the next.
    names : sequence of str, optional
        The variables that are to converge; by default as `drawstore.Monitor`.

    Attributes
    ----------
    outcome : {"complete", "converged", "time"}
        Why sampling has ended; "complete" also as long as it has not.
    monitor : drawstore.Monitor or None
        Of the run, from its first draw on.

    Examples
    --------
    >>> import pymc as pm, drawstore
    >>> from drawstore.pymc import StopWhen, TraceBackend
    >>> with pm.Model():
    ...     x = pm.Normal("x")
    ...     trace = TraceBackend(drawstore.FileBackend("runs"))
    ...     stop = StopWhen(trace, max_time=3600)
    ...     idata = pm.sample(20, tune=10, chains=2, trace=trace, callback=stop, progressbar=False)
    >>> stop.outcome
    'complete'
    """

    def __init__(
        self,
        trace: TraceBackend,
        *,
        converged: bool | Rule = True,
        max_time: float | timedelta | None = None,
        deadline: datetime | float | Literal["slurm"] | None = None,
        margin: float | timedelta | None = None,
        every: int = 100,
        names: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(trace, TraceBackend):
            raise TypeError(f"expected the TraceBackend that pm.sample gets; got {trace!r}")
        self.outcome: Literal["complete", "converged", "time"] = "complete"
        self.monitor: Monitor | None = None
        self._trace = trace
        self._ask_rule = bool(converged)
        self._limits: dict[str, Any] = {
            "max_time": max_time,
            "deadline": deadline,
            "margin": margin,
            "ending": trace.backend._seconds_to_deliver,
        }
        self._watch: dict[str, Any] = {
            "rule": converged if callable(converged) else None,
            "every": every,
            "names": names,
        }
        self._limit = TimeLimit(**self._limits)  # checks them
        self._rid = ""

    def __call__(self, trace: Any, draw: Any) -> None:
        """Raise KeyboardInterrupt where sampling is to end; PyMC calls it after each draw."""
        if self._trace.run_id != self._rid:  # a new call of pm.sample
            self._rid = self._trace.run_id
            self.monitor = Monitor(self._trace.run, **self._watch)
            self._limit = TimeLimit(**self._limits)
            self.outcome = "complete"
        assert self.monitor is not None
        if self._ask_rule and not draw.tuning and self.monitor.converged():
            self.outcome = "converged"
        elif self._limit.is_over():
            self.outcome = "time"
        if self.outcome != "complete":
            raise KeyboardInterrupt
