"""What a run was doing when it ended, or is doing: by what its files and its draws tell."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drawstore.clickhouse.address import is_url
from drawstore.ensemble import steps_of
from drawstore.samplers import is_divergence

from .head import RunHead, head_of
from .place import Place
from .steps import Stuck, acceptance, stuck_walkers, window_of
from .writers import ENDED, LEFT, RUNNING, Marks, Writer

if TYPE_CHECKING:
    from drawstore.ensemble import Steps
    from drawstore.interface import Chain, Run

__all__ = ["Divergences", "Ensemble", "Why", "why"]

_LOOK_SECONDS = 0.5  # between two looks at a run that goes on
_LAST_SHARE = 0.1  # of a chain is its last part
_FULL_BYTES = 16 * 2**20  # with less than that left, a disk is called full
_PIECE = 2**20  # values that are read at once


@dataclass(frozen=True)
class Ensemble:
    """How the walkers of an ensemble are.

    Attributes
    ----------
    acceptance : list of float
        The accepted share of the proposals of each walker.
    window : int or None
        A walker that has not moved for more steps is called stuck; None where there are too few
        steps to tell.
    stuck : list of Stuck
        Those that have been for longest first.
    """

    acceptance: list[float]
    window: int | None
    stuck: list[Stuck]


@dataclass(frozen=True)
class Divergences:
    """Draws after the warm-up that the sampler called divergent.

    Attributes
    ----------
    n, of : int
        How many, of how many draws.
    """

    n: int
    of: int


@dataclass(frozen=True)
class Why:
    """What `why` says of a run.

    Attributes
    ----------
    where : str
        Without the password.
    run : RunHead
    verdict : str
        In a sentence.
    findings : list of str
        What is remarkable besides, a sentence each.
    writers : list of Writer
        The processes that write it, or were the last to.
    job : str
        The batch job, where it was recorded.
    rate, rate_at_end : float or None
        Draws, or steps, a second, of all chains together: on average over the run, and in its last
        part. By the time that the sampler says a draw took, by the times of files, and, where the
        run goes on, by two looks. None where that is not known.
    ended_early : dict of int to int
        The chains that nobody writes and that are shorter than the longest one, and their draws.
    not_finite : int or None
        Log-probabilities that are not finite numbers; None where there are none kept.
    divergences : Divergences or None
        None for samplers that know none.
    ensemble : Ensemble or None
    waiting : int
        Draws, or steps, that wait in journals of processes that died.
    disk_free : int or None
        Bytes that are left on the disk now; None for a database.
    """

    where: str
    run: RunHead
    verdict: str
    findings: list[str]
    writers: list[Writer]
    job: str = ""
    rate: float | None = None
    rate_at_end: float | None = None
    ended_early: dict[int, int] = field(default_factory=dict)
    not_finite: int | None = None
    divergences: Divergences | None = None
    ensemble: Ensemble | None = None
    waiting: int = 0
    disk_free: int | None = None


def why(where: str | os.PathLike[str], rid: str | None = None) -> Why:
    """Say what a run was doing when it ended, or is doing; nothing is changed.

    How much memory a process took is not recorded anywhere, and not told.

    Parameters
    ----------
    where : path-like
        As `drawstore.open` takes it.
    rid : str, optional
        The run; not needed where there is one.

    Raises
    ------
    KeyError
        Where there is no such run.
    FileNotFoundError, ValueError
        As `drawstore.open` does.
    """
    place = Place.at(where)
    run = place.run(rid)
    head, marks = head_of(place, run)
    writers = list(dict.fromkeys(marks.writers.values()))
    recorded = str(run.attributes.get("job", ""))
    job = next((writer.job for writer in writers if writer.job), recorded)
    longest = max(head.draws.values(), default=0)
    rate, rate_at_end = _rates(run, head)
    found = Why(
        where=place.path,
        run=head,
        verdict="",
        findings=[],
        writers=writers,
        job=job,
        rate=rate,
        rate_at_end=rate_at_end,
        ended_early={
            n: draws
            for n, draws in head.draws.items()
            if draws < longest and marks.chains.get(n, marks.state) != RUNNING
        },
        not_finite=_not_finite(run),
        divergences=_divergences(run),
        ensemble=None if (steps := steps_of(run)) is None else _ensemble(steps),
        waiting=marks.waiting,
        disk_free=None if is_url(place.path) else shutil.disk_usage(place.path).free,
    )
    said = {"verdict": _verdict(found, marks), "findings": list(_findings(found, marks))}
    return Why(**{**vars(found), **said})


def _verdict(why: Why, marks: Marks) -> str:
    by = " and ".join(map(str, why.writers)) or "a process"
    at = f", last written {_utc(why.run.written_at)}" if why.run.written_at else ""
    if marks.state == RUNNING:
        return f"running: {by} writes it{at}"
    if marks.state == LEFT:
        unit = "steps" if why.run.layout == "ensemble" else "draws"
        left = f"died: {by} ended without closing it{at}"
        if not why.waiting and marks.far:
            return left
        if not why.waiting:
            return f"{left}; every one of its {unit} is there"
        return (
            f"{left}, and left {why.waiting:,} {unit} in a journal, which `drawstore recover` "
            "delivers"
        )
    if marks.state == ENDED:
        return f"ended: nothing is left to be done, and nobody writes it{at}"
    if why.run.kind == "emcee":
        return f"nobody can tell whether it goes on: emcee leaves no mark of who writes{at}"
    return f"nobody can tell from here whether it goes on: {by} began it"


def _findings(why: Why, marks: Marks) -> Iterator[str]:
    unit = "step" if why.run.layout == "ensemble" else "draw"
    if not any(why.run.draws.values()):
        yield "there are no draws"
    for journal in marks.far:
        yield f"{unit}s may wait in {journal}, which cannot be reached from here"
    if why.ended_early:
        longest = max(why.run.draws.values())
        chains = ", ".join(f"chain {n} at {draws:,}" for n, draws in why.ended_early.items())
        yield f"some chains ended before the longest, which has {longest:,} draws: {chains}"
    if why.ensemble is not None and why.ensemble.stuck:
        walkers = ", ".join(f"{s.walker} since step {s.since:,}" for s in why.ensemble.stuck)
        n = len(why.ensemble.stuck)
        yield (
            f"{n} of {why.run.walkers} walkers did not move in the last {why.ensemble.window:,} "
            f"steps: {walkers}"
        )
    if why.not_finite:
        yield f"{why.not_finite:,} log-probabilities are not finite"
    if why.divergences is not None and why.divergences.n:
        share = why.divergences.n / why.divergences.of
        yield f"{why.divergences.n:,} of {why.divergences.of:,} draws diverged ({share:.1%})"
    if why.rate and why.rate_at_end and why.rate_at_end < why.rate / 2:
        yield f"at the end a {unit} took {why.rate / why.rate_at_end:.3g} times as long"
    if why.disk_free is not None and why.disk_free < _FULL_BYTES:
        yield f"the disk is full now: {why.disk_free / 1e6:.1f} MB are left"


def _rates(run: Run, head: RunHead) -> tuple[float | None, float | None]:
    """Give draws a second, over the run and at its end."""
    total = sum(head.draws.values())
    told = [seconds for chain in run.get_chains() if (seconds := _seconds(run, chain)) is not None]
    if told:
        rates = [
            sum(1 / s[-max(1, int(share * len(s))) :].mean() for s in told if s.mean() > 0)
            for share in (1.0, _LAST_SHARE)
        ]
        return rates[0], rates[1]
    rate = None
    if head.made_at and head.written_at and head.written_at > head.made_at:
        rate = total / (head.written_at - head.made_at).total_seconds()
    if head.state != RUNNING:
        return rate, None
    begin = time.monotonic()
    first = _count(run, head)
    time.sleep(_LOOK_SECONDS)
    return rate, (_count(run, head) - first) / (time.monotonic() - begin)


def _count(run: Run, head: RunHead) -> int:
    chains = run.get_chains()
    return sum(len(chain) for chain in (chains[:1] if head.walkers else chains))


def _seconds(run: Run, chain: Chain) -> NDArray[np.float64] | None:
    """Give the seconds that each draw took, where the sampler says so, as PyMC's do."""
    names = [name for name in run.sample_stats if _is(name, "perf_counter_diff")]
    if not names or not len(chain):
        return None
    seconds = np.zeros(len(chain))
    for name in names:
        seconds += np.ma.filled(chain.get_stats(name, slice(len(seconds))), 0.0)
    return seconds


