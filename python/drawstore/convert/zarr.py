"""Runs into Zarr directories of ArviZ."""

from __future__ import annotations

import os
from typing import Any

from ..opening import OF_ZARR

try:
    import xarray as xr
    import zarr
except ImportError as error:
    raise ImportError(
        f"drawstore needs {error.name} to write Zarr: pip install 'drawstore[convert]'",
        name=error.name,
    ) from error

from .tree import Sampled, TreeWriter, encoded, time_encoding

__all__ = ["WRITERS"]


class _ZarrWriter(TreeWriter):
    """Has xarray write the first draw, then makes room for the others, and fills it.

    In version 2 of the format, which all versions of zarr read, and which specifies text.
    """

    least_float = 2

    def check_replaced(self, path: str) -> None:
        """Raise where something else than a Zarr directory would be replaced."""
        if not any(os.path.exists(os.path.join(path, name)) for name in OF_ZARR):
            raise FileExistsError(f"{path!r} is no Zarr directory, and is not replaced by one")

    def create(self, path: str, template: dict[str, xr.Dataset]) -> None:
        encoding = time_encoding(template | self.others)
        for group in self.sampled:
            for name, variable in group.dataset.variables.items():
                if "draw" in variable.dims:
                    how = encoding[f"/{group.name}"].setdefault(str(name), {})
                    how["chunks"] = group.chunks(str(name))
        self.tree(template).to_zarr(path, zarr_format=2, consolidated=False, encoding=encoding)
        root: Any = zarr.open_group(path, mode="r+")
        for group in self.sampled:
            for name, variable in group.dataset.variables.items():
                if "draw" in variable.dims:
                    root[f"{group.name}/{name}"].resize(variable.shape)

    def fill(self, path: str, group: Sampled, block: range, part: xr.Dataset) -> None:
        root: Any = zarr.open_group(path, mode="r+")
        for name, variable in part.variables.items():
            if "draw" in variable.dims:
                values = variable.values if variable.dtype.kind == "b" else encoded(variable)
                root[f"{group.name}/{name}"][group.key(variable, block)] = values

    def finish(self, path: str) -> None:
        zarr.consolidate_metadata(path)


WRITERS = {"zarr": _ZarrWriter}
