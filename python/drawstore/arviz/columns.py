"""One variable of several chains as one array, of which only what is asked for is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..interface import Chain
from ..warmup import Part

__all__ = ["Column", "with_missing"]

Array = NDArray[Any]
Key = int | slice

_BLOCK = 1 << 16  # rows that are looked at together in search of missing ones


class Column(BackendArray):
    """Draws or stats as an array of chains × draws × shape.

    Immutable: chains that grow later leave it as it is. Chains that have fewer than `n_draws` are
    filled up with missing values.

    Parameters
    ----------
    parts : sequence of Part
        A part a chain.
    kind : {"draws", "stats"}
        What the names mean.
    names : sequence of str
        One, or several of the same shape and dtype.
    shape : tuple of int
        Of one draw.
    dtype : dtype
        Of the chains.
    n_draws : int
        The length of the axis of draws.
    stacked : bool
        Whether the names become the last axis.
    draw_first : bool
        Whether the axis of draws stands before that of chains.
    zeros : bool
        Whether stats that draws miss are shown as zeros, if they are not text.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        kind: Literal["draws", "stats"],
        names: Sequence[str],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        n_draws: int,
        *,
        stacked: bool = False,
        draw_first: bool = False,
        zeros: bool = False,
    ) -> None:
        self._parts = tuple(parts)
        self._kind = kind
        self._names = tuple(names)
        self._stacked = stacked
        self._draw_first = draw_first
        self._zeros = zeros and dtype.kind != "O"
        sizes = (n_draws, len(parts)) if draw_first else (len(parts), n_draws)
        self.shape = (*sizes, *shape, *([len(names)] if stacked else []))
        self._n_draws = n_draws
        self.dtype: np.dtype[Any]
        self._fill: Any
        self.dtype, self._fill = dtype, None
        if self._misses(dtype):
            self.dtype, self._fill = with_missing(dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        # xarray stumbles over slices that run backwards over nothing.
        plain = [
            slice(0, 0) if isinstance(k, slice) and not range(size)[k] else k
            for k, size in zip(key.tuple, self.shape, strict=True)
        ]
        return indexing.explicit_indexing_adapter(
            type(key)(tuple(plain)), self.shape, indexing.IndexingSupport.BASIC, self.read
        )

    def lazy(self) -> Any:
        """Give the array as xarray holds those that are not read yet."""
        unread: Any = indexing.LazilyIndexedArray(self)
        return indexing.CopyOnWriteArray(unread)

    def read(self, key: tuple[Key, ...] | None = None) -> Array:
        """Read what the key selects; all by default.

        A view of the chain's memory where there is one chain that gives one.
        """
        key = (slice(None),) * self.ndim if key is None else key
        first, second, *inner = key
        chain_key, draw_key = (second, first) if self._draw_first else (first, second)
        parts = [self._parts[i] for i in _pick(chain_key, len(self._parts))]
        rows = _pick(draw_key, self._n_draws)
        if len(parts) == 1 and len(parts[0]) >= self._n_draws:
            out = self._rows(parts[0], rows, inner)[np.newaxis]
        else:
            out = self._stack(parts, rows, inner)
        # Integers take their axes away.
        if not isinstance(draw_key, slice):
            out = out[:, 0]
        if not isinstance(chain_key, slice):
            out = out[0]
        both = isinstance(draw_key, slice) and isinstance(chain_key, slice)
        return out.swapaxes(0, 1) if self._draw_first and both else out

    def _stack(self, parts: Sequence[Part], rows: range, inner: Sequence[Key]) -> Array:
        shape = np.empty((0, *self.shape[2:]), self.dtype)[(slice(None), *inner)].shape[1:]
        out = np.empty((len(parts), len(rows), *shape), self.dtype)
        for i, part in enumerate(parts):
            n = len(range(rows.start, min(rows.stop, len(part)), rows.step))
            if n:
                out[i, :n] = self._rows(part, rows[:n], inner)
            if n < len(rows):
                out[i, n:] = self._fill
        return out

    def _rows(self, part: Part, rows: range, inner: Sequence[Key]) -> Array:
        pieces = [self._values(part.chain, slc)[(slice(None), *inner)] for slc in part.slices(rows)]
        if not pieces:
            return np.empty((0, *self.shape[2:]), self.dtype)[(slice(None), *inner)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _values(self, chain: Chain, slc: slice) -> Array:
        columns = [self._filled(self._get(chain, name, slc)) for name in self._names]
        return np.stack(columns, axis=-1) if self._stacked else columns[0]

    def _filled(self, values: Array) -> Array:
        if not isinstance(values, np.ma.MaskedArray):
            return values.astype(self.dtype, copy=False)
        out = np.array(values.data, dtype=self.dtype)
        out[np.ma.getmaskarray(values)] = np.zeros((), self.dtype) if self._zeros else self._fill
        return out

    def _get(self, chain: Chain, name: str, slc: slice) -> Array:
        return chain.get_draws(name, slc) if self._kind == "draws" else chain.get_stats(name, slc)

    def _misses(self, dtype: np.dtype[Any]) -> bool:
        """Say whether a value is missing; where that has no influence on the dtype, it may be."""
        if any(len(part) < self._n_draws for part in self._parts):
            return True
        if self._kind == "draws" or self._zeros:
            return False
        if with_missing(dtype)[0] == dtype:
            return True
        blocks = (
            (part.chain, slc)
            for part in self._parts
            for i in range(0, self._n_draws, _BLOCK)
            for slc in part.slices(range(i, min(i + _BLOCK, self._n_draws)))
        )
        return any(
            isinstance(chain.get_stats(name, slc), np.ma.MaskedArray)
            for chain, slc in blocks
            for name in self._names
        )


def with_missing(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Any]:
    """Give the dtype that holds missing values beside those of a dtype, and what stands for them.

    NaN and NaT where the dtype has them; integers and booleans become float64 with NaN; for text
    None; for all others zeros.
    """
    if dtype.kind in "fc":
        return dtype, np.nan
    if dtype.kind in "mM":
        return dtype, cast(Any, np.array("NaT", dtype=dtype)[()])
    if dtype.kind in "biu":
        return np.dtype(np.float64), np.nan
    if dtype.kind == "O":
        return dtype, None
    return dtype, np.zeros((), dtype)[()]


def _pick(key: Key, n: int) -> range:
    """Give the indices below n that a key selects."""
    if isinstance(key, slice):
        return range(n)[key]
    index = range(n)[key]
    return range(index, index + 1)
