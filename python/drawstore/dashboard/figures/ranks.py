"""Rank plots of independent chains."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import NumeralTickFormatter
from numpy.typing import NDArray

from ...autocorr import integrated_time
from .chains import chain_entries, chain_labels, is_of_chains
from .figure import Answer, Colours, Figure, Question
from .panel import colour_of, grid, hover, key, level, panel, source, stack
from .sampling import Growth, SpacedDraws, kept

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Ranks", "chance", "rank_shares"]

_MOST = 2**17  # draws, of all parameters and chains
_BINS = 20
_FEWEST = 5  # draws of a chain in a bin
_CHANCE = 0.95  # that all bins of all chains are within the band, where chains agree

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Ranks(Figure):
    """The ranks of each chain's draws among those of all chains [1]_.

    References
    ----------
    .. [1] A. Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat for
       assessing convergence of MCMC", Bayesian Analysis 16, 667, 2021.
    """

    name = "ranks"
    title = "Ranks"
    about = (
        "Where each chain's draws rank among those of all chains. Chains that agree are flat at 1, "
        "within the band; a slope or an arch is a chain that is elsewhere, or wider."
    )

    def applies(self, view: RunView) -> bool:
        """Say whether there are several independent chains; walkers of an ensemble are not."""
        return len(view.followed) > 1 and is_of_chains(view)

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make a panel a parameter."""
        labels = chain_labels(view)
        panels = []
        for i, parameter in enumerate(parameters):
            made = panel(colours, name=parameter, x="rank, of all draws", y="share / expected")
            made.x_range.start, made.x_range.end = 0, 1
            made.xaxis.ticker = [0, 0.25, 0.5, 0.75, 1]
            made.xaxis.formatter = NumeralTickFormatter(format="0%")
            band = source(f"ranks-{i}-band", "left", "right", "low", "high")
            made.quad(
                "left", "right", "high", "low", source=band, color=colours.faint, alpha=0.18,
                line_color=None,
            )  # fmt: skip
            made.add_layout(level(colours, 1, "dashed"))
            for j, label in enumerate(labels):
                steps = source(f"ranks-{i}-{j}", "x", "y")
                drawn = made.step(
                    "x", "y", source=steps, mode="after", color=colour_of(colours, j),
                    line_width=1.6, line_alpha=0.9,
                )  # fmt: skip
                made.add_tools(
                    hover([drawn], [("chain", label), ("rank", "@x{0%}"), ("share", "@y{0.00}")])
                )
            panels.append(made)
        entries = [*chain_entries(view, colours), ("area", colours.grid, "what chance allows")]
        return stack(key(colours, entries), grid(panels))

    def data(self, view: RunView, question: Question) -> Answer:
        """Count ranks, of draws after warm-up."""
        chosen = question.parameters
        return kept(view, self.name, chosen, lambda: _Counts(view, chosen)).update()


