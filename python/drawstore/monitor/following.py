"""What is followed as it grows: a chain, or an ensemble of walkers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from ..ensemble import as_slice
from ..samplers import is_divergence, name_stats
from ..summary import summarized_dtype
from ..warmup import GrowingPart, is_mark
from .status import Numbers, Progress

if TYPE_CHECKING:
    from ..ensemble import Steps
    from ..interface import Chain, Run
    from ..meta import Variable

__all__ = [
    "Followed",
    "FollowedChain",
    "FollowedEnsemble",
    "FollowedWalkers",
    "acceptance_stats",
]

Array = NDArray[Any]
_Index = slice | list[int]

_ACCEPTANCE = ("acceptance_rate", "accepted", "accept")  # as samplers call it; the first counts


class Followed(ABC):
    """A chain or an ensemble.

    Attributes
    ----------
    names : tuple of str
        Of the parameters.
    label : str
        The number of a chain, or the name of an ensemble.
    n_walkers : int
        1 for a chain.
    """

    names: tuple[str, ...]
    label: str
    n_walkers: int = 1

    @abstractmethod
    def count(self) -> int:
        """Say how many draws there are by now, those that do not count among them."""

    @abstractmethod
    def look(self) -> int:
        """Look for draws that came since, and say how many count; costs less than `update`."""

    @abstractmethod
    def update(self) -> Progress:
        """Look at the draws that came since."""

    @abstractmethod
    def read(
        self, start: int, stop: int, step: int = 1, columns: Sequence[int] | None = None
    ) -> Array:
        """Read draws that count, every one or each ``step``-th, of all parameters or of some.

        Parameters
        ----------
        start, stop, step : int
            As of a range; of those that were there at the last look.
        columns : sequence of int, optional
            The parameters, as indices of `names`, in this order.

        Returns
        -------
        ndarray, shape (n, n_walkers, n_params)
        """

    @abstractmethod
    def read_columns(self, parameters: Sequence[int], start: int, stop: int) -> list[Array]:
        """Read some parameters of draws by their numbers in the chain, warm-up among them.

        Parameters
        ----------
        parameters : sequence of int
            Places among `names`.
        start, stop : int
            The first draw, and the one after the last; there are as many.

        Returns
        -------
        list of ndarray, shape (stop - start, n_walkers)
            Of each parameter, of its own dtype.
        """

    @abstractmethod
    def row_bytes(self, parameters: Sequence[int]) -> int:
        """Estimate what is read for each draw where these parameters are."""

    def find_warmup(self, most: int) -> tuple[tuple[range, ...], int]:
        """Say which draws are warm-up, and up to which draw that is known.

        Parameters
        ----------
        most : int
            So many draws more are looked at.
        """
        return (), self.count()


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
        sizes = {name: math.prod(declared[name].shape) for name in variables}
        self._row_bytes = {
            name: size * parse_dtype(declared[name].dtype).itemsize for name, size in sizes.items()
        }
        # Of each element, its variable and its place in that when it is flat.
        self._elements = [(name, i) for name, size in sizes.items() for i in range(size)]
        self.names = tuple(
            f"{name}[{','.join(map(str, i))}]" if i else name
            for name in variables
            for i in np.ndindex(*declared[name].shape)
        )
        self._all = self._places(range(len(self.names)))
        stats = run.sample_stats
        self._chain = chain
        self._growing = GrowingPart(chain, [name for name in stats if is_mark(name)])
        self._acceptance = acceptance_stats(stats)
        self._divergence = [name for name in stats if is_divergence(name)]
        self._accepted = self._asked = 0.0  # sum and number of what the former said
        self._n_divergent = 0
        self._n_seen = 0  # draws after warm-up of which they were read
        self._discard = discard
        self.label = label

    def count(self) -> int:
        return len(self._chain)

    @property
    def warmup(self) -> tuple[range, ...]:
        """The draws of the chain that are warm-up, as of the last look."""
        return self._growing.warmup

    def look(self) -> int:
        self._growing.update()
        return max(0, len(self._growing.part) - self._discard)

    def update(self) -> Progress:
        n_steps = self.look()
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
        return Progress(
            self.label,
            n_steps,
            self._growing.n_draws - n_steps,
            1,
            False,
            np.array([self._accepted / self._asked]) if self._asked else None,
            self._n_divergent if self._divergence else None,
        )

    def read(
        self, start: int, stop: int, step: int = 1, columns: Sequence[int] | None = None
    ) -> Array:
        rows = range(start + self._discard, stop + self._discard, step)
        places = self._all if columns is None else self._places(columns)
        n_params = len(self.names) if columns is None else len(columns)
        values = np.empty((len(rows), 1, n_params))
        done = 0
        for slc in self._growing.part.slices(rows):
            end = done + len(range(slc.start, slc.stop, step))
            for name, (to, of) in places.items():
                draws = self._chain.get_draws(name, slc).reshape(end - done, -1)
                values[done:end, 0, to] = draws[:, of]
            done = end
        return values

    def _places(self, columns: Sequence[int]) -> dict[str, tuple[_Index, _Index]]:
        """Say for each variable where its elements are to be put, and which."""
        places: dict[str, tuple[list[int], list[int]]] = {}
        for column, i in enumerate(columns):
            name, element = self._elements[i]
            to, of = places.setdefault(name, ([], []))
            to.append(column)
            of.append(element)
        return {name: (as_slice(to), as_slice(of)) for name, (to, of) in places.items()}

    def read_columns(self, parameters: Sequence[int], start: int, stop: int) -> list[Array]:
        rows: dict[str, Array] = {}
        columns = []
        for name, i in (self._elements[parameter] for parameter in parameters):
            if name not in rows:
                draws = self._chain.get_draws(name, slice(start, stop))
                rows[name] = draws.reshape(len(draws), math.prod(draws.shape[1:]))
            columns.append(rows[name][:, i : i + 1])
        return columns

    def row_bytes(self, parameters: Sequence[int]) -> int:
        names = {self._elements[parameter][0] for parameter in parameters}
        return sum(self._row_bytes[name] for name in names)

    def find_warmup(self, most: int) -> tuple[tuple[range, ...], int]:
        self._growing.update(most)
        return self._growing.warmup, self._growing.n_draws


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
        self.label = label

    def count(self) -> int:
        return min(walker.count() for walker in self._walkers)

    def look(self) -> int:
        return min(walker.look() for walker in self._walkers)

    def update(self) -> Progress:
        each = [walker.update() for walker in self._walkers]
        n_steps = min(walker.n_steps for walker in each)
        said = [walker.acceptance for walker in each if walker.acceptance is not None]
        return Progress(
            self.label,
            n_steps,
            max(0, min(walker.n_steps + walker.n_left_out for walker in each) - n_steps),
            self.n_walkers,
            True,
            np.concatenate(said) if len(said) == len(each) else None,
        )

    def read(
        self, start: int, stop: int, step: int = 1, columns: Sequence[int] | None = None
    ) -> Array:
        each = [walker.read(start, stop, step, columns) for walker in self._walkers]
        return np.concatenate(each, axis=1)

    def read_columns(self, parameters: Sequence[int], start: int, stop: int) -> list[Array]:
        each = [walker.read_columns(parameters, start, stop) for walker in self._walkers]
        return [np.concatenate(columns, axis=1) for columns in zip(*each, strict=True)]

    def row_bytes(self, parameters: Sequence[int]) -> int:
        return self.n_walkers * self._walkers[0].row_bytes(parameters)

    def find_warmup(self, most: int) -> tuple[tuple[range, ...], int]:
        return self._walkers[0].find_warmup(most)


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
        self.label = steps.label
        self.n_walkers = steps.n_walkers
        self._steps = steps
        self._places = list(columns)
        self._discard = discard

    def count(self) -> int:
        return len(self._steps)

    def look(self) -> int:
        return max(0, self.count() - self._discard)

    def update(self) -> Progress:
        n = self.count()
        n_steps = max(0, n - self._discard)
        acceptance: Numbers | None = None
        if n:
            acceptance = np.asarray(self._steps.accepted(n), dtype=float) / n
        return Progress(self.label, n_steps, n - n_steps, self.n_walkers, True, acceptance)

    def read(
        self, start: int, stop: int, step: int = 1, columns: Sequence[int] | None = None
    ) -> Array:
        chosen = self._places if columns is None else [self._places[i] for i in columns]
        rows = range(start + self._discard, stop + self._discard, step)
        values: Array = self._steps.read("chain", rows)[:, :, as_slice(chosen)]
        return values

    def read_columns(self, parameters: Sequence[int], start: int, stop: int) -> list[Array]:
        coords = self._steps.read("chain", range(start, stop))
        return [coords[:, :, self._places[parameter]] for parameter in parameters]

    def row_bytes(self, parameters: Sequence[int]) -> int:
        return 8 * self.n_walkers * self._steps.ndim


def acceptance_stats(stats: dict[str, Variable]) -> tuple[str, ...]:
    """Find the stats of a run that tell how many proposals are accepted."""
    shown = name_stats(stats)
    for name in _ACCEPTANCE:
        if name in shown:
            columns = shown[name].columns
            if all(summarized_dtype(stats[column]) is not None for column in columns):
                return columns
    return ()
