"""Reading bounded numbers of draws for figures, a slice of time in each answer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .chains import is_of_chains

if TYPE_CHECKING:
    from ...monitor.following import Followed
    from ..view import RunView

__all__ = [
    "SECONDS",
    "LastDraws",
    "Pace",
    "SpacedDraws",
    "SpacedRows",
    "columns_of",
    "kept",
    "ordinal",
]

SECONDS = 0.1
"""That an answer may take for reading."""

_FIRST = 64  # rows that are read at first, over all that there are
_FINER = 16  # times as many that are read after them
_BLOCK = 64  # rows that are read at once, at first
_SPAN = 2048  # or more, where they are from no more than so many
_BLOCK_SECONDS = 0.02
_GROWTH = 1.02
_MOST_KEPT = 4  # choices of parameters for each figure

Array = NDArray[Any]
Read = Callable[[range], Array]
_T = TypeVar("_T")


def kept(view: RunView, figure: str, chosen: tuple[str, ...], make: Callable[[], _T]) -> _T:
    """Give what a figure keeps for some parameters; made where it is not there yet.

    That of the four choices that were asked for last is there.
    """
    choices: OrderedDict[tuple[str, ...], tuple[Any, _T]]
    choices = view.kept.setdefault(figure, OrderedDict())
    found, value = choices.pop(chosen, (None, None))
    if value is None or found is not view.found:
        value = make()
    choices[chosen] = view.found, value
    while len(choices) > _MOST_KEPT:
        choices.popitem(last=False)
    return value


def columns_of(view: RunView, parameters: Sequence[str]) -> list[int]:
    """Give the indices of parameters in `RunView.names`."""
    places = {name: i for i, name in enumerate(view.names)}
    return [places[name] for name in parameters]


class Pace:
    """How many rows are read at once, so that a block takes about 20 ms, wherever they are."""

    def __init__(self) -> None:
        self._n, self._span = _BLOCK, _SPAN

    def blocks(self, rows: range, until: float) -> Iterator[range]:
        """Cut rows into blocks, as long as there is time; one comes even if there is none.

        Parameters
        ----------
        rows : range
        until : float
            By the monotonic clock.
        """
        done = 0
        while done < len(rows):
            began = time.monotonic()
            if done and began >= until:
                return
            n = max(self._n, self._span // abs(rows.step))
            yield rows[done : done + n]
            done += n
            took = time.monotonic() - began
            if took < _BLOCK_SECONDS / 2 and done <= len(rows):
                self._n *= 2
            elif took > _BLOCK_SECONDS * 2:
                self._n, self._span = max(_BLOCK, self._n // 2), self._span // 2


class Growth:
    """Says when there are so many more draws that what is computed from all is done again."""

    def __init__(self) -> None:
        self._n = -1

    def is_enough(self, n: int) -> bool:
        """Say whether n draws are more than those of the last time, by a fiftieth, or fewer."""
        if self._n <= n < _GROWTH * self._n:
            return False
        self._n = n
        return True


class SpacedRows:
    """Evenly spaced rows of what grows, from the first one on.

    A few are read at first, and many more in the answers that follow, until there are as many as
    wanted, or all. Stores read blocks of rows, so rows that are close cost little more than few.
    When they become too many, every second one is dropped.

    Parameters
    ----------
    read : callable
        ``read(rows)`` gives an ndarray of a range of rows.
    most : int
        Rows to keep, at least 1.

    Attributes
    ----------
    stride : int
        From one to the next.
    """

    def __init__(self, read: Read, most: int) -> None:
        self.stride = 1
        self._read = read
        self._pace = Pace()
        self._most = most
        self._rows: Array | None = None
        self._finer: list[Array] = []  # of those that are to take their place, from the first on
        self._finer_stride = 1
        self._n = 0

    def update(self, n: int, until: float) -> Array:
        """Read on; there are n rows by now.

        Returns
        -------
        ndarray, shape (k, ...)
            Rows 0, ``stride``, 2 ``stride``, ….
        """
        least = _stride(n, self._most)
        if self._rows is None or n < self._n:
            self._rows, self._finer = self._read(range(0)), []
            self.stride = least if n <= _SPAN else max(least, _stride(n, _FIRST))
        self._n = n
        while self.stride < least:
            self._rows = self._rows[::2]
            self.stride *= 2
        new = range(len(self._rows) * self.stride, n, self.stride)
        parts = [self._rows, *map(self._read, self._pace.blocks(new, until))]
        self._rows = np.concatenate(parts) if len(parts) > 1 else self._rows
        has_read = bool(new)  # something is read each time
        while self.stride > least and self._is_up_to_date():
            if has_read and time.monotonic() >= until:
                break
            self._refine(least, until)
            has_read = True
        return self._rows

    @property
    def is_complete(self) -> bool:
        """Say whether there are as many as wanted by now."""
        return self._is_up_to_date() and self.stride == _stride(self._n, self._most)

    def _is_up_to_date(self) -> bool:
        return self._rows is not None and len(self._rows) * self.stride >= self._n

    def _refine(self, least: int, until: float) -> None:
        if not self._finer or self._finer_stride < least:
            self._finer, self._finer_stride = [], max(least, self.stride // _FINER)
        wanted = range(0, self._n, self._finer_stride)
        done = sum(map(len, self._finer))
        for rows in self._pace.blocks(wanted[done:], until):
            self._finer.append(self._read(rows))
            done += len(rows)
        if done == len(wanted):
            self._rows, self.stride = np.concatenate(self._finer), self._finer_stride
            self._finer = []


def _stride(n: int, most: int) -> int:
    """Give the least power of two of which at most so many multiples are below n."""
    stride = 1
    while stride * most < n:
        stride *= 2
    return stride


class SpacedDraws:
    """Evenly spaced draws of some parameters, of all chains or of the ensemble.

    Parameters
    ----------
    view : RunView
    parameters : sequence of str
    most : int
        Draws of all chains and walkers together, about.

    Attributes
    ----------
    counts : list of int
        The draws that each chain had at the last update.
    """

    def __init__(self, view: RunView, parameters: Sequence[str], most: int) -> None:
        columns = columns_of(view, parameters)
        self._view = view
        self.counts = [0] * len(view.followed)
        n_series = sum(followed.n_walkers for followed in view.followed)
        each = max(1, most // max(1, n_series))
        self._of_each = [SpacedRows(_reader(followed, columns), each) for followed in view.followed]

    def update(self) -> list[Array]:
        """Read on.

        Returns
        -------
        list of ndarray, shape (n, n_walkers, n_params)
            Of each chain.
        """
        began, found = time.monotonic(), []
        with self._view.run.held_open():
            self.counts = [followed.look() for followed in self._view.followed]
            for i, (rows, n) in enumerate(zip(self._of_each, self.counts, strict=True), start=1):
                found.append(rows.update(n, began + SECONDS * i / len(self._of_each)))
        return found

    @property
    def strides(self) -> list[int]:
        """From a draw to the next, of each chain."""
        return [rows.stride for rows in self._of_each]

    @property
    def is_complete(self) -> bool:
        """Say whether there are as many as wanted by now."""
        return all(rows.is_complete for rows in self._of_each)

    @property
    def note(self) -> str:
        """Which draws these are; "" where they are all."""
        stride = max((rows.stride for rows in self._of_each), default=1)
        what = "draw of each chain" if is_of_chains(self._view) else "step"
        return "" if stride == 1 else f"every {ordinal(stride)} {what}"


class LastDraws:
    """The last draws of some parameters of a chain, without a gap.

    Parameters
    ----------
    followed : Followed
    columns : sequence of int
        The parameters.
    most : int
        Draws.

    Attributes
    ----------
    start : int
        The first of them.
    """

    def __init__(self, followed: Followed, columns: Sequence[int], most: int) -> None:
        self.start = 0
        self._read = _reader(followed, columns)
        self._pace = Pace()
        self._most = most
        self._rows: Array | None = None

    def update(self, n: int, until: float) -> Array:
        """Read those that came since, and of those before, as long as there is time.

        Returns
        -------
        ndarray, shape (k, n_walkers, n_params)
            Draws `start` to `start` + k; these are the last ones that could be read in time.
        """
        stop = self.start + (0 if self._rows is None else len(self._rows))
        if self._rows is None or n < stop or n - stop > self._most:
            self._rows, self.start = self._read(range(0)), n
            stop = n
        new = [self._read(rows) for rows in self._pace.blocks(range(stop, n), until)]
        before: list[Array] = []
        first = max(0, n - self._most)
        for rows in self._pace.blocks(range(self.start, first, -1), until):
            before.insert(0, self._read(range(rows[-1] - 1, rows[0])))
            self.start -= len(rows)
        self._rows = np.concatenate([*before, self._rows, *new])
        extra = len(self._rows) - self._most
        if extra > 0:
            self._rows = self._rows[extra:].copy()
            self.start += extra
        return self._rows


def _reader(followed: Followed, columns: Sequence[int]) -> Read:
    return lambda rows: followed.read(rows.start, rows.stop, rows.step, columns)


def ordinal(n: int) -> str:
    """Give a number as in "every 2nd"."""
    last = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th") if n % 100 not in (11, 12, 13) else "th"
    return f"{n:,}{last}"
