"""Draws and stats of a run in the groups of a tree, as its chains have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["SAMPLE_DIMS", "ChainShape", "Column"]

Array = NDArray[Any]

SAMPLE_DIMS = ("chain", "draw")
"""The dimensions of draws and stats, in no order."""


@dataclass(frozen=True)
class ChainShape:
    """A chain of a tree.

    Attributes
    ----------
    number : int
    warmup, draws : int
        How many of each it has; the groups may have more, to fill up.
    """

    number: int
    warmup: int
    draws: int


@dataclass(frozen=True)
class Column:
    """A variable or a stat of a run in a tree.

    Attributes
    ----------
    dtype : dtype
        Of its values; object where they are text.
    shape : tuple of int
        Of one value.
    warmup, draws : xarray.Variable or None
        Where it lies: None where a group has none of it.
    axis : int, optional
        Which of the values along the last axis, where several stats lie together.
    mark : bool
        Whether it marks warm-up, and lies nowhere.
    is_stat : bool
        Whether values may be missing.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    warmup: xr.Variable | None
    draws: xr.Variable | None
    axis: int | None = None
    mark: bool = False
    is_stat: bool = False

    def read(self, chain: int, n_warmup: int, rows: range) -> Array:
        """Read rows of a chain, whose first ones are warm-up; the step is positive."""
        n_first = len(range(rows.start, min(rows.stop, n_warmup), rows.step))
        first, second = rows[:n_first], rows[n_first:]
        behind = range(second.start - n_warmup, second.stop - n_warmup, second.step)
        pieces = [
            self._piece(variable, chain, part, is_warmup)
            for variable, part, is_warmup in (
                (self.warmup, first, True),
                (self.draws, behind, False),
            )
            if len(part)
        ]
        if not pieces:
            return np.empty((0, *self.shape), self.dtype)
        if len(pieces) == 1:
            return pieces[0]
        if not any(isinstance(piece, np.ma.MaskedArray) for piece in pieces):
            return np.concatenate(pieces, dtype=self.dtype)
        values = np.concatenate([np.ma.getdata(piece) for piece in pieces], dtype=self.dtype)
        mask = np.concatenate([np.ma.getmaskarray(piece) for piece in pieces])
        return np.ma.MaskedArray(values, mask)

    def _piece(
        self, variable: xr.Variable | None, chain: int, rows: range, is_warmup: bool
    ) -> Array:
        shape = (len(rows), *self.shape)
        if self.mark:
            return np.full(shape, is_warmup, self.dtype)
        if variable is None:
            return np.ma.MaskedArray(_nothing(shape, self.dtype), mask=True)
        key: dict[str, Any] = {
            "chain": chain,
            "draw": slice(rows.start, rows.stop, rows.step),
        }
        part = variable.isel({dim: key[dim] for dim in SAMPLE_DIMS if dim in variable.dims})
        values: Array = part.transpose("draw", ...).values
        if self.axis is not None:
            values = values[..., self.axis]
        return self._typed(values)

    def _typed(self, values: Array) -> Array:
        if values.dtype == self.dtype:
            # What xarray holds together already is not ours to change.
            return values if values.flags.writeable else values.view()
        if values.dtype.kind == "f" and self.dtype.kind in "biu":
            missing = np.isnan(values)
            typed = np.where(missing, 0, values).astype(self.dtype)
            rows = missing.reshape(len(values), -1).any(axis=1)
            if not (self.is_stat and rows.any()):
                return typed
            mask = np.broadcast_to(rows.reshape(-1, *[1] * (values.ndim - 1)), values.shape)
            return np.ma.MaskedArray(typed, mask)
        return values.astype(self.dtype)


def _nothing(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Give what is under a mask."""
    if dtype.kind == "O":
        return np.full(shape, "", dtype)
    if dtype.kind in "fc":
        return np.full(shape, np.nan, dtype)
    return np.zeros(shape, dtype)
