"""The runs of places, without their draws."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

from drawstore.clickhouse.address import is_url
from drawstore.opening import OF_ZARR
from drawstore.stan.names import looks_like_stan

from .head import DAMAGED, RunHead, list_run, reason
from .place import UNREADABLE, Place

__all__ = ["list_runs", "stores_in"]


def list_runs(
    where: str, *, recursive: bool = False, rid: str | None = None
) -> Iterator[tuple[str, RunHead]]:
    """List the runs of a store, or of the stores in a directory.

    Parameters
    ----------
    where : str
        As `drawstore.open` takes it; or a directory with stores in it.
    recursive : bool
        Look for stores in all directories below, too.
    rid : str, optional
        The only runs to list.

    Yields
    ------
    where : str
        The store.
    run : RunHead
        One without an id stands for a store that cannot be read, where there are others.

    Raises
    ------
    FileNotFoundError, ValueError
        As `drawstore.open` does.
    """
    if is_url(where) or not os.path.isdir(where):
        yield from _of_store(where, rid)
        return
    stores = list(stores_in(where, recursive))
    if not stores:
        yield from _of_store(where, rid)  # or says what is there instead
    for store in stores:
        try:
            yield from _of_store(store, rid)
        except (*UNREADABLE, ImportError) as error:
            yield store, RunHead("", DAMAGED, reason(error))


def stores_in(directory: str, recursive: bool = False) -> Iterator[str]:
    """Find the stores in a directory: itself, folders in it, and HDF5 and netCDF files with runs.

    Files of Stan are one store, by the name of their directory, or by a pattern where that is a
    store itself. Links to directories are not followed to look for more, and what may not be read
    is left out.
    """
    names = sorted(name for name in os.listdir(directory) if not name.startswith("."))
    paths = [os.path.join(directory, name) for name in names]
    paths = [path for path in paths if os.access(path, os.R_OK)]
    has_runs = any(_is_run(path) for path in paths)
    if has_runs:
        yield directory
    if any(_is_of_stan(path) for path in paths):
        yield os.path.join(glob.escape(directory), "*.csv") if has_runs else directory
    for path in paths:
        if os.path.isdir(path):
            if recursive and not _is_run(path) and not os.path.islink(path):
                yield from stores_in(path, True)
            elif _is_store(path):
                yield path
        elif _is_store(path):
            yield path


def _is_run(path: str) -> bool:
    return os.path.exists(os.path.join(path, "run.meta"))


def _is_of_stan(path: str) -> bool:
    try:
        return path.endswith(".csv") and os.path.isfile(path) and looks_like_stan(path)
    except OSError:
        return False


def _is_store(path: str) -> bool:
    if os.path.isdir(path):
        names = os.listdir(path)
        inside = [os.path.join(path, name) for name in names]
        return any(name in OF_ZARR for name in names) or any(
            _is_run(each) or _is_of_stan(each) for each in inside
        )
    if path.endswith(".csv"):
        return False
    import h5py

    try:
        if not h5py.is_hdf5(path):
            return False
        Place.at(path)
    except ValueError:
        return False  # something else
    except OSError:
        pass  # it is damaged, or held: that is told
    return True


def _of_store(where: str, chosen: str | None) -> Iterator[tuple[str, RunHead]]:
    place = Place.at(where)
    for rid, open_run in place.runs():
        if chosen is None or rid == chosen:
            yield place.path, list_run(place, rid, open_run)