def _not_finite(run: Run) -> int | None:
    steps = steps_of(run)
    if steps is not None:
        blocks = steps.blocks(len(steps), 8 * steps.n_walkers)
        read = (steps.read("log_prob", rows) for rows in blocks)
        return sum(int(np.sum(~np.isfinite(values))) for values in read)
    names = [n for n in run.sample_stats if any(_is(n, word) for word in ("lp", "model_logp"))]
    if not names:
        return None
    n = 0
    for chain in run.get_chains():
        for name in names:
            for start in range(0, len(chain), _PIECE):
                values = chain.get_stats(name, slice(start, start + _PIECE))
                n += int(np.sum(~np.isfinite(np.ma.filled(values, 0.0))))
    return n


def _divergences(run: Run) -> Divergences | None:
    from drawstore.warmup import is_mark, split

    stats = [name for name in run.sample_stats if is_divergence(name)]
    if not stats:
        return None
    marks = [name for name in run.sample_stats if is_mark(name)]
    parts, _ = split(run.get_chains(), marks)
    n = 0
    for part in parts:
        for rows in part.slices(range(len(part))):
            values = [np.ma.filled(part.chain.get_stats(s, rows), False) for s in stats]
            n += int(np.sum(np.any(np.array(values, dtype=bool), axis=0)))
    return Divergences(n, sum(map(len, parts)))


def _ensemble(steps: Steps) -> Ensemble:
    window = window_of(steps)
    stuck = [] if window is None else stuck_walkers(steps, window)
    return Ensemble(acceptance(steps).tolist(), window, stuck)


def _is(name: str, stat: str) -> bool:
    """Say whether a stat is this one, also as one of the samplers of PyMC."""
    return name == stat or name.endswith(f"__{stat}")


def _utc(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")
