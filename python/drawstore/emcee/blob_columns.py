"""Blobs as variables of a run: one for all, or one a field where text needs its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore.dtypes import parse_dtype

from .blobs import BlobLayout

if TYPE_CHECKING:
    from drawstore.meta import Variable, VariableSpec

__all__ = ["declare", "join", "layout_in", "split"]

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
        split(layout, blobs)
        return {
            name: _spec(dtype, (len(blobs), *shape))
            for name, (dtype, shape) in _parts(layout).items()
        }
    except TypeError as error:
        raise TypeError(
            f"a store cannot keep blobs of dtype {layout.dtype}, shape {layout.shape} ({error}); "
            "pass blobs_dtype=... to EnsembleSampler, with a dtype of fixed size for each blob, or "
            "keep the run in memory"
        ) from None


def split(layout: BlobLayout, blobs: Any) -> dict[str, NDArray[Any]]:
    """Give the blobs of a step as values of the variables."""
    rows = layout.encode(blobs)
    if not layout.dtype.hasobject:
        return {_NAME: rows}
    if layout.dtype.names is None:
        return {_NAME: _texts(rows)}
    rows = np.asarray(rows, dtype=layout.dtype)
    return {
        name: _texts(rows[name[len(_FIELD) :]]) if dtype.hasobject else rows[name[len(_FIELD) :]]
        for name, (dtype, _) in _parts(layout).items()
    }


def join(layout: BlobLayout, read: Callable[[str], NDArray[Any]]) -> NDArray[Any]:
    """Give blobs as they were, from what reads steps of a variable."""
    if not layout.dtype.hasobject or layout.dtype.names is None:
        return read(_NAME)
    columns = {name[len(_FIELD) :]: read(name) for name in _parts(layout)}
    shape = next(iter(columns.values())).shape[:2]
    blobs = np.empty((*shape, *layout.shape), dtype=layout.dtype)
    for name, values in columns.items():
        blobs[name] = values
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


def _parts(layout: BlobLayout) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    if not layout.dtype.hasobject or layout.dtype.names is None:
        return {_NAME: (layout.dtype, layout.shape)}
    if layout.shape:
        raise TypeError("arrays of several fields, one of which holds Python objects")
    fields = [(name, layout.dtype[name]) for name in layout.dtype.names]
    if any(dtype.base.hasobject and dtype.base.names for _, dtype in fields):
        raise TypeError("fields within a field, one of which holds Python objects")
    return {_FIELD + name: (dtype.base, dtype.shape) for name, dtype in fields}


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
