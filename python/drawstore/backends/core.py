"""Runs that the compiled core keeps: in memory, and in files."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote, unquote

from drawstore._core import Chain as CoreChain
from drawstore._core import (
    CoreBackend,
    CoreRun,
    file_backend,
    files_are_mapped,
    memory_backend,
    resume_syncing,
    run_folder,
    take_run,
)
from drawstore.groups import from_npz, to_npz_bytes, write_npz
from drawstore.interface import Backend, Chain, Group, Run, RunInfo
from drawstore.meta import RunMeta, Variable

if TYPE_CHECKING:
    from drawstore._core import _MetaTuple, _VariableTuple

__all__ = ["FileBackend", "MemoryBackend", "StoredBackend", "StoredRun"]

Chain.register(CoreChain)
CoreChain._repr_html_ = Chain._repr_html_  # type: ignore[attr-defined]

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=resume_syncing)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tuples_of(variables: Sequence[Variable]) -> list[_VariableTuple]:
    """Give variables as the core takes them."""
    return [
        (v.name, v.dtype, list(v.shape), list(v.dims), v.is_deterministic, v.undefined_ndim)
        for v in variables
    ]


def core_meta(meta: RunMeta) -> _MetaTuple:
    """Give what a run is made of as the core takes it for chains without a backend."""
    return meta.rid, tuples_of(meta.variables), tuples_of(meta.sample_stats), b""


def messages_of(tuples: Sequence[_VariableTuple]) -> list[Variable]:
    """Give variables of the core as messages."""
    return [
        Variable(
            name=name,
            dtype=dtype,
            shape=shape,
            dims=dims,
            is_deterministic=is_deterministic,
            undefined_ndim=undefined_ndim,
        )
        for name, dtype, shape, dims, is_deterministic, undefined_ndim in tuples
    ]


class StoredRun(Run):
    """A run of the core.

    Parameters
    ----------
    backend : StoredBackend
        Which keeps it.
    core : CoreRun
        The run.
    """

    def __init__(self, backend: StoredBackend, core: CoreRun) -> None:
        self.backend = backend
        self._core = core

    @property
    def meta(self) -> RunMeta:
        """What the run is made of: a copy of the message."""
        meta = RunMeta.FromString(self._core.message)
        meta.rid = self.rid
        if not meta.variables and not meta.sample_stats:  # C++ programs need not say them twice
            meta.variables.extend(messages_of(self._core.variables))
            meta.sample_stats.extend(messages_of(self._core.sample_stats))
        return meta

    @property
    def rid(self) -> str:
        """The run's id."""
        return self._core.rid

    @property
    def created_at(self) -> datetime:
        """When the run was made, in UTC."""
        return _time(self._core.created_at)

    @property
    def size(self) -> int:
        """Bytes on disk, or in memory."""
        return self._core.size

    @property
    def in_memory(self) -> bool:
        """Whether draws lie in this process's memory, where reading them costs nothing."""
        return self.backend.in_memory

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        """Begin a chain: see `drawstore.Run.init_chain`."""
        return _as_chain(self._core.init_chain(chain_number, resume))

    def get_chains(self) -> list[Chain]:
        """Give handles on all chains: see `drawstore.Run.get_chains`."""
        return [_as_chain(chain) for chain in self._core.get_chains()]

    def _save_group(self, name: str, group: Group) -> None:
        self.backend.save_group(self.rid, name, group)

    def _load_groups(self) -> dict[str, Group]:
        return self.backend.load_groups(self.rid)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.backend, self.rid)


def _as_chain(chain: CoreChain) -> Chain:
    return cast(Chain, chain)  # it is registered as one


def _reopen(backend: Backend, rid: str) -> Run:
    return backend.get_run(rid)


class StoredBackend(Backend):
    """A backend of the core.

    Parameters
    ----------
    core : CoreBackend
        The backend.
    """

    in_memory = False

    def __init__(self, core: CoreBackend) -> None:
        self._core = core

    def init_run(self, meta: RunMeta) -> Run:
        """Begin a run: see `drawstore.Backend.init_run`."""
        return StoredRun(
            self,
            self._core.init_run(
                meta.rid,
                tuples_of(meta.variables),
                tuples_of(meta.sample_stats),
                meta.SerializeToString(),
            ),
        )

    def get_runs(self) -> list[RunInfo]:
        """List the runs: see `drawstore.Backend.get_runs`."""
        return [
            RunInfo(rid, _time(created_at), chains, size)
            for rid, created_at, chains, size in self._core.get_runs()
        ]

    def get_run(self, rid: str) -> Run:
        """Give a handle on a run: see `drawstore.Backend.get_run`."""
        return StoredRun(self, self._core.get_run(rid))

    def delete_run(self, rid: str) -> None:
        """Delete a run: see `drawstore.Backend.delete_run`."""
        self._core.delete_run(rid)

    @abstractmethod
    def save_group(self, rid: str, name: str, group: Group) -> None:
        """Keep a group of a run, in place of one of that name.

        Parameters
        ----------
        rid : str
            The run's id.
        name : str
            Of the group.
        group : Group
        """

    @abstractmethod
    def load_groups(self, rid: str) -> dict[str, Group]:
        """Give the groups of a run.

        Parameters
        ----------
        rid : str
            The run's id.

        Returns
        -------
        dict of str to Group
        """


