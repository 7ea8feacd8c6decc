"""What is said of a run in words: whether it has converged, and what troubles it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from ..monitor import LongEnough
from ..text import escaped

if TYPE_CHECKING:
    from ..monitor import Status
    from ..watching import Sight
    from .follower import Known

__all__ = ["Answer", "Trouble", "Worst", "answer", "troubles", "worst"]

GOOD, DOUBTFUL, BAD, NEUTRAL = "good", "doubtful", "bad", "neutral"

_RULE = LongEnough()
_RHAT_BAD = 1.1
_LEAST_ACCEPTANCE = 0.1
_FEW = 3  # names that are said


@dataclass(frozen=True)
class Answer:
    """Whether a run has converged, in a sentence.

    Attributes
    ----------
    level : {"good", "doubtful", "bad", "neutral"}
    word : str
        One or two.
    sentence : str
    share : float or None
        How far it is on the way to being long enough, from 0 to 1.
    expected : datetime or None
        When it will be, at this rate.
    """

    level: str
    word: str
    sentence: str
    share: float | None = None
    expected: datetime | None = None


@dataclass(frozen=True)
class Trouble:
    """Something that a person should look at.

    Attributes
    ----------
    level : {"doubtful", "bad"}
    text : str
    """

    level: str
    text: str


@dataclass(frozen=True)
class Worst:
    """The numbers of the parameters that have them worst; None where none has one.

    Attributes
    ----------
    tau, ess, rhat : float or None
    """

    tau: float | None = None
    ess: float | None = None
    rhat: float | None = None


def worst(status: Status) -> Worst:
    """Give the longest autocorrelation time, the least ESS, and the largest R-hat."""
    return Worst(
        _most(status.tau),
        None if (least := _most(-status.ess)) is None else -least,
        None if status.rhat is None else _most(status.rhat),
    )


def answer(sight: Sight, known: Known) -> Answer:
    """Say whether a run has converged, and how far it is."""
    status = known.status
    if sight.state == "damaged":
        return Answer(BAD, "unreadable", "This run cannot be read.")
    if not sight.n_draws:
        return Answer(NEUTRAL, "no draws", "There are no draws yet.")
    if status is None:
        if known.error:
            return Answer(NEUTRAL, "unknown", "It cannot be told whether it has converged.")
        if known.read is None:
            return Answer(NEUTRAL, "", "Its page tells whether it has converged.")
        share = known.read[0] / max(1, known.read[1])
        return Answer(NEUTRAL, "reading", f"The draws are being read: {share:.0%} so far.")
    if not any(chain.n_steps for chain in status.chains):
        n = sum(chain.n_left_out for chain in status.chains)
        return Answer(NEUTRAL, "warming up", f"Warming up: {n:,} draws, none of which counts.")
    if not status.n_steps:
        n = sum(not chain.n_steps for chain in status.chains)
        return Answer(
            NEUTRAL, "not yet", f"Not yet: {n} of {len(status.chains)} chains have no draws."
        )
    return _verdict(sight, status)


def _verdict(sight: Sight, status: Status) -> Answer:
    tau = _most(status.tau)
    if status.converged:
        n_taus = f"{status.n_steps / tau:,.0f} autocorrelation times" if tau else "long enough"
        agree = "" if status.rhat is None else f", R̂ at most {_most(status.rhat) or 1:.3f}"
        stop = "" if sight.is_over else " It may be stopped."
        return Answer(GOOD, "converged", f"Converged: {n_taus}{agree}.{stop}", 1.0)
    word, level = ("not converged", DOUBTFUL) if sight.is_over else ("not yet", NEUTRAL)
    begin = "It ended before it had converged" if sight.is_over else "Not converged yet"
    if tau is None or bool(np.any(np.isnan(status.tau))):
        return Answer(level, word, f"{begin}: {_unknown(status)}.")
    share = status.n_steps / (_RULE.n_taus * tau)
    if share <= 1:
        why = f"{status.n_steps / tau:,.3g} of {_RULE.n_taus:g} autocorrelation times"
        if not sight.is_over and status.expected is not None:
            return Answer(level, word, f"{begin}: {why}.", share, status.expected)
    elif status.rhat is not None and (rhat := _most(status.rhat)) and rhat >= _RULE.rhat:
        why = f"the chains do not agree, R̂ is {rhat:.3f} and should be below {_RULE.rhat}"
    else:
        why = "long enough, but the autocorrelation time has not settled"
    return Answer(level, word, f"{begin}: {why}.", min(share, 1.0))


def _unknown(status: Status) -> str:
    names = [name for name, tau in zip(status.names, status.tau, strict=True) if math.isnan(tau)]
    if status.n_steps < 50:
        return f"{status.n_steps} draws of each chain tell nothing"
    return f"no autocorrelation time for {_some(names)}, which may be constant"


def troubles(sight: Sight, known: Known) -> Iterator[Trouble]:
    """Give what is wrong with a run."""
    if sight.error:
        yield Trouble(BAD, escaped(sight.error))
    if sight.state == "stalled":
        age = "" if sight.age is None else f" for {_seconds(sight.age)}"
        yield Trouble(BAD, f"Stalled: no draw came{age}, though a process may still write it.")
    if sight.state == "left":
        yield Trouble(
            BAD,
            "The process that wrote it died: “drawstore why” says what it was doing, and "
            "“drawstore recover” delivers draws that wait in a journal.",
        )
    if known.error and not sight.error:
        yield Trouble(DOUBTFUL, escaped(known.error))
    if known.stuck:
        walkers = ", ".join(f"{s.walker} (since step {s.since:,})" for s in known.stuck[:_FEW])
        more = f" and {len(known.stuck) - _FEW} more" if len(known.stuck) > _FEW else ""
        n = "1 walker is" if len(known.stuck) == 1 else f"{len(known.stuck)} walkers are"
        yield Trouble(BAD, f"{n} stuck: {walkers}{more}.")
    if known.status is not None:
        yield from _of_status(known.status)


def _of_status(status: Status) -> Iterator[Trouble]:
    divergent = [chain.n_divergent for chain in status.chains if chain.n_divergent is not None]
    if n := sum(divergent):
        draws = "1 draw" if n == 1 else f"{n:,} draws"
        yield Trouble(DOUBTFUL, f"{draws} of {status.n_draws:,} diverged.")
    if status.rhat is not None and status.n_steps >= 100:
        bad = [
            (float(rhat), name)
            for name, rhat in zip(status.names, status.rhat, strict=True)
            if rhat >= _RHAT_BAD
        ]
        if bad:
            names = _some([name for _, name in sorted(bad, reverse=True)])
            yield Trouble(
                BAD, f"The chains do not agree: R̂ is up to {max(bad)[0]:.2f}, in {names}."
            )
    acceptance = status.acceptance
    if acceptance is not None and acceptance < _LEAST_ACCEPTANCE and status.n_steps >= 50:
        yield Trouble(DOUBTFUL, f"Only {acceptance:.1%} of the proposals are accepted.")


def _some(names: list[str]) -> str:
    shown = [
        escaped(name) if len(name) <= 40 else escaped(name[:39]) + "…" for name in names[:_FEW]
    ]
    more = f" and {len(names) - _FEW:,} more" if len(names) > _FEW else ""
    return ", ".join(shown) + more


def _most(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None


def _seconds(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.0f} seconds"
