"""Blobs as variables of a run: one for all, or one a field where text needs its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore.dtypes import parse_dtype

from .blobs import BlobLayout

if TYPE_CHECKING:
    from drawstore.meta import Variable, VariableSpec

__all__ = ["columns_of", "declare", "join", "layout_in", "split", "spread"]

_NAME = "blobs"
_FIELD = "blobs."


def declare(layout: BlobLayout, blobs: NDArray[Any]) -> dict[str, VariableSpec]:
    """Declare the variables that hold blobs like those of a step.

    Parameters
    ----------
    layout : BlobLayout
        Of the blobs.
    blobs : ndarray, shape (n_walkers, ...)
        As emcee hands them over.

    Raises
    ------
    TypeError
        Where a store cannot keep them; the message says what to do.
    """
    try:
        if layout.dtype == object and all(blob is None for blob in blobs.flat):
            raise TypeError("all are None, which does not say what will come")
        _check_flat(layout)
        split(layout, blobs)
        return columns_of(layout, len(blobs))
    except TypeError as error:
        raise TypeError(
            f"a store cannot keep blobs of dtype {layout.dtype}, shape {layout.shape} ({error}); "
            "pass blobs_dtype=... to EnsembleSampler, with a dtype of fixed size for each blob, or "
            "keep the run in memory"
        ) from None


def columns_of(layout: BlobLayout, nwalkers: int) -> dict[str, VariableSpec]:
    """Give the variables that hold blobs of a layout."""
    return {part.name: _spec(part.dtype, (nwalkers, *part.shape)) for part in _parts(layout)}


def split(layout: BlobLayout, blobs: Any) -> dict[str, NDArray[Any]]:
    """Give the blobs of a step, as emcee hands them over, as values of the variables."""
    return spread(layout, layout.encode(blobs))


def spread(layout: BlobLayout, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Give the blobs of a step, as rows of the layout's dtype, as values of the variables."""
    if not layout.dtype.hasobject:
        return {_NAME: rows}
    rows = np.asarray(rows, dtype=layout.dtype)
    values = {part.name: part.of(rows) for part in _parts(layout)}
    return {name: _texts(v) if v.dtype.hasobject else v for name, v in values.items()}


def join(layout: BlobLayout, read: Callable[[str], NDArray[Any]]) -> NDArray[Any]:
    """Give blobs as they were, from what reads steps of a variable."""
    if not layout.dtype.hasobject or layout.dtype.names is None:
        return read(_NAME)
    columns = [(part, read(part.name)) for part in _parts(layout)]
    blobs = np.empty((*columns[0][1].shape[:2], *layout.shape), dtype=layout.dtype)
    for part, values in columns:
        part.of(blobs)[...] = values
    return blobs


def layout_in(variables: Mapping[str, Variable], dicts: bool) -> BlobLayout | None:
    """Find out what blobs a run has."""
    if _NAME in variables:
        dtype, shape = _kept(variables[_NAME])
        return BlobLayout(dtype, shape, dicts)
    fields = [
        (name[len(_FIELD) :], *_kept(variable))
        for name, variable in variables.items()
        if name.startswith(_FIELD)
    ]
    return BlobLayout(np.dtype(fields), (), dicts) if fields else None


def _kept(variable: Variable) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype = np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype)
    return dtype, tuple(variable.shape[1:])


@dataclass(frozen=True)
class _Part:
    """What one variable holds of the blobs: all of them, or a field."""

    name: str
    path: tuple[str, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def of(self, blobs: NDArray[Any]) -> NDArray[Any]:
        for field in self.path:
            blobs = blobs[field]
        return blobs


def _parts(layout: BlobLayout) -> list[_Part]:
    found: list[_Part] = []

    def visit(path: tuple[str, ...], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        shape, dtype = (*shape, *dtype.shape), dtype.base
        if dtype.names is None or not dtype.hasobject:
            found.append(_Part(".".join((_NAME, *path)), path, dtype, shape))
            return
        for field in dtype.names:
            visit((*path, field), dtype[field], shape)

    visit((), layout.dtype, layout.shape)
    return found


def _check_flat(layout: BlobLayout) -> None:
    """Check that `layout_in` finds the layout again."""
    if not layout.dtype.hasobject or layout.dtype.names is None:
        return
    if layout.shape:
        raise TypeError("arrays of several fields, one of which holds Python objects")
    fields = [layout.dtype[name].base for name in layout.dtype.names]
    if any(dtype.hasobject and dtype.names for dtype in fields):
        raise TypeError("fields within a field, one of which holds Python objects")


def _spec(dtype: np.dtype[Any], shape: tuple[int, ...]) -> VariableSpec:
    dims = ("walker", *[None] * (len(shape) - 1))
    return (str if dtype.hasobject else dtype, shape, dims)


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.frompyfunc(_text, 1, 1)(values), dtype=object)


def _text(value: Any) -> str:
    """Give what is to be text; None, of a walker without a blob, is the empty one."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError(f"one is of type {type(value).__name__}")
    return value