class MemoryBackend(StoredBackend):
    """Keeps runs in memory, as long as it or a handle on them lives.

    Parameters
    ----------
    preallocate : int
        How many draws each chain has room for from the start. Only guides allocation.

    Examples
    --------
    >>> import drawstore
    >>> backend = drawstore.MemoryBackend()
    >>> run = backend.init_run(drawstore.make_meta({"x": ("float64", (2,))}))
    >>> chain = run.init_chain(0)
    >>> chain.append({"x": [1.0, 2.0]})
    >>> chain.get_draws("x")
    array([[1., 2.]])
    """

    in_memory = True

    def __init__(self, preallocate: int = 1000) -> None:
        super().__init__(memory_backend(preallocate))
        self.preallocate = preallocate
        self._groups: dict[str, dict[str, bytes]] = {}  # as they would be in files

    def delete_run(self, rid: str) -> None:
        """Delete a run: see `drawstore.Backend.delete_run`."""
        super().delete_run(rid)
        self._groups.pop(rid, None)

    def save_group(self, rid: str, name: str, group: Group) -> None:
        """Keep a group of a run: see `StoredBackend.save_group`."""
        self._groups.setdefault(rid, {})[name] = to_npz_bytes(group)

    def load_groups(self, rid: str) -> dict[str, Group]:
        """Give the groups of a run: see `StoredBackend.load_groups`."""
        return {name: from_npz(data) for name, data in self._groups.get(rid, {}).items()}

    def __reduce__(self) -> tuple[Any, ...]:
        from .pickling import contents_of, make_memory_backend

        return make_memory_backend, (self.preallocate, contents_of(self), self._groups)


class FileBackend(StoredBackend):
    """Keeps each run in a folder of a directory, each chain in a file.

    Once an append returns, the draw survives the death of the process; within a second, or after
    ``flush(sync=True)`` or ``close()``, also a loss of power. Several processes may write different
    chains of one run, while others read them.

    Parameters
    ----------
    directory : path-like
        Which is made with the first run.
    mode : {"a", "r"}
        Read and write, or read only: then nothing on disk is changed.
    sync_interval : float
        Seconds within which draws survive a loss of power; with 0, only ``flush(sync=True)`` makes
        them. Where the disk refuses them later, the next append or flush raises its ``OSError``.
    store : {"auto", "mapped", "written"}
        How the newest draws get into a file: mapped into memory, or by a call of the system for
        each; "auto" maps on file systems that are known to keep what is stored there.

    Raises
    ------
    ValueError
        For another mode or store.

    Examples
    --------
    >>> import drawstore
    >>> backend = drawstore.FileBackend("runs")
    >>> run = backend.init_run(drawstore.make_meta({"x": ("float64", ())}, rid="mine"))
    >>> with run.init_chain(0) as chain:
    ...     chain.append({"x": 1.5})

    In another process:

    >>> (chain,) = drawstore.FileBackend("runs", mode="r").get_run("mine").get_chains()
    >>> chain.get_draws("x")
    array([1.5])
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        mode: Literal["a", "r"] = "a",
        *,
        sync_interval: float = 1.0,
        store: Literal["auto", "mapped", "written"] = "auto",
    ) -> None:
        if mode not in ("a", "r"):
            raise ValueError(f"mode is 'a' or 'r', got {mode!r}")
        # As it is now: the process may change its working directory.
        self.directory = os.path.abspath(os.fspath(directory))
        if any("\ud800" <= character <= "\udfff" for character in self.directory):
            raise ValueError(f"the name of {self.directory!r} is not UTF-8; give it another one")
        self.mode = mode
        self.sync_interval = sync_interval
        self.store = store
        super().__init__(file_backend(self.directory, mode == "a", store, sync_interval))

    @property
    def is_mapped(self) -> bool:
        """Whether new draws are mapped into memory there, or written."""
        return files_are_mapped(self.directory, self.store)

    def _groups(self, rid: str) -> Path:
        return Path(run_folder(self.directory, rid)) / "groups"

    def save_group(self, rid: str, name: str, group: Group) -> None:
        """Keep a group of a run: see `StoredBackend.save_group`."""
        if self.mode == "r":
            raise RuntimeError(
                f"{self.directory!r} was opened read-only; make a FileBackend with mode='a' to "
                "change it"
            )
        self._groups(rid).mkdir(exist_ok=True)
        write_npz(group, self._groups(rid) / f"{quote(name, safe='')}.npz")

    def take_run(self, source: FileBackend, rid: str) -> None:
        """Move a closed run from another directory on the same disk to this one.

        It takes the place of the run of its id, where there is one, which is deleted: whoever looks
        finds the one or the other.

        Parameters
        ----------
        source : FileBackend
        rid : str

        Raises
        ------
        OSError
            Where it is not there, or on another disk.
        RuntimeError
            Where the other run is being written; nothing is changed then.
        """
        take_run(self.directory, source.directory, rid)

    def load_groups(self, rid: str) -> dict[str, Group]:
        """Give the groups of a run: see `StoredBackend.load_groups`."""
        files = sorted(self._groups(rid).glob("*.npz"))
        return {unquote(file.stem): from_npz(file) for file in files}

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_files, (self.directory, self.mode, self.sync_interval, self.store)

    def __repr__(self) -> str:
        return f"FileBackend({self.directory!r}, mode={self.mode!r})"


def _open_files(
    directory: str,
    mode: Literal["a", "r"],
    sync_interval: float,
    store: Literal["auto", "mapped", "written"],
) -> FileBackend:
    return FileBackend(directory, mode, sync_interval=sync_interval, store=store)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
