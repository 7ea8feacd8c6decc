"""Files of emcee as runs: a group is a run, its walkers are its chains."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from drawstore.ensemble import RunSteps, blob_variables
from drawstore.hdf5.dtypes import memory_dtype
from drawstore.hdf5.emcee_groups import emcee_groups
from drawstore.hdf5.emcee_journaled import stored_steps
from drawstore.hdf5.emcee_layout import read_steps
from drawstore.hdf5.journal import Tail, Tails
from drawstore.hdf5.runs import ROOT, no_such_run, run_size
from drawstore.hdf5.store_file import store_file
from drawstore.interface import Backend, Chain, Group, Run, RunInfo
from drawstore.meta import RunMeta, VariableSpec, make_meta
from drawstore.read_only import ReadOnlyChain

if TYPE_CHECKING:
    from drawstore.ensemble.blobs import BlobLayout

__all__ = ["EmceeFile"]

_KEPT_BYTES = 256 * 2**20  # of what was read last, for the next walker or parameter


class EmceeFile(Backend):
    """The runs in an HDF5 file of `drawstore.emcee.HDFBackend`, or of emcee's own, to be read.

    A run is named as its group is. Its chains are the walkers. As in `arviz.from_emcee`, the
    parameters are variables ``var_0``, ``var_1``, ... and the log-probability is the sampler stat
    ``lp``. Blobs are variables as well: each field, or ``blobs``. Steps that wait for the file in a
    journal beside it, of whichever process, are seen as soon as they are saved.

    Parameters
    ----------
    filename : path-like
        Of the file.
    """

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        self.filename = os.path.realpath(os.fspath(filename))

    def __repr__(self) -> str:
        return f"EmceeFile({self.filename!r})"

    @contextmanager
    def groups(self) -> Iterator[dict[str, h5py.Group]]:
        """Open the groups of the runs."""
        with store_file(self.filename).reading() as file:
            yield dict(emcee_groups(file, ROOT))

    def tails(self) -> Tails:
        """Find what waits for the file, which is open."""
        return Tails(self.filename)

    def init_run(self, meta: RunMeta) -> Run:
        """Refuse: emcee's own layout is written by `drawstore.emcee.HDFBackend`."""
        raise self._reads_only()

    def get_runs(self) -> list[RunInfo]:
        """List the runs, by name: emcee does not say when they were made."""
        made = self.created_at
        infos = []
        with self.groups() as groups:
            tails = self.tails()
            for name, group in groups.items():
                count = _count(group, tails.of(group, _stored(group)))
                chains = dict.fromkeys(range(_walkers(group)), count)
                infos.append(RunInfo(name, made, chains, run_size(group)))
        return infos

    def get_run(self, rid: str) -> Run:
        """Give a handle on a run: see `drawstore.Backend.get_run`."""
        with self.groups() as groups:
            if rid not in groups:
                raise no_such_run(rid, self.filename, list(groups))
            group = groups[rid]
            ndim = int(group.attrs["ndim"])
            return EmceeRun(self, _meta_of(rid, group), _walkers(group), ndim)

    def delete_run(self, rid: str) -> None:
        """Refuse."""
        self.get_run(rid)
        raise self._reads_only()

    @property
    def created_at(self) -> datetime:
        """When the file was last written."""
        return datetime.fromtimestamp(os.path.getmtime(self.filename), UTC)

    def _reads_only(self) -> RuntimeError:
        return RuntimeError(
            f"runs of emcee in {self.filename!r} can only be read here; "
            "drawstore.emcee.HDFBackend writes them"
        )


@dataclass(frozen=True)
class _Opened:
    """The group of a run while it is open, the steps that follow it, and how many there are."""

    group: h5py.Group
    tail: Tail | None
    count: int


