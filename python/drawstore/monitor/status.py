"""How far sampling has come, as a `Monitor` says it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

__all__ = ["Progress", "Status", "count_all"]

_SHOWN_ROWS = 50

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Progress:
    """How far one chain has come, or one ensemble.

    Attributes
    ----------
    label : str
        The number of a chain, the name of an ensemble.
    n_steps : int
        Draws that count; steps of an ensemble.
    n_left_out : int
        Draws that do not: warm-up, and what was to be discarded.
    n_walkers : int
        Walkers of an ensemble; 1 for a chain.
    is_ensemble : bool
    acceptance : ndarray, shape (n_walkers,), or None
        Accepted proposals, as a fraction: of each walker of an ensemble, in all its steps; of a
        chain the mean of what its sampler says in the draws that count. None where nothing is said.
    n_divergent : int or None
        Draws of a chain that count and that its sampler calls divergent; None where it calls none.
    """

    label: str
    n_steps: int
    n_left_out: int
    n_walkers: int
    is_ensemble: bool
    acceptance: Numbers | None
    n_divergent: int | None = None


def count_all(chains: Sequence[Progress]) -> int:
    """Count the draws of all chains, warm-up among them; steps of an ensemble."""
    return sum(chain.n_steps + chain.n_left_out for chain in chains)


@dataclass(frozen=True, eq=False, repr=False)
class Status:
    """What `Monitor.update` says; prints as a table.

    Attributes
    ----------
    time : datetime
        Of this status, in UTC.
    chains : tuple of Progress
        Of each chain and each ensemble.
    names : tuple of str
        Of the parameters: ``x`` for a scalar, ``x[0]``, ``x[1,2]`` for elements of an array.
    tau : ndarray of float64, shape (n_params,)
        Integrated autocorrelation times in steps, as `drawstore.autocorr.integrated_time` of the
        draws that all chains, or walkers, have that have begun. NaN where one of them never moved,
        and where there are too few draws.
    ess : ndarray of float64, shape (n_params,)
        Effective number of independent draws: all that count, of all chains or walkers, by tau.
    rhat : ndarray of float64, shape (n_params,), or None
        Split R-hat [1]_ of independent chains, or ensembles, which are two or more; None else.
        From moments that are kept, so neither rank-normalised nor folded as in [2]_: it does not
        see chains that differ in spread or tails alone. `Monitor.diagnostics` does.
    rate, mean_rate : float or None
        Steps a second, of all chains together: since the last update, or for half a second where
        that is longer, and since the monitor was made. None where that is not known yet.
    converged : bool
        What the rule said when it was last asked.
    n_needed : int or None
        Steps of each chain at which it will be long enough for the rule, as far as tau tells; None
        where the rule or tau does not say. A tau of few draws is too small, and so is this.
    expected : datetime or None
        When that is, at this rate. None where it is unknown, or past.
    n_taus : float or None
        Autocorrelation times that the rule wants each chain to be long, where it says so.
    history : tuple of (int, float)
        At some of the statuses that this monitor gave before: steps of the shortest chain that has
        begun, and the longest of tau.

    References
    ----------
    .. [1] A. Gelman et al., "Bayesian Data Analysis", 3rd ed., 2013, section 11.4.
    .. [2] A. Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat for
       assessing convergence of MCMC", Bayesian Analysis 16, 667, 2021.
    """

    time: datetime
    chains: tuple[Progress, ...]
    names: tuple[str, ...]
    tau: Numbers
    ess: Numbers
    rhat: Numbers | None
    rate: float | None
    mean_rate: float | None
    converged: bool = False
    n_needed: int | None = None
    expected: datetime | None = None
    n_taus: float | None = None
    history: tuple[tuple[int, float], ...] = ()

    @property
    def n_steps(self) -> int:
        """Steps of the shortest chain: the N of "N > 100 tau". 0 where a chain has not begun."""
        return min((chain.n_steps for chain in self.chains), default=0)

    @property
    def n_draws(self) -> int:
        """Draws that count, of all chains and walkers."""
        return sum(chain.n_steps * chain.n_walkers for chain in self.chains)

    @property
    def longest_tau(self) -> float:
        """The longest of the autocorrelation times that are known; NaN where none is."""
        return max((float(tau) for tau in self.tau if np.isfinite(tau)), default=np.nan)

    @property
    def acceptance(self) -> float | None:
        """The mean acceptance, of all chains and walkers that say theirs."""
        said = [chain.acceptance for chain in self.chains if chain.acceptance is not None]
        return float(np.mean(np.concatenate(said))) if said else None

    def in_a_line(self) -> str:
        """Say in a line how far the run is."""
        text = f"{self.n_steps} steps"
        if self.converged:
            return f"{text}, converged"
        if self.n_needed is not None and self.n_needed > self.n_steps:
            text += f", long enough at {self.n_needed}"
        if self.expected is not None:
            text += f", expected {self.expected.astimezone():%Y-%m-%d %H:%M}"
        return text if np.isnan(self.longest_tau) else f"{text}, tau {self.longest_tau:.4g}"

    def __repr__(self) -> str:
        return "\n".join([*self._head(), *self._table()])

    def _repr_html_(self) -> str:
        from ..html.status import status_html

        return status_html(self)

    def _head(self) -> Iterator[str]:
        yield "; ".join(f"{_of(chain)}: {_steps_of(chain)}" for chain in self.chains[:8]) + (
            f"; and {len(self.chains) - 8} more" if len(self.chains) > 8 else ""
        )
        facts = ["converged" if self.converged else "not converged yet"]
        if not self.converged and self.n_needed is not None and self.n_needed > self.n_steps:
            facts.append(f"long enough at {self.n_needed} steps")
            if self.expected is not None:
                facts.append(f"expected {self.expected.astimezone():%Y-%m-%d %H:%M:%S}")
        if self.acceptance is not None:
            facts.append(f"acceptance {self.acceptance:.3f}")
        if self.rate is not None:
            facts.append(f"{self.rate:.4g} steps/s")
        yield ", ".join(facts)

    def _table(self) -> Iterator[str]:
        columns: dict[str, tuple[Numbers, str]] = {
            "tau": (self.tau, ".4g"),
            "ess": (self.ess, ".0f"),
        }
        if self.rhat is not None:
            columns["rhat"] = (self.rhat, ".4f")
        rows: list[Sequence[str]] = [["", *columns]]
        for i, name in enumerate(self.names[:_SHOWN_ROWS]):
            rows.append([name, *(format(values[i], spec) for values, spec in columns.values())])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, *cells in rows:
            yield "  ".join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]).rstrip()
        if len(self.names) > _SHOWN_ROWS:
            yield f"... and {len(self.names) - _SHOWN_ROWS} more"


def _of(chain: Progress) -> str:
    return chain.label if chain.is_ensemble else f"chain {chain.label}"


def _steps_of(chain: Progress) -> str:
    counted = f"{chain.n_steps} steps"
    if chain.is_ensemble:
        counted += f" of {chain.n_walkers} walkers"
    return f"{counted} and {chain.n_left_out} left out" if chain.n_left_out else counted
