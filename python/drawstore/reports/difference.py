"""Whether two runs differ: in what they are made of, and in their posteriors.

References
----------
.. [1] C. J. Geyer, "Introduction to Markov chain Monte Carlo", in "Handbook of Markov Chain Monte
   Carlo", CRC Press, 2011, section 1.10: the error of a mean over a chain.
.. [2] A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner, "Rank-normalization,
   folding, and localization: an improved R-hat for assessing convergence of MCMC", Bayesian
   Analysis 16, 667, 2021, section 4.3: the effective sample size of a quantile is that of the
   indicator of the draws below it.
.. [3] O. J. Dunn, "Multiple comparisons among means", J. Am. Stat. Assoc. 56, 52, 1961: the
   correction for the number of comparisons, known as Bonferroni's.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore._core import crc32c
from drawstore.meta import unpack_array, unpack_value
from drawstore.summary import Posterior

from .mixing import RELIABLE, common_stretch, tau_of
from .place import Place, layout_of
from .statistics import chosen_names, element_name

if TYPE_CHECKING:
    from drawstore.interface import Run
    from drawstore.meta import Variable

__all__ = ["Compared", "Difference", "Setting", "compare", "difference"]

_SHOWN = 16  # elements of an array that are said one by one
_LEVELS = (0.05, 0.5, 0.95)
_STATISTICS = ("mean", "sd", *(f"{100 * level:g}%" for level in _LEVELS))

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Something that the two runs are made of, and that differs.

    Attributes
    ----------
    what : str
        Such as "variable 'x'".
    a, b : str or None
        In words; None where the run has none.
    """

    what: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Compared:
    """A number that describes a parameter, in both runs.

    Attributes
    ----------
    name : str
        Of the parameter, with its indices.
    statistic : {"mean", "sd", "5%", "50%", "95%"}
    a, b : float
        Of a quantile, the shares of draws that are not above that of both runs together.
    error : float
        The standard error of their difference that Monte Carlo has.
    z : float
        The difference, in such errors.
    p : float
        The probability of as large a difference, or a larger one, of alike posteriors, corrected
        for the number of comparisons: at most 1.
    is_reliable : bool
        Whether the chains of both last 50 autocorrelation times, so that the error can be trusted.
    """

    name: str
    statistic: str
    a: float
    b: float
    error: float
    z: float
    p: float
    is_reliable: bool


@dataclass(frozen=True)
class Difference:
    """What `difference` says of two runs.

    Attributes
    ----------
    a, b : str
        What was compared.
    differs : bool
        Whether the posteriors differ, by more than their Monte Carlo error explains or because one
        has parameters that the other has not.
    verdict : str
        In a sentence.
    alpha : float
        Below which a corrected p is a difference.
    settings : list of Setting
        Those that differ.
    only_in_a, only_in_b : list of str
        Variables that the other run has not, or has of another shape.
    compared : list of Compared
        The least probable first.
    is_reliable : bool
        Whether all of them can be trusted.
    """

    a: str
    b: str
    differs: bool
    verdict: str
    alpha: float
    settings: list[Setting]
    only_in_a: list[str]
    only_in_b: list[str]
    compared: list[Compared]
    is_reliable: bool


def difference(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    rid_a: str | None = None,
    rid_b: str | None = None,
    var_names: Sequence[str] = (),
    discard: int = 0,
    alpha: float = 0.01,
) -> Difference:
    """Compare two runs.

    Of each parameter the means, the standard deviations, and the shares of draws up to the 5 %,
    50 % and 95 % quantiles of both runs together are compared, each by the error that it has from
    as many effective draws [1]_ [2]_: all draws, divided by the autocorrelation time of what is
    averaged: of the draws themselves, of their squared distance from the mean, and of whether they
    are below the quantile. The error of a standard deviation s is that of its square, divided by
    2 s. A probability is multiplied by the number of comparisons [3]_, so that of all pairs of runs
    with the same posterior at most a share of ``alpha`` are said to differ.

    Parameters
    ----------
    a, b : path-like
        As `drawstore.open` takes them.
    rid_a, rid_b : str, optional
        The runs; not needed where there is one.
    var_names : sequence of str
        Globs, by which variables are chosen; by default all.
    discard : int
        Draws of each chain, or steps, that are left out at the start, beside the warm-up.
    alpha : float
        Below which a corrected probability is a difference.

    Raises
    ------
    KeyError
        Where there is no such run.
    FileNotFoundError, ValueError
        As `drawstore.open` does.
    """
    places = Place.at(a), Place.at(b)
    runs = places[0].run(rid_a), places[1].run(rid_b)
    posteriors = Posterior(runs[0], discard), Posterior(runs[1], discard)
    shapes = [posterior.shapes for posterior in posteriors]
    chosen = chosen_names(dict.fromkeys([*shapes[0], *shapes[1]]), var_names)
    both = [name for name in chosen if shapes[0].get(name) == shapes[1].get(name)]
    only = [[name for name in chosen if name in one and name not in both] for one in shapes]
    compared = compare(*posteriors, both)
    n = sum(item.p < alpha for item in compared)
    return Difference(
        a=f"{places[0].path} {runs[0].rid!r}",
        b=f"{places[1].path} {runs[1].rid!r}",
        differs=bool(n or only[0] or only[1]),
        verdict=_verdict(n, compared, [*only[0], *only[1]]),
        alpha=alpha,
        settings=list(_settings(*runs)),
        only_in_a=only[0],
        only_in_b=only[1],
        compared=compared,
        is_reliable=all(item.is_reliable for item in compared),
    )


