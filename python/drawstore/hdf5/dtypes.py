"""Dtypes as HDF5 keeps them: NumPy's own, but for strings."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["file_dtype", "from_file", "memory_dtype", "object_parts", "to_file"]


def file_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype of a dataset that holds values of a dtype.

    NumPy's fixed-width strings become UTF-8 of a fixed number of bytes, Python objects become
    strings of any length, also in the fields of a structured dtype.

    Raises
    ------
    TypeError
        Where HDF5 has nothing of the kind.
    """
    converted: np.dtype[Any] = _convert(dtype)
    h5py.h5t.py_create(converted, logical=True)
    return converted


def memory_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype that values of a dataset's dtype have when they are read back."""
    if dtype.names is not None:
        if not any(h5py.check_string_dtype(dtype[name].base) for name in dtype.names):
            return dtype
        return np.dtype(
            [(name, memory_dtype(dtype[name].base), dtype[name].shape) for name in dtype.names]
        )
    text = h5py.check_string_dtype(dtype)
    if text is None or (text.length is not None and text.encoding != "utf-8"):
        return dtype
    return np.dtype(object) if text.length is None else np.dtype(f"U{max(1, text.length // 4)}")


def to_file(rows: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert rows to the dtype that `file_dtype` gave for them."""
    if rows.dtype.names is not None and rows.dtype != dtype:
        out = np.empty(rows.shape, dtype=dtype)
        for name in rows.dtype.names:
            out[name] = to_file(rows[name], dtype[name].base)
        return out
    if rows.dtype.kind == "U":
        return np.char.encode(rows, "utf-8").astype(dtype)
    if rows.dtype.kind == "O":
        return np.asarray(np.frompyfunc(_text, 1, 1)(rows)).astype(dtype)
    return rows


def from_file(rows: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert rows read from a dataset of this dtype to what they were."""
    wanted = memory_dtype(dtype)
    if dtype.names is not None and wanted != dtype:
        out = np.empty(rows.shape, dtype=wanted)
        for name in dtype.names:
            out[name] = from_file(rows[name], dtype[name].base)
        return out
    if wanted.kind == "U":
        return np.char.decode(rows, "utf-8").astype(wanted)
    if wanted.kind == "O":
        return np.asarray(np.frompyfunc(_decode, 1, 1)(rows))
    return rows


def object_parts(rows: NDArray[Any]) -> list[NDArray[Any]]:
    """List the parts of rows that hold Python objects: the rows, or some of their fields."""
    if rows.dtype.names is None:
        return [rows] if rows.dtype.hasobject else []
    return [rows[name] for name in rows.dtype.names if rows.dtype[name].base.hasobject]


def _convert(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.names is not None:
        if not any(dtype[name].base.kind in "UO" for name in dtype.names):
            return dtype
        return np.dtype(
            [(name, _convert(dtype[name].base), dtype[name].shape) for name in dtype.names]
        )
    if dtype.kind == "U":
        width = max(1, dtype.itemsize)  # four bytes a character in both
    elif dtype.kind == "O":
        width = None
    else:
        return dtype
    string: np.dtype[Any] = h5py.string_dtype("utf-8", width)
    return string


def _text(value: Any) -> Any:
    return "" if value is None else value


def _decode(value: bytes | str) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
