"""Runs into Zarr directories of ArviZ."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from ..interface import Run
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
    """Has xarray write a draw of each kind of variable, and makes all others like these.

    In version 2 of the format, which all versions of zarr read, and which specifies text, and that
    an array is what the file ``.zarray`` in its folder says: zarr takes milliseconds to write one.
    """

    least_float = 2

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._arrays: dict[str, Any] = {}

    def check_replaced(self, path: str) -> None:
        """Raise where something else than a Zarr directory would be replaced."""
        if not any(os.path.exists(os.path.join(path, name)) for name in OF_ZARR):
            raise FileExistsError(f"{path!r} is no Zarr directory, and is not replaced by one")

    def create(self, path: str, template: dict[str, xr.Dataset]) -> None:
        encoding = time_encoding(template | self.others)
        for group in self.sampled:
            for name, variable in template[group.name].variables.items():
                if "draw" in variable.dims:
                    how = encoding[f"/{group.name}"].setdefault(str(name), {})
                    how["chunks"] = group.chunks(str(name))
        self.tree(template).to_zarr(path, zarr_format=2, consolidated=False, encoding=encoding)
        for group in self.sampled:
            folder, kinds = os.path.join(path, group.name), group.kinds()
            for name, variable in group.dataset.variables.items():
                if "draw" in variable.dims:
                    _make_like(folder, str(name), kinds.get(str(name), str(name)), variable.shape)

    def fill(self, path: str, group: Sampled, block: range, part: xr.Dataset) -> None:
        root: Any = zarr.open_group(path, mode="r+")
        for name, variable in part.variables.items():
            if "draw" in variable.dims:
                full = f"{group.name}/{name}"
                if full not in self._arrays:
                    self._arrays[full] = root[full]
                values = variable.values if variable.dtype.kind == "b" else encoded(variable)
                self._arrays[full][group.key(variable, block)] = values

    def finish(self, path: str) -> None:
        zarr.consolidate_metadata(path)


def _make_like(folder: str, name: str, like: str, shape: tuple[int, ...]) -> None:
    """Make an array like another one, of another shape."""
    if name in (os.curdir, os.pardir):
        raise ValueError(f"{name!r} is no name that an array of Zarr can have")
    source, target = os.path.join(folder, like), os.path.join(folder, name)
    with open(os.path.join(source, ".zarray"), encoding="utf-8") as file:
        described = json.load(file)
    described["shape"] = list(shape)
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, ".zarray"), "w", encoding="utf-8") as file:
        json.dump(described, file)
    if name != like:
        shutil.copyfile(os.path.join(source, ".zattrs"), os.path.join(target, ".zattrs"))


WRITERS = {"zarr": _ZarrWriter}
