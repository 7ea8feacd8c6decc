"""When sampling may stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .status import Status

__all__ = ["LongEnough", "Rule"]

Rule = Callable[[Status, Status | None], bool]
"""Says whether a run has converged, from its status and that of the check before."""


@dataclass(frozen=True)
class LongEnough:
    """The rule of emcee's tutorial on monitoring: N > 100 tau, and tau has settled [1]_.

    Independent chains, or ensembles, have to agree as well; one ensemble has no R-hat. A parameter
    that never moved in a chain, or a walker, has no tau and has not converged: leave constants out
    by `Monitor`'s ``names``.

    Parameters
    ----------
    n_taus : float
        Autocorrelation times that each chain is to be longer than, for every parameter.
    change : float
        What tau of each parameter is to have changed by less since the check before, as a fraction.
    rhat : float
        What R-hat of each parameter is to be below, where there is one; 1.01 as in [2]_.

    References
    ----------
    .. [1] https://emcee.readthedocs.io/en/stable/tutorials/monitor
    .. [2] A. Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat for
       assessing convergence of MCMC", Bayesian Analysis 16, 667, 2021.
    """

    n_taus: float = 100
    change: float = 0.01
    rhat: float = 1.01

    def __call__(self, status: Status, previous: Status | None) -> bool:
        """Say whether the run has converged.

        Parameters
        ----------
        status : Status
            At this check.
        previous : Status or None
            At the check before.

        Returns
        -------
        bool
        """
        if previous is None or status.names != previous.names:
            return False
        long_enough = self.n_taus * status.tau < status.n_steps
        settled = np.abs(previous.tau - status.tau) < self.change * status.tau
        agree = True if status.rhat is None else status.rhat < self.rhat
        return bool(np.all(long_enough & settled & agree))

    def steps_needed(self, status: Status) -> float:
        """Give the steps at which the run will be long enough.

        Parameters
        ----------
        status : Status

        Returns
        -------
        float
            NaN where tau does not tell.
        """
        return self.n_taus * float(np.max(status.tau, initial=0.0))
