"""Runs into netCDF files of ArviZ."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..interface import Run
from .blocks import Rows
from .tree import Sampled, TreeWriter, encoded

try:
    import h5netcdf
except ImportError as error:
    raise ImportError(
        "drawstore needs h5netcdf to write netCDF: pip install 'drawstore[convert]'"
    ) from error

__all__ = ["WRITERS"]


class _NetCDFWriter(TreeWriter):
    """Has xarray write the first draw, then makes room for the others, and fills it."""

    chunks_key = "chunksizes"
    chunked_bytes = False  # they get a dimension more
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
        grown = [group for group in self.sampled if group.n_draws]
        self.tree(template).to_netcdf(
            path,
            engine="h5netcdf",
            encoding=self.encoding(template),
            unlimited_dims={f"/{group.name}": ["draw"] for group in grown},
        )
        # Whole chunks are written: HDF5 needs no memory for each variable to gather them.
        self._file = h5netcdf.File(path, "r+", rdcc_nbytes=0)
        for group in grown:
            self._file[group.name].resize_dimension("draw", group.n_draws)

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


WRITERS = {"netcdf": _NetCDFWriter}
