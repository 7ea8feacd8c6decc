"""What may be written, and how a name tells which of it is meant."""

from __future__ import annotations

import os
from pathlib import Path

from ..clickhouse.address import is_url

__all__ = ["FORMATS", "STORES", "guess_format"]

STORES = ("files", "hdf5", "database")
"""Formats that are stores of drawstore, which hold several runs."""

FORMATS = {
    "files": "a directory of drawstore.FileBackend",
    "hdf5": "an HDF5 file of drawstore.HDF5Backend",
    "database": "a database of drawstore.ClickHouseBackend, by its URL",
    "emcee": "an HDF5 file of emcee",
    "netcdf": "a netCDF file of ArviZ",
    "zarr": "a Zarr directory of ArviZ",
    "parquet": "a Parquet file, for data frames",
    "arrow": "an Arrow IPC file (Feather), for data frames",
}
"""What each format is, by name."""

_BY_SUFFIX = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".netcdf": "netcdf",
    ".zarr": "zarr",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


def guess_format(target: str) -> str:
    """Give the format that the name of a target stands for.

    Raises
    ------
    ValueError
        Where it stands for none.
    """
    if is_url(target):
        return "database"
    suffix = Path(target).suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if not suffix or os.path.isdir(target):
        return "files"
    known = ", ".join(_BY_SUFFIX)
    raise ValueError(
        f"{target!r}: the name does not say what it is to be; known are {known}, directories and "
        f"URLs. Else name the format: {', '.join(FORMATS)}"
    )
