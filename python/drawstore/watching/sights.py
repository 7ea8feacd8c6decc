"""A run at one moment, as a `Watcher` sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..reports.head import DAMAGED, RunHead
from .trace import Trace

if TYPE_CHECKING:
    from ..monitor import Status

__all__ = ["Sight", "report"]


@dataclass(frozen=True)
class Sight:
    """A run at one moment.

    Attributes
    ----------
    where : str
        The store.
    rid : str
        The id of the run; "" for a store that cannot be read.
    state : str
        As of `drawstore ls`; and "stalled" for a run that a process writes, or may write, and to
        which no draw came for much longer than it used to take.
    draws : dict of int to int
        Of each chain, by number; of an ensemble its steps.
    walkers : int or None
        Of an ensemble.
    age : float or None
        Seconds since the last draw came, where that is known.
    status : Status or None
        Of the `Monitor` of a run that is followed.
    trace : Trace or None
        The values of its parameters.
    error : str
        Why it cannot be read, or followed; "" where it can.
    is_over : bool
        Whether nothing more is to be expected.
    rate : float or None
        Draws, or steps, a second, of all chains together, in the last looks; None at the first.
    head : RunHead
        What else is known of it without its draws.
    """

    where: str
    rid: str
    state: str
    draws: dict[int, int] = field(default_factory=dict)
    walkers: int | None = None
    age: float | None = None
    status: Status | None = None
    trace: Trace | None = None
    error: str = ""
    is_over: bool = False
    rate: float | None = None
    head: RunHead = field(default_factory=lambda: RunHead("", DAMAGED))

    @property
    def n_draws(self) -> int:
        """Draws of all chains; steps of an ensemble."""
        return sum(self.draws.values())


def report(when: datetime, sights: Sequence[Sight]) -> dict[str, Any]:
    """Give what is seen as plain values, for JSON."""
    return {"time": when, "runs": [_run(sight) for sight in sights]}


def _run(sight: Sight) -> dict[str, Any]:
    status = sight.status
    values: dict[str, Any] = {
        "where": sight.where,
        "rid": sight.rid,
        "state": sight.state,
        "is_over": sight.is_over,
        "error": sight.error,
        "draws": sight.draws,
        "walkers": sight.walkers,
        "age": sight.age,
        "status": None,
    }
    if status is not None:
        trace = sight.trace
        values["status"] = {
            "chains": [
                {
                    "label": chain.label,
                    "draws": chain.n_steps,
                    "warmup": chain.n_left_out,
                    "acceptance": None if chain.acceptance is None else chain.acceptance.mean(),
                }
                for chain in status.chains
            ],
            "rate": status.rate,
            "acceptance": status.acceptance,
            "converged": status.converged,
            "draws_needed": status.n_needed,
            "expected": status.expected,
            "parameters": [
                {
                    "name": name,
                    "last": None if trace is None else trace.last(i),
                    "tau": status.tau[i],
                    "ess": status.ess[i],
                    "rhat": None if status.rhat is None else status.rhat[i],
                }
                for i, name in enumerate(status.names)
            ],
        }
    return values
