"""What the server sends: JSON, with arrays as bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cli.output import plain

__all__ = ["encoded", "json_bytes"]

_KINDS = {"bool": "uint8", "int64": "float64", "uint64": "float64", "float16": "float32"}
_KNOWN = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"}


def json_bytes(value: Any) -> bytes:
    """Give a value as JSON in ASCII; what is no finite number is null."""
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":")).encode("ascii")


def encoded(value: Any) -> Any:
    """Give the columns of data sources for JSON.

    Arrays of numbers become ``{"dtype", "shape", "base64"}``, little-endian, of dtypes that a
    browser has; so do lists of numbers, which keeps NaN in them. Lists of anything else remain.
    """
    if isinstance(value, Mapping):
        return {str(key): encoded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return _encoded(value)
    if isinstance(value, list | tuple | np.ndarray):
        items = list(value)
        if items and all(isinstance(x, int | float | np.number) for x in items):
            return _encoded(np.array(items, dtype=np.float64))
        return [encoded(item) for item in items]
    return plain(value)


def _encoded(values: NDArray[Any]) -> dict[str, Any]:
    name = _KINDS.get(values.dtype.name, values.dtype.name)
    kind = np.dtype(name if name in _KNOWN else "float64").newbyteorder("<")
    data = np.ascontiguousarray(values, dtype=kind)
    return {
        "dtype": kind.name,
        "shape": list(data.shape),
        "base64": base64.b64encode(data.tobytes()).decode("ascii"),
    }
