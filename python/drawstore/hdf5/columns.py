"""How draws of one variable lie in a group: as rows of a dataset, or as values and their ends."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from drawstore.dtypes import parse_dtype

from .rows import append_rows, chunk_rows, read_rows

if TYPE_CHECKING:
    from drawstore.meta import Variable

__all__ = ["Block", "Column", "Rigid", "column_of", "expected_rows"]

_LEAST_ROWS = 4096  # that are expected of a chain of which nothing is known


@dataclass(frozen=True)
class Block:
    """Where a block of draws goes, and how datasets are made for it.

    Attributes
    ----------
    start, n_rows : int
        The first row, and how many.
    expected : int
        Rows that the chain will have as far as is known.
    compression, compression_opts
        Of h5py.
    """

    start: int
    n_rows: int
    expected: int
    compression: Any
    compression_opts: Any

    def append(
        self,
        group: h5py.Group,
        key: str,
        start: int,
        values: NDArray[Any],
        shape: tuple[int, ...] = (),
    ) -> None:
        """Append values to a dataset, which is made where there is none yet.

        Parameters
        ----------
        group : h5py.Group
        key : str
            The name of the dataset in it.
        start : int
            Where the first of the values goes, in the dataset; what was behind it is replaced.
        values : ndarray, shape (n, *shape)
        shape : tuple of int
            Of one of them.
        """
        dataset = group.get(key)
        if dataset is None:
            per_draw = len(values) / max(1, self.n_rows)
            expected = max(len(values), math.ceil(per_draw * max(self.expected, self.n_rows)), 1)
            value_bytes = math.prod(shape) * values.dtype.itemsize
            rows = min(chunk_rows(value_bytes), max(1, math.ceil(expected / 4)))
            dataset = group.create_dataset(
                key,
                shape=(0, *shape),
                maxshape=(None, *shape),
                chunks=(rows, *shape),
                dtype=values.dtype,
                compression=self.compression,
                compression_opts=self.compression_opts,
                fletcher32=True,
            )
        append_rows(dataset, start, values)


def expected_rows(announced: int, n_rows: int) -> int:
    """Guess how many rows a chain will have.

    Parameters
    ----------
    announced : int
        What its writer said, or 0.
    n_rows : int
        Rows that there are.
    """
    return max(announced, n_rows) if announced else max(_LEAST_ROWS, 4 * n_rows)


class Column(ABC):
    """One variable, or one sampler stat, of a chain."""

    @abstractmethod
    def append(self, group: h5py.Group, key: str, block: Block, rows: NDArray[Any]) -> None:
        """Append rows, as `drawstore.Chain.get_draws` gives them."""

    @abstractmethod
    def read(self, group: h5py.Group, key: str, start: int, stop: int, step: int) -> NDArray[Any]:
        """Read every ``step``-th row of [start, stop), in the same form, read-only."""

    @abstractmethod
    def empty(self) -> NDArray[Any]:
        """Give what stands for no rows."""


class Rigid(Column):
    """Draws of one size are rows of a dataset.

    Parameters
    ----------
    dtype : dtype
    shape : tuple of int
        Of one draw.
    """

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape
        self._stored = _stored_dtype(dtype)
        self.row_bytes = math.prod(shape) * dtype.itemsize

    def append(self, group: h5py.Group, key: str, block: Block, rows: NDArray[Any]) -> None:
        if self.row_bytes:  # of what has no bytes, nothing is stored
            rows = np.ascontiguousarray(rows).view(self._stored)
            block.append(group, key, block.start, rows, self.shape)

    def read(self, group: h5py.Group, key: str, start: int, stop: int, step: int) -> NDArray[Any]:
        if self.row_bytes:
            rows = read_rows(group[key], start, stop, step).view(self.dtype)
        else:
            rows = np.zeros((len(range(start, stop, step)), *self.shape), dtype=self.dtype)
        return _frozen(rows)

    def empty(self) -> NDArray[Any]:
        return _frozen(np.empty((0, *self.shape), dtype=self.dtype))


class Ragged(Column):
    """Draws of any size: their values one after the other, and where each ends.

    The group of such a variable has the datasets

    - ``values``: the elements of all draws; of text its bytes in UTF-8
    - ``text_ends``, of text only: for each string, where it ends in ``values``
    - ``ends``, where the shape differs: for each draw, how many elements end with it
    - ``shapes``, unless draws are vectors: the lengths of the dimensions, draw after draw
    - ``shape_ends``, where the number of dimensions differs: where a draw ends in ``shapes``

    Parameters
    ----------
    dtype : dtype or None
        None for text.
    shape : tuple of int
        Of one draw; -1 where it differs.
    undefined_ndim : bool
        Whether the number of dimensions differs.
    """

    def __init__(
        self, dtype: np.dtype[Any] | None, shape: tuple[int, ...], undefined_ndim: bool
    ) -> None:
        self._dtype = dtype
        self._stored = np.dtype(np.uint8) if dtype is None else _stored_dtype(dtype)
        self._shape = shape
        self._differs = undefined_ndim or -1 in shape
        self._ndim = None if undefined_ndim else len(shape)
        self._is_vector = not undefined_ndim and shape == (-1,)

    def append(self, group: h5py.Group, key: str, block: Block, rows: NDArray[Any]) -> None:
        part = group.require_group(key)
        if not self._differs:
            first = block.start * math.prod(self._shape)
            self._append_values(part, block, first, rows.reshape(-1))
            return
        items = [np.asarray(item) for item in rows]
        first = _append_ends(part, "ends", block, block.start, [item.size for item in items])
        self._append_values(
            part, block, first, np.concatenate([item.reshape(-1) for item in items])
        )
        if self._is_vector:
            return
        if self._ndim is None:
            counts = [item.ndim for item in items]
            first = _append_ends(part, "shape_ends", block, block.start, counts)
        else:
            first = block.start * self._ndim
        lengths = [length for item in items for length in item.shape]
        block.append(part, "shapes", first, np.array(lengths, dtype=np.int64))

    def _append_values(
        self, part: h5py.Group, block: Block, first: int, values: NDArray[Any]
    ) -> None:
        if self._dtype is None:
            texts = [text.encode() for text in values.tolist()]
            first = _append_ends(part, "text_ends", block, first, [len(text) for text in texts])
            values = np.frombuffer(b"".join(texts), dtype=np.uint8)
        if self._stored.itemsize:
            values = np.ascontiguousarray(values, dtype=self._dtype).view(self._stored)
            block.append(part, "values", first, values)

    def read(self, group: h5py.Group, key: str, start: int, stop: int, step: int) -> NDArray[Any]:
        n = len(range(start, stop, step))
        if n == 0:
            return self.empty()
        part = group[key]
        if not self._differs:
            size = math.prod(self._shape)
            values = self._read_values(part, start * size, stop * size)
            return _frozen(values.reshape(stop - start, *self._shape)[::step])
        ends = _read_ends(part, "ends", start, stop)
        values = _frozen(self._read_values(part, ends[0], ends[-1]))
        shapes = self._read_shapes(part, start, stop)
        rows = np.empty(n, dtype=object)
        for i, row in enumerate(range(0, stop - start, step)):
            item = values[ends[row] - ends[0] : ends[row + 1] - ends[0]]
            rows[i] = item if shapes is None else item.reshape(shapes[row])
        return _frozen(rows)

    def _read_shapes(self, part: h5py.Group, start: int, stop: int) -> list[list[int]] | None:
        if self._is_vector:
            return None
        if self._ndim is None:
            ends = _read_ends(part, "shape_ends", start, stop)
        else:
            ends = [row * self._ndim for row in range(start, stop + 1)]
        lengths = read_rows(part["shapes"], ends[0], ends[-1]).tolist()
        return [lengths[a - ends[0] : b - ends[0]] for a, b in pairwise(ends)]

    def _read_values(self, part: h5py.Group, first: int, last: int) -> NDArray[Any]:
        if self._dtype is not None:
            if not self._stored.itemsize:
                return np.zeros(last - first, dtype=self._dtype)
            return read_rows(part["values"], first, last).view(self._dtype)
        ends = _read_ends(part, "text_ends", first, last)
        data = read_rows(part["values"], ends[0], ends[-1]).tobytes()
        texts = np.empty(last - first, dtype=object)
        texts[:] = [data[a - ends[0] : b - ends[0]].decode() for a, b in pairwise(ends)]
        return texts

    def empty(self) -> NDArray[Any]:
        return _frozen(np.empty((0,) if self._differs else (0, *self._shape), dtype=object))


def column_of(variable: Variable) -> Column:
    """Give the column of a variable that a run declares."""
    shape = tuple(variable.shape)
    if variable.dtype == "str":
        return Ragged(None, shape, variable.undefined_ndim)
    dtype = parse_dtype(variable.dtype)
    if variable.undefined_ndim or -1 in shape:
        return Ragged(dtype, shape, variable.undefined_ndim)
    return Rigid(dtype, shape)


def _append_ends(part: h5py.Group, key: str, block: Block, start: int, lengths: list[int]) -> int:
    """Append where things of such lengths end; gives where the first of them begins."""
    first = int(part[key][start - 1]) if start else 0
    block.append(part, key, start, first + np.cumsum(lengths, dtype=np.int64))
    return first


def _read_ends(part: h5py.Group, key: str, start: int, stop: int) -> list[int]:
    """Give where things begin and end: one number more than there are things."""
    before = [] if start else [0]
    if start == stop:
        return before or part[key][start - 1 : start].tolist()
    return [*before, *read_rows(part[key], max(0, start - 1), stop).tolist()]


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype of a dataset that holds the bytes of such values exactly.

    It is the same, where HDF5 has it, so that other programs read it; else bytes of that number.
    """
    try:
        if h5py.h5t.py_create(dtype, logical=True).dtype == dtype:
            return dtype
    except (TypeError, ValueError):
        pass
    return np.dtype((np.void, dtype.itemsize))


def _frozen(values: NDArray[Any]) -> NDArray[Any]:
    values.flags.writeable = False
    return values
