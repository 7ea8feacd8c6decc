"""Dtypes as text: what NumPy prints for them, and the way back."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["dtype_text", "parse_dtype"]


def dtype_text(dtype: DTypeLike) -> str:
    """Give the text of a dtype, which `parse_dtype` reads.

    Parameters
    ----------
    dtype : dtype or what NumPy takes for one
        Any that holds no Python objects.

    Returns
    -------
    str
        Such as ``"float64"``, ``"<U5"``, ``"[('x', '<f8'), ('n', '<i4')]"``.

    Raises
    ------
    TypeError
        Where it holds Python objects.
    ValueError
        Where no text stands for it, as for dtypes that other libraries add to NumPy.

    Examples
    --------
    >>> dtype_text(float)
    'float64'
    >>> dtype_text([("x", ">f8"), ("name", "U3")])
    "[('x', '>f8'), ('name', '<U3')]"
    """
    wanted: np.dtype[Any] = np.dtype(dtype)
    if wanted.hasobject:
        raise TypeError(f"dtype {wanted} holds Python objects, which are not stored")
    plain = _without_records(wanted)
    text = str(plain)
    if parse_dtype(text) != plain:
        raise ValueError(f"dtype {text} cannot be told from its text")
    return text


def parse_dtype(text: str) -> np.dtype[Any]:
    """Give the dtype that a text stands for. Nothing in it is run.

    Parameters
    ----------
    text : str
        What NumPy prints for a dtype, or another name that it knows for one.

    Raises
    ------
    TypeError
        Where the dtype holds Python objects.
    ValueError
        Where the text is not that of one dtype: unknown, or without a size, such as ``"str"``.

    Examples
    --------
    >>> parse_dtype("[('x', '>f8'), ('n', '<i4')]")["x"]
    dtype('>f8')
    """
    try:
        dtype: np.dtype[Any] = np.dtype(ast.literal_eval(text) if text[:1] in set("[{(") else text)
    except (ArithmeticError, LookupError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text!r} is no dtype: {error}") from None
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"{text!r} is no dtype: {error}") from None
    if dtype.hasobject:
        raise TypeError(f"dtype {text!r} holds Python objects, which are not stored")
    if dtype.subdtype is not None:
        raise ValueError(f"dtype {text!r} is an array of {dtype.base}: give that, and a shape")
    # NumPy makes arrays of "S0" and "U0" that have a byte, or a character, in each place.
    if dtype.itemsize == 0 and dtype.names is None and (dtype.kind != "V" or text[-1:] != "0"):
        raise ValueError(f"dtype {text!r} does not say how many bytes a value has")
    return dtype


def _without_records(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give a dtype of the same bytes whose text names no Python class."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_without_records(base), shape))
    if dtype.fields is None or "(numpy.record" not in str(dtype):
        return dtype
    names = list(dtype.names or ())
    fields = [(*dtype.fields[name], None) for name in names]
    return np.dtype(
        {
            "names": names,
            "formats": [_without_records(field[0]) for field in fields],
            "offsets": [field[1] for field in fields],
            "titles": [field[2] for field in fields],
            "itemsize": dtype.itemsize,
        }
    )
