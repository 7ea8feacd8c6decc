"""Dtypes as HDF5 keeps them: NumPy's own, but for strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["as_texts", "file_dtype", "from_file", "memory_dtype", "to_file"]


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
        if not _any_part(dtype, h5py.check_string_dtype):
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
    if rows.dtype.names is not None and _any_part(dtype, h5py.check_string_dtype):
        out = np.empty(rows.shape, dtype=dtype)
        for name in rows.dtype.names:
            out[name] = to_file(rows[name], dtype[name].base)
        return out
    if rows.dtype.kind == "U":
        return np.char.encode(rows, "utf-8", "surrogatepass").astype(dtype)
    return rows.astype(dtype) if rows.dtype.kind == "O" else rows


def from_file(rows: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert rows read from a dataset of this dtype to what they were."""
    wanted = memory_dtype(dtype)
    if dtype.names is not None and _any_part(dtype, h5py.check_string_dtype):
        out = np.empty(rows.shape, dtype=wanted)
        for name in dtype.names:
            out[name] = from_file(rows[name], dtype[name].base)
        return out
    if wanted.kind == "U":
        return np.char.decode(rows, "utf-8", "surrogatepass").astype(wanted)
    if wanted.kind == "O":
        return np.asarray(np.frompyfunc(_decode, 1, 1)(rows))
    return rows


def as_texts(rows: NDArray[Any]) -> NDArray[Any]:
    """Give rows as they will be read back: what is a Python object in them becomes a string.

    Bytes are decoded, and None becomes an empty string.

    Raises
    ------
    TypeError
        For objects that are not strings, and for strings that HDF5 cannot hold.
    """
    if rows.dtype.names is not None and rows.dtype.hasobject:
        out = np.empty(rows.shape, dtype=rows.dtype)
        for name in rows.dtype.names:
            out[name] = as_texts(rows[name])
        return out
    return np.asarray(np.frompyfunc(_text, 1, 1)(rows)) if rows.dtype.kind == "O" else rows


def _any_part(dtype: np.dtype[Any], test: Callable[[np.dtype[Any]], object]) -> bool:
    if dtype.names is None:
        return bool(test(dtype))
    return any(_any_part(dtype[name].base, test) for name in dtype.names)


def _convert(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.names is not None:
        if not _any_part(dtype, lambda part: part.kind in "UO"):
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


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"one is of type {type(value).__name__}")
    try:
        text = value.decode() if isinstance(value, bytes) else value
        text.encode()
    except UnicodeError as error:
        raise TypeError(f"one is no text in UTF-8: {error}") from None
    if "\0" in text:
        raise TypeError("one has a null character in it")
    return str(text)


def _decode(value: bytes | str) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
