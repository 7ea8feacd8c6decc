"""The demo's pictures: the walkers' traces, and a corner plot."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # before corner asks for a screen

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .posterior import LineWithOutliers
from .sampling import Result

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # ArviZ announces itself to corner's users
    import corner

__all__ = ["draw_corner", "draw_trace"]

_SYMBOLS = ("m", "b", r"P_\mathrm{bad}", r"Y_\mathrm{bad}", r"\ln\,V_\mathrm{bad}")
_POINTS = 1000  # of a trace: no picture shows more
_DRAWS = 50_000  # in a corner plot
_SHOWN = 0.998  # of the draws in a corner plot: a few far ones would shrink all others
_PAPER = (2.24, 34.0)


def draw_trace(result: Result, path: Path) -> None:
    """Draw every walker's path through each parameter, the burn-in marked.

    Parameters
    ----------
    result : Result
    path : Path
        Of the PNG file.
    """
    posterior = result.posterior
    figure = Figure(figsize=(9, 9), layout="constrained")
    panels = figure.subplots(len(posterior.names), 1, sharex=True)
    every = max(1, result.steps // _POINTS)
    steps = np.arange(0, result.steps, every)
    for panel, label, values in zip(panels, _labels(posterior), result.chain.T, strict=True):
        panel.plot(steps, values.T[::every], color="black", alpha=0.15, linewidth=0.5)
        panel.axvspan(0, result.burn_in, color="tab:orange", alpha=0.25, linewidth=0)
        panel.set_ylabel(label)
        panel.margins(x=0)
        panel.set_ylim(*_limits(values[:, result.burn_in :]))
    panels[0].set_title(
        f"{result.chain.shape[1]} walkers; shaded: burn-in, {result.burn_in:,} of "
        f"{result.steps:,} steps"
    )
    panels[-1].set_xlabel("step")
    figure.align_ylabels(panels)
    figure.savefig(path, dpi=120)


def draw_corner(result: Result, path: Path) -> None:
    """Draw the distributions of the parameters after the burn-in, alone and in pairs.

    Parameters
    ----------
    result : Result
    path : Path
        Of the PNG file.
    """
    posterior = result.posterior
    draws = result.draws
    draws = draws[:: max(1, len(draws) // _DRAWS)]
    figure = Figure(figsize=(11, 11))
    corner.corner(
        draws,
        labels=_labels(posterior),
        bins=30,
        range=[_SHOWN] * len(posterior.names),
        truths=[*_PAPER, None, None, None],
        truth_color="tab:orange",
        quantiles=[0.16, 0.5, 0.84],
        show_titles=True,
        titles=[f"${symbol}$" for symbol in _SYMBOLS],
        max_n_ticks=4,
        quiet=True,
        fig=figure,
    )
    figure.text(
        0.98,
        0.98,
        "Hogg, Bovy & Lang (2010): a straight line with outliers\n"
        f"{len(result.draws):,} draws after the burn-in; dashed: 16, 50 and 84 %\n"
        "orange: the paper's fit without the outliers",
        ha="right",
        va="top",
        fontsize=12,
    )
    figure.savefig(path, dpi=100)


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Give limits that show these values; walkers may come in from far outside."""
    low, high = np.min(values), np.max(values)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _labels(posterior: LineWithOutliers) -> list[str]:
    return [
        f"${symbol}$ [{unit}]" if unit else f"${symbol}$"
        for symbol, unit in zip(_SYMBOLS, posterior.units, strict=True)
    ]
