"""Runs into netCDF files of ArviZ."""

from __future__ import annotations

import os
import tempfile

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

from .scales import make_like
from .tree import Sampled, TreeWriter, encoded, time_encoding

__all__ = ["WRITERS"]

_LIBVER = ("v108", "v110")  # as netCDF wants it: a scale may have many variables


class _NetCDFWriter(TreeWriter):
    """Has xarray write a draw of each kind of variable elsewhere, and makes all others like these.

    Through h5py: h5netcdf takes a thousand times as long to make a variable as to fill it. The
    dimension of the draws is of a fixed length, as in files of xarray.
    """

    least_float = 4

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._file: h5py.File | None = None

    def write(self, path: str, rows: Rows) -> None:
        try:
            super().write(path, rows)
        finally:
            if self._file is not None:
                self._file.close()

    def create(self, path: str, template: dict[str, xr.Dataset]) -> None:
        with h5netcdf.File(path, "w") as made:
            for group in self.sampled:
                made.create_group(group.name)
        # Whole chunks are written: HDF5 needs no memory for each variable to gather them.
        self._file = h5py.File(path, "r+", libver=_LIBVER, rdcc_nbytes=0)
        with tempfile.TemporaryDirectory() as folder:
            first = os.path.join(folder, "first.nc")
            xr.DataTree.from_dict(template).to_netcdf(
                first, engine="h5netcdf", encoding=time_encoding(template)
            )
            with h5py.File(first) as source:
                for group in self.sampled:
                    make_like(source[group.name], self._file[group.name], group)

    def fill(self, path: str, group: Sampled, block: range, part: xr.Dataset) -> None:
        assert self._file is not None
        there = self._file[group.name]
        for name, variable in part.variables.items():
            if "draw" not in variable.dims:
                continue
            target = there[str(name)]
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


WRITERS = {"netcdf": _NetCDFWriter}