class _Counts:
    """The ranks of some parameters, counted again when there are more draws to speak of."""

    def __init__(self, view: RunView, parameters: Sequence[str]) -> None:
        self._n_params = len(parameters)
        self._draws = SpacedDraws(view, parameters, _MOST // max(1, len(parameters)))
        self._growth = Growth()
        self._answer = Answer({})

    def update(self) -> Answer:
        chains = [values[:, 0] for values in self._draws.update()]
        if self._growth.is_enough(sum(map(len, chains))):
            self._answer = self._count(chains)
        return self._answer

    def _count(self, chains: Sequence[Array]) -> Answer:
        sources: dict[str, dict[str, Array]] = {}
        n_left_out = 0
        for i in range(self._n_params):
            values = [chain[:, i][~np.isnan(chain[:, i])] for chain in chains]
            n_left_out += sum(map(len, chains)) - sum(map(len, values))
            sources |= _of_parameter(f"ranks-{i}", values)
        notes = [f"From {self._draws.note}."] if self._draws.note else []
        if n_left_out:
            notes.append(f"{n_left_out:,} values that are not a number are left out.")
        return Answer(sources, tuple(notes))


def _of_parameter(prefix: str, chains: Sequence[Array]) -> dict[str, dict[str, Array]]:
    begun = [chain for chain in chains if len(chain)]
    n_bins = min(_BINS, min(map(len, begun), default=0) // _FEWEST)
    empty = np.empty(0)
    sources = {f"{prefix}-{j}": {"x": empty, "y": empty} for j in range(len(chains))}
    if n_bins < 2 or len(begun) < 2:
        return sources | {f"{prefix}-band": dict.fromkeys(("left", "right", "low", "high"), empty)}
    edges = np.linspace(0, 1, n_bins + 1)
    shares = iter(rank_shares(begun, n_bins) * n_bins)
    for j, chain in enumerate(chains):
        if len(chain):
            y = next(shares)
            sources[f"{prefix}-{j}"] = {"x": edges, "y": np.append(y, y[-1])}
    reach = chance(begun, n_bins)
    band = {"left": edges[:-1], "right": edges[1:], "low": 1 - reach, "high": 1 + reach}
    return sources | {f"{prefix}-band": {name: np.maximum(0, at) for name, at in band.items()}}


def rank_shares(chains: Sequence[Array], n_bins: int) -> Numbers:
    """Count how the ranks of each chain, among all draws, fall into bins of the same width.

    Draws that are equal share their ranks evenly, so a parameter of few values is flat, too, where
    chains agree.

    Parameters
    ----------
    chains : sequence of ndarray, shape (n,)
        Of any length but 0, without NaN.
    n_bins : int

    Returns
    -------
    ndarray of float64, shape (n_chains, n_bins)
        Shares of the draws of each chain.
    """
    pooled = np.sort(np.concatenate(chains))
    ends = np.append(np.flatnonzero(pooled[1:] != pooled[:-1]) + 1, len(pooled))
    edges = np.linspace(0, len(pooled), n_bins + 1)
    shares = np.empty((len(chains), n_bins))
    for chain, row in zip(chains, shares, strict=True):
        below = np.searchsorted(np.sort(chain), pooled[ends - 1], side="right")
        up_to = np.interp(edges, np.append(0, ends), np.append(0, below))
        row[:] = np.diff(up_to) / len(chain)
    return shares


def chance(chains: Sequence[Array], n_bins: int) -> Numbers:
    """Say how far from what is expected bins come by chance, where chains agree.

    Whether a draw is in a bin is a series of its own, whose autocorrelation time says how many
    independent draws there are.

    Parameters
    ----------
    chains : sequence of ndarray, shape (n,)
        Of any length but 0, without NaN.
    n_bins : int

    Returns
    -------
    ndarray of float64, shape (n_bins,)
        With 95 % probability no bin of any chain is further away, relative to what is expected: by
        the normal approximation, with Šidák's correction for the number of bins.
    """
    shortest, pooled = min(map(len, chains)), np.sort(np.concatenate(chains))
    times = np.empty((len(chains), n_bins))
    for chain, row in zip(chains, times, strict=True):
        ranks = np.searchsorted(pooled, chain, "left") + np.searchsorted(pooled, chain, "right")
        places = np.minimum(n_bins - 1, ranks * n_bins // (2 * len(pooled)))
        is_in = places[:, np.newaxis, np.newaxis] == np.arange(n_bins)
        row[:] = integrated_time(is_in.astype(np.float32), tol=0)
    is_known = ~np.isnan(times)  # a chain that is never in a bin says nothing
    sums = np.sum(np.where(is_known, times, 0.0), axis=0)
    time = np.maximum(1.0, sums / np.maximum(1, is_known.sum(axis=0)))
    # The ranks are among those of all chains, this one included.
    variance = (n_bins - 1) * time / shortest * (1 - 1 / len(chains))
    each = _CHANCE ** (1 / (n_bins * len(chains)))
    reach: Numbers = NormalDist().inv_cdf((1 + each) / 2) * np.sqrt(variance)
    return reach
