"""Runs into netCDF files of ArviZ."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import h5py
import numpy as np

from ..interface import Run
from .blocks import Rows

try:
    import h5netcdf
    import xarray as xr
except ImportError as error:
    raise ImportError(
        f"drawstore needs {error.name} to write netCDF: pip install 'drawstore[convert]'",
        name=error.name,
    ) from error

from .tree import Sampled, TreeWriter, encoded, time_encoding

__all__ = ["WRITERS"]


class _NetCDFWriter(TreeWriter):
    """Has xarray write the first draw elsewhere, makes room for all as it did, and fills it.

    The dimension of the draws is of a fixed length, as in files of xarray: h5netcdf is slow to tell
    the length of others.
    """

    least_float = 4

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._file: h5netcdf.File | None = None

    def write(self, path: str, rows: Rows) -> None:
        try:
            super().write(path, rows)
        finally:
            if self._file is not None:
                self._file.close()

    def create(self, path: str, template: dict[str, xr.Dataset]) -> None:
        # Whole chunks are written: HDF5 needs no memory for each variable to gather them.
        self._file = h5netcdf.File(path, "w", rdcc_nbytes=0)
        with tempfile.TemporaryDirectory() as folder:
            first = os.path.join(folder, "first.nc")
            xr.DataTree.from_dict(template).to_netcdf(
                first, engine="h5netcdf", encoding=time_encoding(template)
            )
            with h5netcdf.File(first, "r") as source:
                for group in self.sampled:
                    _create_like(source[group.name], self._file.create_group(group.name), group)

    def fill(self, path: str, group: Sampled, block: range, part: xr.Dataset) -> None:
        assert self._file is not None
        for name, variable in part.variables.items():
            if "draw" not in variable.dims:
                continue
            target = self._file[group.name][str(name)]
            values = encoded(variable)
            if len(target.shape) > values.ndim:  # a dimension of characters
                values = np.ascontiguousarray(values).view("S1").reshape(*values.shape, -1)
            target[group.key(variable, block)] = values

    def finish(self, path: str) -> None:
        assert self._file is not None
        self._file.close()
        self.tree({}).to_netcdf(
            path, mode="a", engine="h5netcdf", encoding=time_encoding(self.others)
        )


def _create_like(source: Any, target: Any, group: Sampled) -> None:
    """Create what a group has, with room for all draws; what has no draws is copied."""
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, dimension in source.dimensions.items():
        target.dimensions[name] = group.n_draws if name == "draw" else dimension.size
    for name, variable in source.variables.items():
        has_draws = "draw" in variable.dimensions
        chunks = group.chunks(name) if has_draws else None
        if chunks is not None:
            chunks += variable.shape[len(chunks) :]  # a dimension of characters
        attrs = dict(variable.attrs)
        made = target.create_variable(
            name,
            variable.dimensions,
            dtype=h5py.string_dtype() if variable.dtype in (str, object) else variable.dtype,
            fillvalue=attrs.pop("_FillValue", None),
            chunks=chunks,
        )
        for attribute, value in attrs.items():
            made.attrs[attribute] = value
        if not has_draws:
            made[...] = variable[...]


WRITERS = {"netcdf": _NetCDFWriter}
