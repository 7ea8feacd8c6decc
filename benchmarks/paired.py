"""Paired measurements: contenders take turns in one process, and ratios are taken round by round.

What disturbs a machine for a while disturbs all contenders of the same round, so it falls out of
the ratio of that round.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Runs once and returns the seconds that count, so that it can leave its preparations out.
Contender = Callable[[], float]


@dataclass(frozen=True)
class Quartiles:
    """The middle of some numbers and how far they spread."""

    lower: float
    median: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        """Give the quartiles of at least one number."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))


class Paired:
    """Seconds of each contender in each round.

    Parameters
    ----------
    seconds : mapping of str to sequence of float
        The same number of rounds for each contender.
    """

    def __init__(self, seconds: Mapping[str, Sequence[float]]) -> None:
        self.seconds = {name: list(values) for name, values in seconds.items()}
        if len({len(values) for values in self.seconds.values()}) != 1:
            raise ValueError("every contender takes part in every round")

    @property
    def rounds(self) -> int:
        """How many there were."""
        return len(next(iter(self.seconds.values())))

    def median(self, name: str) -> float:
        """Give the seconds of a contender in the middle round."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str) -> Quartiles:
        """Give how many times as long as ``to`` a contender took, round by round."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return Quartiles.of([mine / other for mine, other in pairs])

    def scaled(self, **factors: float) -> Paired:
        """Multiply the seconds of contenders that did a part of the work only."""
        return Paired(
            {
                name: [factors.get(name, 1.0) * value for value in values]
                for name, values in self.seconds.items()
            }
        )


def measure(contenders: Mapping[str, Contender], rounds: int, warm_up: int = 1) -> Paired:
    """Let contenders take turns.

    Who begins changes from round to round, so that no contender always finds the caches and the
    free memory that the same other one left.

    Parameters
    ----------
    contenders : mapping of str to callable
        By name.
    rounds : int
        That count.
    warm_up : int
        Rounds before them, which do not.

    Returns
    -------
    Paired
    """
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for i in range(-warm_up, rounds):
        first = i % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            taken = contenders[name]()
            if i >= 0:
                seconds[name].append(taken)
    return Paired(seconds)


def timed(function: Callable[[], Any]) -> Contender:
    """Make a contender of a function, all of which counts.

    Parameters
    ----------
    function : callable
        Its result is let go within the time.

    Returns
    -------
    callable
    """

    def run() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return run


def memcpy(n_bytes: int, source_bytes: int = 2**24) -> Contender:
    """Copy so many bytes into fresh memory, from a source that is used over and over again.

    Large arrays of NumPy are mapped anew and given back at once, so that every page of the copy is
    touched for the first time.

    Parameters
    ----------
    n_bytes : int
        Of the copy.
    source_bytes : int
        Of the source: as many as the other contenders read from, since a source that is in the
        processor's cache is faster, and one as large as the copy takes memory of its own.

    Returns
    -------
    callable
    """
    source = np.ones(min(source_bytes, n_bytes), dtype=np.uint8)

    def run() -> None:
        copy = np.empty(n_bytes, dtype=np.uint8)
        for start in range(0, n_bytes, len(source)):
            piece = copy[start : start + len(source)]
            piece[:] = source[: len(piece)]

    return timed(run)


class Replay:
    """A clock for pytest-benchmark that goes through times measured before.

    It is the `timer` of the benchmarks, and `advance` what they run: so pytest-benchmark shows and
    saves the very rounds that the ratios are made of, and nothing is measured twice.
    """

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds

    def __deepcopy__(self, memo: dict[int, Any]) -> Replay:
        return self  # a timer is known by its identity

    def show(self, benchmark: Any, paired: Paired, name: str, group: str) -> None:
        """Hand the rounds of one contender to pytest-benchmark.

        Parameters
        ----------
        benchmark
            pytest-benchmark's fixture, of a test marked with this object as ``timer``.
        paired : Paired
        name : str
            Of the contender.
        group : str
            Heading under which pytest-benchmark shows it.
        """
        rounds = iter(paired.seconds[name])
        benchmark.group = group
        benchmark.pedantic(
            self.advance, setup=lambda: ((next(rounds),), {}), rounds=paired.rounds, iterations=1
        )


replay = Replay()
