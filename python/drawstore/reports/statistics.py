"""The posterior of a run in numbers, and how well they are known."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from drawstore.ensemble import by_walkers
from drawstore.summary import Gathered, checked_levels, gather, summarize_draws

from .mixing import RELIABLE, common_stretch, split_rhat, tau_of
from .place import Place, layout_of

__all__ = ["ORDERS", "Parameter", "Statistics", "named", "statistics"]

_KEYS: dict[str, Callable[[Parameter], Any]] = {
    "name": lambda p: p.name,
    "mean": lambda p: _last(p.mean),
    "sd": lambda p: _last(p.sd),
    "tau": lambda p: _last(-p.tau),
    "ess": lambda p: _last(p.ess),
    "rhat": lambda p: _last(math.nan if p.rhat is None else -p.rhat),
}
ORDERS = tuple(_KEYS)
"""By what parameters may be sorted."""


def _last(value: float) -> tuple[bool, float]:
    """Order numbers, and put NaN behind them."""
    return math.isnan(value), value


@dataclass(frozen=True)
class Parameter:
    """A variable without dimensions, or an element of one.

    Attributes
    ----------
    name : str
        With its indices in brackets.
    mean, sd : float
    quantiles : tuple of float
        At the levels of `Statistics`.
    tau : float
        The integrated autocorrelation time, in draws of a chain or steps of an ensemble.
    ess : float
        The effective sample size: all draws of all chains or walkers, divided by tau.
    rhat : float or None
        Split R-hat of independent chains; None for an ensemble.
    """

    name: str
    mean: float
    sd: float
    quantiles: tuple[float, ...]
    tau: float
    ess: float
    rhat: float | None


@dataclass(frozen=True)
class Statistics:
    """What `statistics` says of a run.

    Attributes
    ----------
    where, rid, layout : str
        As for `drawstore.reports.head.RunHead`.
    chains : dict of int to int
        Draws of each chain, or walker, that count: those after the warm-up.
    levels : tuple of float
        Of the quantiles.
    parameters : list of Parameter
    is_reliable : bool
        Whether the chains last 50 autocorrelation times, so that tau can be trusted.
    """

    where: str
    rid: str
    layout: str
    chains: dict[int, int]
    levels: tuple[float, ...]
    parameters: list[Parameter]
    is_reliable: bool


def statistics(
    where: str | os.PathLike[str],
    rid: str | None = None,
    *,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    var_names: Sequence[str] = (),
    discard: int = 0,
    sort: str | None = None,
) -> Statistics:
    """Summarize a run as `drawstore.Run.summary` does, with what says how well it is known.

    One variable is in memory at a time.

    Parameters
    ----------
    where : path-like
        As `drawstore.open` takes it.
    rid : str, optional
        The run; not needed where there is one.
    quantiles : sequence of float
        Their levels, from 0 to 1.
    var_names : sequence of str
        Globs, by which variables are chosen; by default all.
    discard : int
        Draws of each chain, or steps, that are left out at the start, beside the warm-up.
    sort : {"name", "mean", "sd", "tau", "ess", "rhat"}, optional
        By what to order the parameters: the smallest first, of tau and rhat the largest.

    Raises
    ------
    KeyError
        Where there is no such run, or no variable of such a name.
    FileNotFoundError, ValueError
        As `drawstore.open` does, and for levels that are none.
    """
    levels = checked_levels(quantiles)
    place = Place.at(where)
    run = place.run(rid)
    layout = layout_of(run)
    chains, gathered = gather(run, lambda name: named(name, var_names), discard)
    lengths = list(chains.values())
    parameters = [p for item in gathered for p in _parameters(item, lengths, levels, layout)]
    if var_names and not parameters:
        known = ", ".join(map(repr, by_walkers(run).variables))
        raise KeyError(f"no variable is called {' or '.join(var_names)}; there are: {known}")
    times = [p.tau for p in parameters if not math.isnan(p.tau)]
    is_reliable = max(lengths, default=0) >= RELIABLE * max(times, default=math.inf)
    if sort is not None:
        parameters.sort(key=_KEYS[sort])
    return Statistics(place.path, run.rid, layout, chains, levels, parameters, is_reliable)


def _parameters(
    item: Gathered, lengths: Sequence[int], levels: tuple[float, ...], layout: str
) -> Iterator[Parameter]:
    stretch = common_stretch(item.draws, lengths)
    tau = tau_of(stretch)
    rhat = split_rhat(stretch) if layout == "chains" else None
    summary = summarize_draws(item.draws, levels, item.shape)
    for i, index in enumerate(np.ndindex(item.shape)):
        yield Parameter(
            f"{item.name}[{','.join(map(str, index))}]" if index else item.name,
            float(summary.mean[index]),
            float(summary.sd[index]),
            tuple(float(value) for value in summary.quantiles[(slice(None), *index)]),
            float(tau[i]),
            float(item.draws.shape[1] / tau[i]),
            None if rhat is None else float(rhat[i]),
        )


def named(name: str, globs: Sequence[str]) -> bool:
    """Say whether a name is one of those that globs stand for; without any, each is."""
    return not globs or name in globs or any(fnmatchcase(name, glob) for glob in globs)
