"""How `drawstore.emcee.run` ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

import emcee

if TYPE_CHECKING:
    from drawstore.monitor import Status

__all__ = ["Outcome", "Result"]

Outcome = Literal["complete", "converged", "time"]

_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: try again later


class Result(emcee.State):  # type: ignore[misc]  # emcee has no types
    """The last step of a run, and why there is no further one.

    Parameters
    ----------
    state : emcee.State
        The last step.
    outcome : {"complete", "converged", "time"}
    status : Status, optional

    Attributes
    ----------
    outcome : {"complete", "converged", "time"}
        There are as many steps as there were to be; the rule said that it has converged; or the
        time is up.
    exit_code : int
        For the script to end with: 0 where it is done, and 75 where it is to be started again.
    status : drawstore.monitor.Status or None
        Of the run at its end, where it was to converge.
    """

    def __init__(self, state: emcee.State, outcome: Outcome, status: Status | None = None) -> None:
        super().__init__(state)
        self.outcome = outcome
        self.exit_code = _AGAIN if outcome == "time" else 0
        self.status = status

    @property
    def expected(self) -> datetime | None:
        """When the run would have converged, had it gone on; None where that is unknown, or past.

        As `drawstore.monitor.Status.expected`, which says how far that goes.
        """
        return None if self.status is None else self.status.expected

    def _repr_html_(self) -> str:
        from drawstore.html.ensembles import result_html

        return result_html(self)
