"""What is followed as it grows: a chain, or an ensemble of walkers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..samplers import is_divergence, name_stats
from ..summary import summarized_dtype
from ..warmup import GrowingPart, is_mark
from .status import Numbers, Progress

if TYPE_CHECKING:
    from ..ensemble import Steps
    from ..interface import Chain, Run
    from ..meta import Variable

__all__ = ["Followed", "FollowedChain", "FollowedEnsemble", "FollowedWalkers"]

Array = NDArray[Any]

_ACCEPTANCE = ("acceptance_rate", "accepted", "accept")  # as samplers call it; the first counts


class Followed(ABC):
    """A chain or an ensemble.

    Attributes
    ----------
    names : tuple of str
        Of the parameters.
    n_walkers : int
        1 for a chain.
    """

    names: tuple[str, ...]
    n_walkers: int = 1

    @abstractmethod
    def count(self) -> int:
        """Say how many draws there are by now, those that do not count among them."""

    @abstractmethod
    def update(self) -> Progress:
        """Look at the draws that came since."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Array:
        """Read draws that count, shape (stop - start, n_walkers, n_params)."""


class FollowedChain(Followed):
    """A chain of a run.

    Parameters
    ----------
    run : Run
    chain : Chain
        Of the run.
    variables : sequence of str
        Those to be followed, of a fixed shape and numeric.
    discard : int
        Draws to leave out at the start, after warm-up.
    label : str
    """

    def __init__(
        self, run: Run, chain: Chain, variables: Sequence[str], discard: int, label: str
    ) -> None:
        declared = run.variables
        self._sizes = {name: math.prod(declared[name].shape) for name in variables}
        self.names = tuple(
            f"{name}[{','.join(map(str, i))}]" if i else name
            for name in variables
            for i in np.ndindex(*declared[name].shape)
        )
        stats = run.sample_stats
        self._chain = chain
        self._growing = GrowingPart(chain, [name for name in stats if is_mark(name)])
        self._acceptance = _acceptance_stats(stats)
        self._divergence = [name for name in stats if is_divergence(name)]
        self._accepted = self._asked = 0.0  # sum and number of what the former said
        self._n_divergent = 0
        self._n_seen = 0  # draws after warm-up of which they were read
        self._discard = discard
        self._label = label

    def count(self) -> int:
        return len(self._chain)

    def update(self) -> Progress:
        self._growing.update()
        part = self._growing.part
        for slc in part.slices(range(max(self._n_seen, self._discard), len(part))):
            for name in self._acceptance:
                said = np.ma.compressed(self._chain.get_stats(name, slc)).astype(float)
                self._accepted += np.nansum(said)
                self._asked += np.count_nonzero(~np.isnan(said))
            if self._divergence:
                diverged = [
                    np.ma.filled(self._chain.get_stats(name, slc), False).astype(bool)
                    for name in self._divergence
                ]
                self._n_divergent += int(np.count_nonzero(np.any(diverged, axis=0)))
        self._n_seen = len(part)
        n_steps = max(0, len(part) - self._discard)
        return Progress(
            self._label,
            n_steps,
            self._growing.n_draws - n_steps,
            1,
            False,
            np.array([self._accepted / self._asked]) if self._asked else None,
            self._n_divergent if self._divergence else None,
        )

    def read(self, start: int, stop: int) -> Array:
        values = np.empty((stop - start, 1, len(self.names)))
        done = 0
        rows = range(start + self._discard, stop + self._discard)
        for slc in self._growing.part.slices(rows):
            end, column = done + slc.stop - slc.start, 0
            for name, size in self._sizes.items():
                draws = self._chain.get_draws(name, slc)
                values[done:end, 0, column : column + size] = draws.reshape(end - done, size)
                column += size
            done = end
        return values


class FollowedWalkers(Followed):
    """An ensemble of which each walker is a chain.

    Parameters
    ----------
    walkers : sequence of FollowedChain
        At least one.
    label : str
    """

    def __init__(self, walkers: Sequence[FollowedChain], label: str) -> None:
        self.names = walkers[0].names
        self.n_walkers = len(walkers)
        self._walkers = walkers
        self._label = label

    def count(self) -> int:
        return min(walker.count() for walker in self._walkers)

    def update(self) -> Progress:
        each = [walker.update() for walker in self._walkers]
        n_steps = min(walker.n_steps for walker in each)
        said = [walker.acceptance for walker in each if walker.acceptance is not None]
        return Progress(
            self._label,
            n_steps,
            max(0, min(walker.n_steps + walker.n_left_out for walker in each) - n_steps),
            self.n_walkers,
            True,
            np.concatenate(said) if len(said) == len(each) else None,
        )

    def read(self, start: int, stop: int) -> Array:
        return np.concatenate([walker.read(start, stop) for walker in self._walkers], axis=1)


class FollowedEnsemble(Followed):
    """An ensemble, of which some coordinates are followed.

    Parameters
    ----------
    steps : Steps
    columns : dict of int to str
        The coordinates, and their names.
    discard : int
        Steps to leave out at the start.
    """

    def __init__(self, steps: Steps, columns: Mapping[int, str], discard: int) -> None:
        self.names = tuple(columns.values())
        self.n_walkers = steps.n_walkers
        self._steps = steps
        every = list(columns) == list(range(steps.ndim))
        self._columns = slice(None) if every else list(columns)
        self._discard = discard

    def count(self) -> int:
        return len(self._steps)

    def update(self) -> Progress:
        n = self.count()
        n_steps = max(0, n - self._discard)
        acceptance: Numbers | None = None
        if n:
            acceptance = np.asarray(self._steps.accepted(n), dtype=float) / n
        return Progress(self._steps.label, n_steps, n - n_steps, self.n_walkers, True, acceptance)

    def read(self, start: int, stop: int) -> Array:
        rows = range(start + self._discard, stop + self._discard)
        values: Array = self._steps.read("chain", rows)[:, :, self._columns]
        return values


def _acceptance_stats(stats: dict[str, Variable]) -> tuple[str, ...]:
    """Find the stats of a run that tell how many proposals are accepted."""
    shown = name_stats(stats)
    for name in _ACCEPTANCE:
        if name in shown:
            columns = shown[name].columns
            if all(summarized_dtype(stats[column]) is not None for column in columns):
                return columns
    return ()
