"""One file of Stan as a chain's draws and stats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drawstore._core import StanCsv

from .columns import Column, Columns
from .comments import read_comments

__all__ = ["MARK", "Source"]

Array = NDArray[Any]
Kind = Literal["draws", "stats"]

MARK = "in_warmup"
"""The stat that says of a draw whether it was saved during warm-up; no column of the file."""

_WITHOUT_DRAWS = {
    "optimize": "a point estimate",
    "diagnose": "a test of gradients",
    "log_prob": "log densities and gradients",
}


class Source:
    """A file of Stan, which may still be growing.

    Parameters
    ----------
    path : str
    kept_bytes : int
        How much of what was read last is kept: who asks for one variable after the other would
        else have the same lines read again and again.

    Raises
    ------
    ValueError
        Where it is none, or holds no draws.
    """

    def __init__(self, path: str, kept_bytes: int) -> None:
        self.path = path
        self._file = StanCsv(path)
        self._kept_bytes = kept_bytes
        self._kept: tuple[range, dict[int, Array]] = range(0), {}
        self._known = 0
        try:
            self.columns = Columns(self._file.columns)
        except ValueError as error:
            raise ValueError(f"the header row of {path}: {error}") from None
        # Where nothing is adapted there is no warm-up, whatever the settings say.
        self._adapts = "stepsize__" in self.columns.header
        self._numbers = {(item.kind, item.name): i for i, item in enumerate(self.columns.all)}
        self.refresh()
        if found := _WITHOUT_DRAWS.get(self.notes.method):
            raise ValueError(
                f"{path} is of cmdstan's method {self.notes.method!r}, and holds {found}, no draws"
            )
        # ADVI writes the mean of its approximation above the draws from it.
        self._first = 1 if self.notes.method == "variational" else 0

    def refresh(self) -> None:
        """Read the comments again, and forget what was kept."""
        self._kept = range(0), {}
        self._file.refresh()
        self.notes = read_comments(self._file.comments())

    def __len__(self) -> int:
        self._known = max(0, self._file.refresh() - self._first)
        return self._known

    def rows(self, slc: slice) -> range:
        """Say which draws a slice means, as of now."""
        start, stop, step = slc.start, slc.stop, slc.step
        if None not in (start, stop) and 0 <= start <= stop <= self._known and (step or 1) > 0:
            return range(self._known)[slc]  # draws that came since change nothing
        return range(len(self))[slc]

    @property
    def n_warmup(self) -> int:
        """How many draws of the warm-up were saved, or will be."""
        return self.notes.n_warmup_saved if self._adapts else 0

    def read(self, kind: Kind, name: str, rows: range) -> Array:
        """Read a variable or a stat.

        Parameters
        ----------
        kind, name : str
        rows : range
            Ascending.

        Raises
        ------
        KeyError
            Where there is none of that name.
        ValueError
            Where a row is damaged.
        """
        if (kind, name) == ("stats", MARK) and self.n_warmup:
            return _read_only(np.arange(rows.start, rows.stop, rows.step) < self.n_warmup)
        if (kind, name) not in self._numbers:
            known = [*self.columns.of(kind), *([MARK] if kind == "stats" else [])]
            raise KeyError(f"there is no {name!r}; there are {', '.join(map(repr, known))}")
        return self._as_declared(self._numbers[kind, name], rows)

    def means(self) -> Mapping[str, Array]:
        """Give the mean of each variable, where the method has written it."""
        if not self._first or not self._file.refresh():
            return {}
        return {
            name: self.read("draws", name, range(-1, 0))[0] for name in self.columns.of("draws")
        }

    def _as_declared(self, number: int, rows: range) -> Array:
        item, numbers = self.columns.all[number], self._read(number, rows)
        if item.dtype.kind in "bi":
            with np.errstate(invalid="ignore"):
                whole = numbers.astype(np.int64)
            wrong = np.flatnonzero(whole != numbers)
            if item.dtype.kind == "b":
                wrong = np.flatnonzero((numbers != 0) & (numbers != 1))
            if len(wrong):
                raise ValueError(
                    f"{self.path}: {self.columns.header[item.columns[0]]} is "
                    f"{'0 or 1' if item.dtype.kind == 'b' else 'an integer'}, but "
                    f"{numbers[wrong[0]]:g} in draw {rows[int(wrong[0])]}"
                )
            return _read_only(whole.astype(item.dtype))
        return numbers

    def _read(self, number: int, rows: range) -> Array:
        """Give one item, and keep it with those behind it, of which the next may be asked for."""
        kept_rows, kept = self._kept
        if kept_rows == rows and number in kept:
            return kept[number]
        wanted = self._together(number, len(rows))
        offsets, strides, begins = self.columns.places(wanted, len(rows))
        into = np.empty(begins[-1])
        if rows:
            start, stop = rows[0] + self._first, rows[-1] + 1 + self._first
            self._file.read(start, stop, rows.step, offsets, strides, into)
        _read_only(into)
        kept = {
            i: _shaped(self.columns.all[i], into[begin:end], len(rows))
            for i, begin, end in zip(wanted, begins, begins[1:], strict=False)
        }
        self._kept = (rows, kept) if into.nbytes <= self._kept_bytes else (range(0), {})
        return kept[number]

    def _together(self, number: int, n_rows: int) -> list[int]:
        """Say what to read with an item: all, or those behind it for which there is room."""
        sizes = [8 * n_rows * len(item.columns) for item in self.columns.all]
        if sum(sizes) <= self._kept_bytes:
            return list(range(len(sizes)))
        wanted, total = [number], sizes[number]
        for i in range(number + 1, len(sizes)):
            total += sizes[i]
            if total > self._kept_bytes:
                break
            wanted.append(i)
        return wanted


def _read_only(values: Array) -> Array:
    values.flags.writeable = False
    return values


def _shaped(item: Column, numbers: Array, n_rows: int) -> Array:
    if item.dtype.kind == "c":
        numbers = numbers.view(np.complex128)
    return numbers.reshape(n_rows, *item.shape)