class EmceeRun(Run):
    """A run of emcee; `EmceeFile` makes it."""

    def __init__(self, backend: EmceeFile, meta: RunMeta, n_walkers: int, ndim: int) -> None:
        self._backend = backend
        self._meta = meta
        self._n_walkers = n_walkers
        self.ndim = ndim
        self._kept: dict[str, tuple[range, NDArray[Any]]] = {}
        self._held: _Opened | None = None

    @property
    def meta(self) -> RunMeta:
        meta = RunMeta()
        meta.CopyFrom(self._meta)
        return meta

    @property
    def rid(self) -> str:
        return self._meta.rid

    @property
    def created_at(self) -> datetime:
        return self._backend.created_at

    @property
    def size(self) -> int:
        with self.group() as opened:
            return run_size(opened.group)

    def refresh(self) -> None:
        self._kept.clear()

    @contextmanager
    def group(self) -> Iterator[_Opened]:
        """Open the group, and find the steps that follow."""
        if self._held is not None:
            yield self._held
            return
        with self._backend.groups() as groups:
            if self.rid not in groups:
                raise no_such_run(self.rid, self._backend.filename, list(groups))
            group = groups[self.rid]
            tail = self._backend.tails().of(group, _stored(group))
            yield _Opened(group, tail, _count(group, tail))

    @contextmanager
    def held_open(self) -> Iterator[None]:
        if self._held is not None:
            yield
            return
        with self.group() as self._held:
            try:
                yield
            finally:
                self._held = None

    def read(self, opened: _Opened, key: str, rows: range) -> NDArray[Any]:
        """Read steps of all walkers; they are kept for the next that asks for the same ones."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] == rows:
            return kept[1]
        values = _read(opened.group, opened.tail, key, rows)
        values.flags.writeable = False
        if values.nbytes <= _KEPT_BYTES:
            self._kept[key] = rows, values
        return values

    def count(self) -> int:
        """Say how many steps there are."""
        with self.group() as opened:
            return opened.count

    def _own_steps(self) -> RunSteps:
        return EmceeSteps(self, self._n_walkers, self.ndim)

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        raise self._backend._reads_only()

    def get_chains(self) -> list[Chain]:
        return [EmceeChain(self, walker) for walker in range(self._n_walkers)]

    def _save_group(self, name: str, group: Group) -> None:
        raise self._backend._reads_only()

    def _load_groups(self) -> dict[str, Group]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kept": {}, "_held": None}


class EmceeSteps(RunSteps):
    """The steps of a run; `EmceeRun` makes it."""

    def __init__(self, run: EmceeRun, n_walkers: int, ndim: int) -> None:
        super().__init__(run.rid, n_walkers, ndim)
        self._run = run

    def __len__(self) -> int:
        return self._run.count()

    def read(self, name: str, rows: range) -> NDArray[Any]:
        with self._run.group() as opened:
            return _read(opened.group, opened.tail, name, rows)

    def accepted(self, count: int) -> NDArray[Any]:
        with self._run.group() as opened:
            if opened.tail is None:
                return np.asarray(opened.group["accepted"][...])
            return stored_steps(opened.group, opened.tail).accepted()

    @property
    def dtype(self) -> np.dtype[Any]:
        with self._run.group() as opened:
            dtype: np.dtype[Any] = opened.group["chain"].dtype
            return dtype

    def blobs(self) -> BlobLayout | None:
        with self._run.group() as opened:
            return stored_steps(opened.group, opened.tail).blobs

    def random_state(self, count: int) -> Any:
        with self._run.group() as opened:
            return stored_steps(opened.group, opened.tail).random_state()


class EmceeChain(ReadOnlyChain):
    """A walker; `EmceeRun` makes it."""

    def __init__(self, run: EmceeRun, walker: int) -> None:
        self._run = run
        self._walker = walker
        self._variables = {variable.name: i for i, variable in enumerate(run._meta.variables)}

    @property
    def rid(self) -> str:
        return self._run.rid

    @property
    def chain_number(self) -> int:
        return self._walker

    def __len__(self) -> int:
        return self._run.count()

    def _refusal(self) -> RuntimeError:
        return self._run._backend._reads_only()

    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read(self._variables, [name], slc)[name]

    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read({"lp": 0}, [name], slc)[name]

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at(self._variables, i, names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at({"lp": 0}, i, names)

    def _read_at(
        self, known: dict[str, int], i: int, names: Iterable[str] | None
    ) -> dict[str, NDArray[Any]]:
        row = self._row(i)
        rows = self._read(known, known if names is None else names, slice(row, row + 1))
        return {name: values.reshape(values.shape[1:]) for name, values in rows.items()}

    def _read(
        self, known: dict[str, int], names: Iterable[str], slc: slice
    ) -> dict[str, NDArray[Any]]:
        out = {}
        with self._run.group() as opened:
            rows = range(opened.count)[slc]
            ascending = rows[::-1] if rows.step < 0 else rows
            for name in names:
                if name not in known:
                    raise KeyError(f"there is no {name!r}; there are {', '.join(map(repr, known))}")
                number = known[name] if known is self._variables else None
                values = self._values(opened, number, ascending)
                out[name] = values[::-1] if rows.step < 0 else values
        return out

    def _values(self, opened: _Opened, number: int | None, rows: range) -> NDArray[Any]:
        """Read a variable by its number, or the log-probability."""
        if number is None:
            return self._run.read(opened, "log_prob", rows)[:, self._walker]
        ndim = self._run.ndim
        if number < ndim:
            return self._run.read(opened, "chain", rows)[:, self._walker, number]
        blobs = self._run.read(opened, "blobs", rows)[:, self._walker]
        names = blobs.dtype.names
        return blobs if names is None else blobs[names[number - ndim]]


def _walkers(group: h5py.Group) -> int:
    return int(group.attrs["nwalkers"])


def _stored(group: h5py.Group) -> int:
    return int(group.attrs["iteration"])


def _count(group: h5py.Group, tail: Tail | None) -> int:
    return _stored(group) if tail is None else tail.stop


def _read(group: h5py.Group, tail: Tail | None, key: str, rows: range) -> NDArray[Any]:
    if tail is None:
        return read_steps(group, key, rows)
    return stored_steps(group, tail).read(key, rows)


def _meta_of(rid: str, group: h5py.Group) -> RunMeta:
    """Describe a run of emcee."""
    dtype = group["chain"].dtype
    variables: dict[str, VariableSpec] = {
        f"var_{i}": (dtype, ()) for i in range(int(group.attrs["ndim"]))
    }
    blobs = {}
    if group.attrs["has_blobs"]:
        stored = group["blobs"].dtype
        held = memory_dtype(stored.base), (*group["blobs"].shape[2:], *stored.shape)
        blobs = blob_variables({"blobs": held}, variables)
    attributes = {"inference_library": "emcee"}
    if "version" in group.attrs:
        attributes["inference_library_version"] = str(group.attrs["version"])
    return make_meta(
        variables | {name: spec for name, (_, _, spec) in blobs.items()},
        {"lp": (group["log_prob"].dtype, ())},
        attributes=attributes,
        deterministics=blobs,
        rid=rid,
    )
