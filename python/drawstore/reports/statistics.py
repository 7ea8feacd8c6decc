"""The posterior of a run in numbers, and how well they are known."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from drawstore.summary import Posterior, checked_levels, summarize_draws

from .mixing import RELIABLE, common_stretch, split_rhat, tau_of
from .place import Place, layout_of

__all__ = [
    "Parameter",
    "Statistics",
    "chosen_names",
    "element_name",
    "statistics",
]

_KEYS: dict[str, Callable[[Parameter], Any]] = {
    "name": lambda p: p.name,
    "mean": lambda p: _last(p.mean),
    "sd": lambda p: _last(p.sd),
    "tau": lambda p: _last(-p.tau),
    "ess": lambda p: _last(p.ess),
    "rhat": lambda p: _last(math.nan if p.rhat is None else -p.rhat),
}


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
    posterior = Posterior(run, discard)
    chosen = chosen_names(posterior.shapes, var_names)
    parameters = [p for name in chosen for p in _parameters(posterior, name, levels, layout)]
    times = [p.tau for p in parameters if not math.isnan(p.tau)]
    is_reliable = max(posterior.chains.values(), default=0) >= RELIABLE * max(
        times, default=math.inf
    )
    if sort is not None:
        parameters.sort(key=_KEYS[sort])
    chains = posterior.chains
    return Statistics(place.path, run.rid, layout, chains, levels, parameters, is_reliable)


def _parameters(
    posterior: Posterior, name: str, levels: tuple[float, ...], layout: str
) -> Iterator[Parameter]:
    draws, shape = posterior.read(name), posterior.shapes[name]
    stretch = common_stretch(draws, list(posterior.chains.values()))
    tau = tau_of(stretch)
    rhat = split_rhat(stretch) if layout == "chains" else None
    summary = summarize_draws(draws, levels, shape)
    for i, index in enumerate(np.ndindex(shape)):
        yield Parameter(
            element_name(name, index),
            float(summary.mean[index]),
            float(summary.sd[index]),
            tuple(float(value) for value in summary.quantiles[(slice(None), *index)]),
            float(tau[i]),
            float(draws.shape[1] / tau[i]),
            None if rhat is None else float(rhat[i]),
        )


def element_name(name: str, index: tuple[int, ...]) -> str:
    """Name an element of a variable."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def chosen_names(known: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Give the names that globs stand for; without any, all.

    Raises
    ------
    KeyError
        Where a glob stands for none; the message lists those there are.
    """
    known = list(known)
    chosen = set()
    for glob in globs:
        found = {name for name in known if name == glob or fnmatchcase(name, glob)}
        if not found:
            there = ", ".join(map(repr, known)) or "none"
            raise KeyError(f"no variable is called {glob!r}; there are: {there}")
        chosen |= found
    return [name for name in known if name in chosen or not globs]
