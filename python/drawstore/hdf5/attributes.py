"""Attributes of a group that are read and changed with each block of rows.

Through h5py's lower half. `h5py.AttributeManager` makes half a dozen objects for each of them, and
gives the interpreter up for each that goes, for which a sampler that never rests makes us wait.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from h5py import h5a
from numpy.typing import NDArray

__all__ = ["change", "read"]


def read(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: type) -> Any:
    """Read a numeric attribute of a shape that is known.

    Returns
    -------
    ndarray or None
        None where there is none of that name and shape.
    """
    key = name.encode()
    if not h5a.exists(group.id, key):
        return None
    attribute = h5a.open(group.id, key)
    if attribute.shape != shape:
        return None
    value: NDArray[Any] = np.empty(shape, dtype=dtype)
    attribute.read(value)
    return value


def change(group: h5py.Group, name: str, value: Any) -> None:
    """Give an attribute another value, in its place where it has the shape.

    Assigning makes a new one each time, and the file never gets back the space of the old.
    """
    key = name.encode()
    if isinstance(value, str):  # it lies elsewhere in the file
        if group.attrs.get(name) != value:
            group.attrs[name] = value
        return
    value = np.asarray(value)
    if h5a.exists(group.id, key):
        attribute = h5a.open(group.id, key)
        if attribute.shape == value.shape:
            attribute.write(value)
            return
    group.attrs[name] = value