def compare(a: Posterior, b: Posterior, names: Sequence[str]) -> list[Compared]:
    """Compare variables that both have, the least probable difference first; see `difference`."""
    found = [item for name in names for item in _compare(a, b, name)]
    corrected = [replace(item, p=min(1.0, item.p * len(found))) for item in found]
    return sorted(corrected, key=lambda item: (item.p, -abs(item.z)))


def _compare(a: Posterior, b: Posterior, name: str) -> Iterator[Compared]:
    """Compare a variable, element by element."""
    draws = a.read(name), b.read(name)
    lengths = list(a.chains.values()), list(b.chains.values())
    for i, index in enumerate(np.ndindex(a.shapes[name])):
        rows = [values[i].astype(np.float64) for values in draws]
        known = np.sort(np.concatenate([row[~np.isnan(row)] for row in rows]))
        levels = [int(level * len(known)) for level in _LEVELS if len(known)]
        cuts = known[levels]
        one, other = (_estimate(row, n, cuts) for row, n in zip(rows, lengths, strict=True))
        for k, statistic in enumerate(_STATISTICS[: len(one.value)]):
            error = math.hypot(one.error[k], other.error[k])
            values = float(one.value[k]), float(other.value[k])
            off = values[0] - values[1]
            if math.isnan(off):  # one has no draws, or some that are no numbers; or both
                z, p = math.nan, float(math.isnan(values[0]) == math.isnan(values[1]))
            else:
                z = off / error if error > 0 else math.copysign(math.inf if off else 0, off)
                p = math.erfc(abs(z) / math.sqrt(2))
            yield Compared(
                element_name(name, index),
                statistic,
                *values,
                error,
                z,
                p,
                one.is_reliable and other.is_reliable,
            )


@dataclass(frozen=True)
class _Estimate:
    """The statistics of a parameter in one run, and their Monte Carlo errors."""

    value: Numbers
    error: Numbers
    is_reliable: bool


def _estimate(draws: Numbers, lengths: Sequence[int], cuts: Numbers) -> _Estimate:
    n = len(draws)
    if n < 2:
        nan = np.full(2 + len(cuts), np.nan)
        return _Estimate(nan, nan, False)
    with np.errstate(all="ignore"):  # of values that are not finite
        series = np.stack([draws, np.square(draws - draws.mean()), *(draws <= c for c in cuts)])
        value, spread = series.mean(axis=1), series.std(axis=1, ddof=1)
    stretch = common_stretch(series, lengths)
    tau = tau_of(stretch)
    # A walker that never crosses a quantile leaves no time for it: that of the draws is taken.
    tau = np.fmax(1 / n, np.where(np.isnan(tau), np.fmax(tau[0], tau[1]), tau))
    error = spread * np.sqrt(tau / n)
    value[1] = math.sqrt(value[1] * n / (n - 1))
    error[1] /= 2 * value[1] if value[1] > 0 else 1
    return _Estimate(value, error, bool(stretch.shape[-1] >= RELIABLE * np.max(tau[:2])))


def _verdict(n: int, compared: Sequence[Compared], only: Sequence[str]) -> str:
    if only:
        return f"the runs have not the same variables: {', '.join(map(repr, only))}"
    if not compared:
        return "there is nothing to compare: no variable is in both runs"
    of = f"{len(compared):,} comparisons"
    if n:
        first = compared[0]
        return (
            f"the posteriors differ: {n} of {of} by more than their Monte Carlo error, above all "
            f"the {first.statistic} of {first.name!r} (by {abs(first.z):.1f} errors)"
        )
    return f"no difference beyond the Monte Carlo error, in {of}"


def _settings(a: Run, b: Run) -> Iterator[Setting]:
    """Give what differs in what two runs are made of."""
    facts = [dict(_facts(run)) for run in (a, b)]
    for what in dict.fromkeys([*facts[0], *facts[1]]):
        one, other = facts[0].get(what), facts[1].get(what)
        if one != other:
            yield Setting(what, one, other)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    meta = run.meta
    yield "layout", layout_of(run)
    for kind, variables in (("variable", meta.variables), ("stat", meta.sample_stats)):
        for variable in variables:
            yield f"{kind} {variable.name!r}", _variable(variable)
    for coord in meta.coordinates:
        yield f"labels of {coord.name!r}", _array(unpack_array(coord.values))
    for data in meta.data:
        kind = "observed data" if data.is_observed else "constant data"
        dims = f", dims {tuple(data.dims)}" if data.dims else ""
        yield f"{kind} {data.name!r}", _array(unpack_array(data.value)) + dims
    for name in sorted(meta.attributes):
        value = unpack_value(meta.attributes[name])
        yield (
            f"attribute {name!r}",
            _array(value) if isinstance(value, np.ndarray) else repr(value),
        )


def _variable(variable: Variable) -> str:
    shape = "any shape" if variable.undefined_ndim else f"shape {tuple(variable.shape)}"
    dims = f", dims {tuple(variable.dims)}" if variable.dims else ""
    return f"{variable.dtype}, {shape}{dims}"


def _array(values: NDArray[Any]) -> str:
    """Say what an array holds; where it is long, by a checksum of its bytes."""
    if values.size <= _SHOWN:
        return f"{values.tolist()!r} ({values.dtype})"
    sum_ = crc32c(np.ascontiguousarray(values).tobytes())
    return f"{values.dtype}, shape {values.shape}, checksum {sum_:08x}"
