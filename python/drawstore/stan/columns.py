"""The columns of Stan CSV as variables and sampler stats."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Columns"]

_INTEGER, _BOOL, _FLOAT, _COMPLEX = map(np.dtype, (np.int64, np.bool_, np.float64, np.complex128))

# ArviZ's words for the sampler's columns, whose names end in two underscores.
_STATS = {
    "accept_stat__": ("acceptance_rate", _FLOAT),
    "stepsize__": ("step_size", _FLOAT),
    "treedepth__": ("tree_depth", _INTEGER),
    "n_leapfrog__": ("n_steps", _INTEGER),
    "divergent__": ("diverging", _BOOL),
    "path__": ("path", _INTEGER),
}
_BRACKETS = re.compile(r"\[(\d+(?:,\d+)*)\]")
_PART = re.compile(r"(.*?)((?:\.\d+)*)", re.DOTALL)


@dataclass(frozen=True)
class Column:
    """One or more columns of a file that belong together: a variable, or a sampler stat.

    Attributes
    ----------
    name : str
    kind : {"draws", "stats"}
    dtype : dtype
    shape : tuple of int
        Of one draw.
    columns : tuple of int
        Where its numbers stand in a row of the file, in C order; of complex ones first the real,
        then the imaginary part.
    """

    name: str
    kind: Literal["draws", "stats"]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    columns: tuple[int, ...]


class Columns:
    """The variables and stats in the order of a file.

    Stan gives a container a column an element, ``theta.1.2``, counted from 1, usually in Fortran
    order; only the numbers in the names count here. Parts of tuples, ``pair:1``, are variables of
    their own, also of those in arrays: ``pairs.2:1.3`` is element [1, 2] of ``pairs:1``. ``z.real``
    and ``z.imag`` are one complex number. The file does not say which variables are integers.

    Parameters
    ----------
    header : sequence of str
        The names of the columns.

    Raises
    ------
    ValueError
        Where two columns have one name, or one has none.
    """

    def __init__(self, header: Sequence[str]) -> None:
        ((name, times),) = Counter(header).most_common(1)
        if times > 1:
            raise ValueError(f"two columns are named {name!r}")
        if "" in header:
            raise ValueError(f"column {header.index('') + 1} has no name")
        self.header = tuple(header)
        self.all = _columns(header)
        self._of_column = np.empty(len(header), np.int64)
        self._within = np.empty(len(header), np.int64)
        for i, item in enumerate(self.all):
            self._of_column[list(item.columns)] = i
            self._within[list(item.columns)] = np.arange(len(item.columns))

    def of(self, kind: Literal["draws", "stats"]) -> dict[str, Column]:
        """Give the variables, or the stats, by name."""
        return {item.name: item for item in self.all if item.kind == kind}

    def places(
        self, wanted: Sequence[int], n_rows: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]]:
        """Give each wanted one room of its own in one array, in C order.

        Parameters
        ----------
        wanted : sequence of int
            Numbers of variables and stats.
        n_rows : int

        Returns
        -------
        offsets, strides : ndarray of int64
            For each column of the file where its first number goes, -1 where it is not wanted, and
            how far apart they are.
        begins : list of int
            Where the room of each begins, and at last where that of all ends.
        """
        sizes = np.array([len(item.columns) for item in self.all], np.int64)
        begins = [0]
        starts = np.full(len(self.all), -1, np.int64)
        for i in wanted:
            starts[i] = begins[-1]
            begins.append(begins[-1] + int(sizes[i]) * n_rows)
        offsets = starts[self._of_column]
        offsets[offsets >= 0] += self._within[offsets >= 0]
        return offsets, sizes[self._of_column], begins


def _columns(header: Sequence[str]) -> list[Column]:
    groups: dict[str, list[tuple[tuple[int, ...], int]]] = {}
    is_complex: dict[str, bool] = {}
    for number, full in enumerate(header):
        name, index, part = _split(full)
        groups.setdefault(name, []).append((index, number))
        is_complex[name] = is_complex.get(name, True) and part is not None
    columns = []
    for name, elements in groups.items():
        kind: Literal["draws", "stats"] = "stats" if name.endswith("__") else "draws"
        shown, dtype = _STATS.get(name, (name.removesuffix("__"), _FLOAT))
        placed = _in_order(elements)
        if placed is None or (is_complex[name] and placed[0][-1] != 2):
            # Not a whole array: each column by itself, under its own name.
            columns += [Column(header[n], kind, _FLOAT, (), (n,)) for _, n in elements]
            continue
        shape, numbers = placed
        if is_complex[name]:
            shape, dtype = shape[:-1], _COMPLEX
        columns.append(Column(shown, kind, dtype, shape, numbers))
    return columns


def _split(full: str) -> tuple[str, tuple[int, ...], str | None]:
    """Take a name apart: the variable's, the indices from 0, and ".real" or ".imag"."""
    dotted = _BRACKETS.sub(lambda match: "." + match[1].replace(",", "."), full)
    names, indices, part = [], "", None
    for piece in dotted.split(":"):
        for suffix in (".real", ".imag"):
            if piece.endswith(suffix):
                piece, part = piece.removesuffix(suffix), suffix
        match = _PART.fullmatch(piece)
        assert match is not None  # it matches all
        names.append(match[1])
        indices += match[2]
    index = tuple(int(i) - 1 for i in indices.split(".")[1:])
    if part is not None:
        index = (*index, 0 if part == ".real" else 1)
    return ":".join(names), index, part


def _in_order(
    elements: Sequence[tuple[tuple[int, ...], int]],
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Give the shape of an array, and the columns of its elements in C order, if it is whole."""
    shape = tuple(max(axis) + 1 for axis in zip(*(index for index, _ in elements), strict=False))
    by_index = dict(elements)
    same_ndim = all(len(index) == len(shape) for index, _ in elements)
    whole = len(by_index) == len(elements) == math.prod(shape)
    if not same_ndim or not whole or any(i < 0 for index in by_index for i in index):
        return None
    return shape, tuple(number for _, number in sorted(elements))
