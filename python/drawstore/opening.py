"""Runs, wherever they are kept: `drawstore.open`."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from .clickhouse.address import is_url
from .interface import Backend, Run, RunInfo
from .meta import RunMeta

if TYPE_CHECKING:
    from .backends.hdf5 import HDF5Backend

__all__ = ["OF_ZARR", "open", "open_quietly"]

_RUN = "run.meta"  # in the folder of every run
OF_ZARR = ("zarr.json", ".zgroup", ".zmetadata")
"""Files of which one is in every group of Zarr."""
_OF_ZARR_TRACE = "_sampling_state"
_OF_FRAMES = (b"PAR1", b"ARROW1")  # begin Parquet and Arrow IPC files


def open(
    where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    mode: Literal["r", "a"] = "r",
) -> Backend:
    """Open the runs that are kept somewhere; what is found there says how.

    Parameters
    ----------
    where : path-like, or sequence of path-like
        A directory of `FileBackend`, or an HDF5 file of `HDF5Backend`, of
        `drawstore.emcee.HDFBackend` or of emcee itself. Each group of emcee is a run, whose walkers
        are its chains; it can only be read. So can a netCDF file or a Zarr directory of ArviZ,
        which is one run, and a data frame in a Parquet or Arrow IPC (Feather) file. Or the URL of a
        database of `ClickHouseBackend`, which takes it as it is. Or Stan CSV, as cmdstan writes it,
        which can only be read: a file, a list of files that are the chains of one run, a directory
        of them, or a pattern as ``"fit_*.csv"``, where files are chains of one run whose names
        differ in a number at the end, ``fit_1.csv`` and ``fit_2.csv``.
    mode : {"r", "a"}
        "r" changes nothing, "a" lets runs be added, gone on with and deleted.

    Returns
    -------
    Backend

    Warns
    -----
    RuntimeWarning
        Where draws of an HDF5 file may wait in a journal that cannot be reached from here.

    Raises
    ------
    FileNotFoundError
        Where there is nothing.
    ValueError
        Where there is something else; the message says what was found, and what was expected. With
        mode "a", for files of Stan.

    Examples
    --------
    >>> import drawstore
    >>> run = drawstore.FileBackend("runs").init_run(
    ...     drawstore.make_meta({"x": ("float64", ())}, rid="mine")
    ... )
    >>> run.init_chain(0).extend({"x": [1, 2, 3]})
    >>> [(info.rid, info.chains) for info in drawstore.open("runs").get_runs()]
    [('mine', {0: 3})]
    """
    backend = open_quietly(where, mode)
    if isinstance(where, str | os.PathLike) and os.path.isfile(where):
        from .hdf5.elsewhere import warn_of_lost

        warn_of_lost(os.fspath(where))
    return backend


def open_quietly(
    where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], mode: Literal["r", "a"] = "r"
) -> Backend:
    """Open runs as `open` does, for who tells in another way what it warns of."""
    if mode != "r" and mode != "a":
        raise ValueError(f"mode is 'r' or 'a', got {mode!r}")
    if not isinstance(where, str | os.PathLike):
        return _open_stan(where, mode)
    path = os.fspath(where)
    if is_url(path):
        return _open_database(path, mode)
    if not os.path.exists(path):
        if any(character in path for character in "*?["):
            return _open_stan(path, mode)
        raise FileNotFoundError(
            f"there is nothing at {path!r}; a directory, or a file, with runs was expected"
        )
    return _open_directory(path, mode) if os.path.isdir(path) else _open_file(path, mode)


def _open_database(url: str, mode: Literal["r", "a"]) -> Backend:
    from .backends.clickhouse import ClickHouseBackend

    backend = ClickHouseBackend(url, mode=mode)
    if not backend.exists():
        raise FileNotFoundError(
            f"there are no runs in {backend.place!r}; a database was expected in which "
            "drawstore.ClickHouseBackend has begun one"
        )
    return backend


def _open_directory(path: str, mode: Literal["r", "a"]) -> Backend:
    from .backends.core import FileBackend

    if os.path.exists(os.path.join(path, _RUN)):
        raise _unexpected(path, "the folder of one run")
    names = os.listdir(path)
    if any(os.path.exists(os.path.join(path, name)) for name in OF_ZARR):
        if _OF_ZARR_TRACE in names:
            raise ValueError(
                f"{path!r} was left by PyMC's ZarrTrace, with Python objects in it that nobody "
                "else reads; the guide 'From emcee, McBackend, PyMC's Zarr' shows how its draws "
                "are saved as netCDF, which can be opened"
            )
        return _open_arviz(path, mode)
    if names and not any(os.path.exists(os.path.join(path, name, _RUN)) for name in names):
        if any(_is_stan(os.path.join(path, name)) for name in names if name.endswith(".csv")):
            return _open_stan(path, mode)
        raise _unexpected(path, f"a directory with other contents ({_some(names)})")
    return FileBackend(path, mode)


def _open_file(path: str, mode: Literal["r", "a"]) -> Backend:
    import h5py

    from .backends.emcee_file import EmceeFile
    from .backends.hdf5 import HDF5Backend
    from .hdf5.emcee_groups import emcee_groups
    from .hdf5.runs import ROOT, runs_in
    from .hdf5.store_file import store_file

    if os.path.getsize(path) == 0:
        raise _unexpected(path, "an empty file")
    if not h5py.is_hdf5(path):
        if _is_frame(path):
            return _open_frame(path, mode)
        if _is_stan(path):
            return _open_stan(path, mode)
        raise _unexpected(path, "a file that is not HDF5, no data frame, and not of Stan")
    with store_file(path).reading() as file:
        has_runs = runs_in(file) is not None
        has_emcee = next(emcee_groups(file, ROOT), None) is not None
        names = list(file)
    if not has_runs and not has_emcee and "posterior" in names:
        return _open_arviz(path, mode)
    if not has_runs and not has_emcee:
        raise _unexpected(path, f"an HDF5 file with other contents ({_some(names)})")
    if not has_emcee:
        return HDF5Backend(path, mode=mode)
    if not has_runs and mode == "r":
        return EmceeFile(path)
    return SeveralKinds(HDF5Backend(path, mode=mode), [EmceeFile(path)])


def _is_stan(path: str) -> bool:
    from .stan.names import looks_like_stan

    return os.path.isfile(path) and looks_like_stan(path)


def _open_stan(where: str | Sequence[str | os.PathLike[str]], mode: Literal["r", "a"]) -> Backend:
    from .backends.stan_csv import StanCSV

    if mode == "a":
        raise ValueError(f"files of Stan can only be read, so that mode is to be 'r': {where!r}")
    return StanCSV(where)


def _is_frame(path: str) -> bool:
    with builtins.open(path, "rb") as file:
        return file.read(8).startswith(_OF_FRAMES)


def _open_frame(path: str, mode: Literal["r", "a"]) -> Backend:
    from .backends.frame_file import FrameFile

    if mode == "a":
        raise ValueError(
            f"{path!r} is a data frame, which can only be read; drawstore.convert copies it into a "
            "store"
        )
    return FrameFile(path)


def _open_arviz(path: str, mode: Literal["r", "a"]) -> Backend:
    from .backends.arviz_file import ArvizFile

    if mode == "a":
        raise ValueError(
            f"{path!r} is a file of ArviZ, which can only be read; drawstore.convert copies it "
            "into a store"
        )
    return ArvizFile(path)


def _some(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > 10 else ""
    return ", ".join(map(repr, sorted(names)[:10])) + more if names else "nothing"


def _unexpected(path: str, found: str) -> ValueError:
    return ValueError(
        f"{path!r} is {found}; expected a directory of drawstore.FileBackend, an HDF5 file with "
        "runs of drawstore.HDF5Backend or of emcee, a netCDF file or Zarr directory of ArviZ, a "
        "Parquet or Arrow IPC file, or files of Stan"
    )


class SeveralKinds(Backend):
    """Runs of several kinds in one place; `open` makes it.

    Parameters
    ----------
    first : HDF5Backend
        Which takes new runs.
    others : sequence of Backend
    """

    def __init__(self, first: HDF5Backend, others: Sequence[Backend]) -> None:
        self._first = first
        self._all = [first, *others]

    def init_run(self, meta: RunMeta) -> Run:
        """Begin a run: see `drawstore.Backend.init_run`."""
        if any(info.rid == meta.rid for backend in self._all[1:] for info in backend.get_runs()):
            raise ValueError(f"there is a run {meta.rid!r} of emcee already; choose another id")
        return self._first.init_run(meta)

    def get_runs(self) -> list[RunInfo]:
        """List the runs: see `drawstore.Backend.get_runs`."""
        infos = [info for backend in self._all for info in backend.get_runs()]
        return sorted(infos, key=lambda info: info.created_at)

    def get_run(self, rid: str) -> Run:
        """Give a handle on a run: see `drawstore.Backend.get_run`."""
        return self._holder(rid).get_run(rid)

    def delete_run(self, rid: str) -> None:
        """Delete a run: see `drawstore.Backend.delete_run`."""
        self._holder(rid).delete_run(rid)

    def replace_run(self, rid: str, by: str) -> None:
        """Give a run the id of another: see `drawstore.HDF5Backend.replace_run`."""
        self._first.replace_run(rid, by)

    def close(self) -> None:
        """Close what was begun."""
        for backend in self._all:
            backend.close()

    def _seconds_to_deliver(self) -> float:
        return self._first._seconds_to_deliver()

    def _holder(self, rid: str) -> Backend:
        held = {info.rid: backend for backend in self._all[::-1] for info in backend.get_runs()}
        if rid not in held:
            raise KeyError(f"there is no run {rid!r}; there are {', '.join(map(repr, held))}")
        return held[rid]
