"""Diagnostics of independent chains that take all draws, by ArviZ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .following import Followed, FollowedChain
from .status import Numbers

__all__ = ["Diagnostics", "diagnose"]

_TAILS = 0.05, 0.95  # their quantiles in Vehtari et al.


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """What `Monitor.diagnostics` gives [1]_.

    Attributes
    ----------
    names : tuple of str
        Of the parameters.
    n_steps : int
        Steps of each chain that were read: those of the shortest.
    rhat : ndarray of float64, shape (n_params,), or None
        Rank-normalised split R-hat, or folded where that is larger; None for one chain. Of
        ensembles the draws of all walkers at a step are pooled, and each is one chain.
    ess_bulk, ess_tail : ndarray of float64, shape (n_params,), or None
        Effective sample size of independent chains, in the bulk, and in the tails: the lesser of
        those of the quantiles at 5 % and 95 %. None of ensembles.

    References
    ----------
    .. [1] A. Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat for
       assessing convergence of MCMC", Bayesian Analysis 16, 667, 2021.
    """

    names: tuple[str, ...]
    n_steps: int
    rhat: Numbers | None
    ess_bulk: Numbers | None
    ess_tail: Numbers | None

    def _repr_html_(self) -> str:
        from ..html.status import diagnostics_html

        return diagnostics_html(self)


def diagnose(followed: Sequence[Followed], n_steps: int) -> Diagnostics:
    """Compute the diagnostics from the first steps of each; see `Monitor.diagnostics`."""
    functions = _arviz()
    of_chains = all(isinstance(each, FollowedChain) for each in followed)
    if len(followed) == 1 and not of_chains:
        raise ValueError(
            "the walkers of one ensemble are not independent chains: judge it by tau, or give "
            "Monitor a list of independent runs"
        )
    # (chains, draws, n_params)
    draws = [each.read(0, n_steps).reshape(-1, len(each.names)) for each in followed]
    shortest = min(map(len, draws), default=0)
    joint = np.array([each[:shortest] for each in draws])

    def each_param(name: str, **options: Any) -> Numbers:
        function = getattr(functions, name)
        return np.array([float(function(values, **options)) for values in np.moveaxis(joint, 2, 0)])

    return Diagnostics(
        followed[0].names,
        n_steps,
        each_param("rhat", method="rank") if len(followed) > 1 else None,
        each_param("ess", method="bulk") if of_chains else None,
        each_param("ess", method="tail", prob=_TAILS) if of_chains else None,
    )


def _arviz() -> Any:
    for name in ("arviz_stats", "arviz"):
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise ImportError(
        "Monitor.diagnostics() needs arviz-stats, or ArviZ: pip install arviz-stats (Python 3.12 "
        "or later), or pip install arviz"
    )
