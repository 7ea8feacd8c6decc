"""Datasets with the names of dimensions and coordinates that ArviZ gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["Labeller"]


@dataclass
class Labeller:
    """Gathers the arrays of one dataset.

    What xarray cannot hold together is told in `problems`, and never an error.

    Parameters
    ----------
    sample_dims : sequence of str
        The leading dimensions of all arrays.
    coords : mapping of str to ndarray
        Values along dimensions, where they have some; others are numbered.
    count_unnamed : bool
        Whether ``x_dim_0`` is the first dimension of x that has no name, as in ArviZ 1, or its
        first dimension, as before.
    problems : list of str
        Where sentences are added.
    """

    sample_dims: Sequence[str]
    coords: Mapping[str, NDArray[Any]]
    count_unnamed: bool
    problems: list[str]
    _sizes: dict[str, int] = field(default_factory=dict)
    _arrays: dict[str, xr.Variable] = field(default_factory=dict)

    def add(self, name: str, array: Any, shape: tuple[int, ...], dims: Sequence[str]) -> None:
        """Add an array of a shape whose leading axes are the sample dims.

        Dimensions that are empty, or not there, have no name.
        """
        sizes = dict(zip(self.sample_dims, shape, strict=False))
        unnamed = 0
        for axis, size in enumerate(shape[len(self.sample_dims) :]):
            dim = dims[axis] if axis < len(dims) else ""
            if dim and (dim in sizes or self._sizes.get(dim, size) != size):
                self.problems.append(
                    f"'{dim}' cannot be dimension {axis} of '{name}', which is of length {size}: "
                    f"{'it is another one already' if dim in sizes else self._length(dim)}"
                )
                dim = ""
            if not dim:
                dim = f"{name}_dim_{unnamed if self.count_unnamed else axis}"
                unnamed += 1
            sizes[dim] = size
        self._sizes |= sizes
        # Python's None and strings are to stay such.
        self._arrays[name] = xr.Variable(tuple(sizes), array, fastpath=array.dtype.kind == "O")

    def dataset(self, attrs: Mapping[str, Any]) -> xr.Dataset:
        """Give the dataset."""
        coords = {dim: (dim, self._coord(dim, size)) for dim, size in self._sizes.items()}
        for name in [name for name in self._arrays if name in coords]:
            del self._arrays[name]
            self.problems.append(f"'{name}' is left out: a dimension has its name")
        return xr.Dataset(self._arrays, coords, attrs)

    def _coord(self, dim: str, size: int) -> NDArray[Any]:
        values = self.coords.get(dim)
        if values is None:
            return np.arange(size)
        if values.shape == (size,):
            return values
        self.problems.append(
            f"the coordinate '{dim}' has the shape {values.shape}, but the dimension is of length "
            f"{size}: it is numbered"
        )
        return np.arange(size)

    def _length(self, dim: str) -> str:
        return f"it is of length {self._sizes[dim]} elsewhere"
