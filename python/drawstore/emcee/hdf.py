"""emcee's HDF5 backend, written in blocks by a background thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex

import emcee
import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore.closing import Closing
from drawstore.hdf5.errors import locked
from drawstore.hdf5.store_file import PATIENCE, store_file

from .base import BaseBackend, nothing_stored
from .blobs import decode_dicts, layout_of
from .layout import Stored, create_group, emcee_group, holds_only, read_steps
from .live import find_run, start_run
from .steps import step_count
from .writer import Run

__all__ = ["HDFBackend"]


class HDFBackend(Closing, BaseBackend):
    """Keeps the chain in an HDF5 file, as `emcee.backends.HDFBackend` does.

    Steps gather in memory and are written in blocks by a background thread. All handles of a
    process on one group of one file are one run: each sees every saved step. The file is complete
    when the last announced step is saved, at most `flush_interval` seconds after a step, after
    `flush` and `close`, and when the process ends.

    Parameters
    ----------
    filename : path-like
        Of the file, ours or emcee's own.
    name : str
        Of the group in it.
    read_only : bool
        Refuse to change the file.
    dtype : dtype, optional
        Of the chain and the log-probabilities; by default those in the file, or float64.
    compression, compression_opts
        Of `h5py.Group.create_dataset`.
    flush_interval : float
        Seconds after which a step is in the file at the latest. What came since the last flush is
        lost when the process is killed.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        name: str = "mcmc",
        read_only: bool = False,
        dtype: DTypeLike | None = None,
        compression: Any = None,
        compression_opts: Any = None,
        *,
        flush_interval: float = 1.0,
    ) -> None:
        if not flush_interval >= 0:
            raise ValueError(f"flush_interval is a number of seconds, got {flush_interval!r}")
        self.filename = filename
        self.name = name
        self.read_only = read_only
        self.compression = compression
        self.compression_opts = compression_opts
        self.flush_interval = flush_interval
        self.dtype_set = dtype is not None
        self.dtype: Any = np.float64 if dtype is None else dtype
        self._run: Run | None = None

    # Writing.

    def reset(self, nwalkers: int, ndim: int) -> None:
        """Make the file and an empty group in it; steps that were in the group are deleted.

        Parameters
        ----------
        nwalkers, ndim : int
            Walkers of the ensemble, and parameters.
        """
        self._check_writable()
        if not self._group_path():
            raise ValueError(f"name={self.name!r}: the group of a run needs a name of its own")
        run = self._live()
        if run is not None:
            run.discard()
        file = store_file(self.filename)
        with file.owned():
            if not file.update(
                lambda opened: create_group(
                    opened,
                    file.path,
                    self.name,
                    (int(nwalkers), int(ndim)),
                    self.dtype,
                    self.compression,
                    self.compression_opts,
                ),
                timeout=PATIENCE,
                create=True,
                # HDF5 would not give the space of deleted steps back to the next open.
                replaces=lambda opened: holds_only(opened, self._group_path()),
            ):
                raise locked(os.fspath(self.filename), PATIENCE)

    def grow(self, ngrow: SupportsIndex, blobs: NDArray[Any] | None) -> None:
        """Announce steps.

        Parameters
        ----------
        ngrow : int
            Steps that will be saved. When the last of them is, the file is complete.
        blobs : ndarray, shape (nwalkers, ...), or None
            Blobs of the current step; they fix the dtype and the shape of all.

        Raises
        ------
        ValueError
            Where blobs come and did not before, or the reverse, or have another shape.
        TypeError
            Where an HDF5 file cannot hold the blobs.
        BlockingIOError
            Where another process is writing to the file.
        """
        count = step_count(ngrow)
        run = self._take(blobs)
        run.announce(count)
        run.finish_if_complete()

    def save_step(self, state: Any, accepted: NDArray[Any]) -> None:
        """Save one step.

        Parameters
        ----------
        state : emcee.State
            Of the ensemble: coords, log_prob, blobs and random_state.
        accepted : ndarray of bool, shape (nwalkers,)
            Which walkers' proposals were accepted.

        Raises
        ------
        ValueError, TypeError
            For shapes and dtypes that do not fit; nothing is saved then.
        OSError
            Where the announced steps are complete and the file cannot be written.
        """
        while True:
            run = self._run
            if run is None or run.finished:
                run = self._take(state.blobs)
            is_due = run.record(state, accepted)
            if run.took_last():
                break
        if is_due:
            run.saved()

    def flush(self) -> None:
        """Return when every saved step is in the file, however long a reader holds it.

        Raises
        ------
        OSError
            Where the file cannot be written; the steps stay in memory.
        """
        run = self._live()
        if run is not None:
            run.deliver()

    def close(self, timeout: float = 60.0) -> None:
        """Deliver every saved step and let go of the file. The backend can be used again.

        Parameters
        ----------
        timeout : float
            Seconds to wait for a reader that holds the file.

        Raises
        ------
        TimeoutError
            Where it was not free by then; the steps stay in memory.
        """
        run = self._live()
        if run is not None:
            run.close(timeout)

    # Reading.

    def open(self, mode: str = "r") -> h5py.File:
        """Open the file with h5py, with every saved step in it; we wait until it is closed.

        Parameters
        ----------
        mode : str
            Of `h5py.File`.

        Raises
        ------
        RuntimeError
            For a mode that writes, where the backend is read-only.
        BlockingIOError
            Where another program holds the file, so that the newest steps are not in it.
        """
        if mode != "r":
            self._check_writable()
        run = self._live()
        if run is not None and not run.deliver(PATIENCE):
            raise locked(os.fspath(self.filename), PATIENCE)
        file = store_file(self.filename).open(mode)
        if self.name in file and "chain" in file[self.name]:
            self._learn(file[self.name]["chain"].dtype)
        return file

    @property
    def initialized(self) -> bool:
        """Whether there is a run of this name in the file.

        Raises
        ------
        OSError
            Where the file is there and cannot be read; it is not taken for an empty one.
        """
        if self._live() is not None:
            return True
        try:
            if os.path.getsize(self.filename) == 0:
                return False
            with store_file(self.filename).reading() as file:
                if self.name not in file:
                    return False
                self._learn(emcee_group(file, self.name)["chain"].dtype)
                return True
        except FileNotFoundError:
            return False

    def has_blobs(self) -> bool:
        """Whether the steps have blobs."""
        return self._layout() is not None

    @property
    def shape(self) -> tuple[int, int]:
        """The dimensions of the ensemble, ``(nwalkers, ndim)``."""
        stored = self._stored()
        return stored.nwalkers, stored.ndim

    @property
    def nwalkers(self) -> int:
        """The number of walkers."""
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of parameters."""
        return self.shape[1]

    @property
    def iteration(self) -> int:
        """The number of steps saved."""
        run = self._live()
        return self._stored().iteration if run is None else run.iteration

    @property
    def accepted(self) -> NDArray[Any]:
        """Accepted proposals of each walker, shape (nwalkers,)."""
        run = self._live()
        return self._stored().accepted if run is None else run.accepted

    @property
    def random_state(self) -> list[Any] | None:
        """State of the sampler's random numbers after the last step, or None."""
        run = self._live()
        return self._stored().random_state if run is None else run.random_state

    @property
    def chain(self) -> NDArray[Any]:
        """Positions, shape (iteration, nwalkers, ndim)."""
        return self._read("chain", 0, 1)

    @property
    def log_prob(self) -> NDArray[Any]:
        """Log-probabilities, shape (iteration, nwalkers)."""
        return self._read("log_prob", 0, 1)

    @property
    def blobs(self) -> NDArray[Any] | None:
        """Blobs, shape (iteration, nwalkers, ...), or None."""
        return self._read("blobs", 0, 1) if self.has_blobs() else None

    def get_value(self, name: str, flat: bool = False, thin: int = 1, discard: int = 0) -> Any:
        """Read the chain, the log-probabilities or the blobs.

        Parameters
        ----------
        name : {"chain", "log_prob", "blobs"}
            What to read.
        flat : bool
            Join steps and walkers into one axis.
        thin, discard : int
            Every how many-th step, and how many are left out at the start.

        Returns
        -------
        ndarray, shape (steps, nwalkers, ...) or (steps * nwalkers, ...)
            None for blobs where there are none.

        Raises
        ------
        AttributeError
            Where there are no steps.
        """
        if thin < 1:
            raise ValueError(f"thin={thin}: every first, second, ... step can be had; at least 1")
        if not self.initialized:
            raise nothing_stored(self._whats_missing())
        with self._steps() as (steps, has_blobs, read):
            if steps <= 0:
                raise nothing_stored()
            if name == "blobs" and not has_blobs:
                return None
            start = discard + thin - 1
            if start < 0:  # counted from the end, as slices do
                start = max(0, start + steps)
            values = read(name, start, thin)
        if flat:
            return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])
        return values

    def get_last_sample(self) -> emcee.State:
        """Give the most recent step.

        Returns
        -------
        emcee.State
            With dicts as blobs where the log-probability function returns dicts.

        Raises
        ------
        AttributeError
            Where there is no step yet.
        """
        last = (self.iteration if self.initialized else 0) - 1
        blobs = self.get_blobs(discard=max(last, 0))
        if blobs is not None:
            blobs = blobs[0]
            layout = self._layout()
            if layout is not None and layout.dicts:
                blobs = decode_dicts(blobs)
        return emcee.State(
            self.get_chain(discard=last)[0],
            log_prob=self.get_log_prob(discard=last)[0],
            blobs=blobs,
            random_state=self.random_state,
        )

    # How it is done.

    def _path(self) -> str:
        return os.path.realpath(self.filename)

    def _group_path(self) -> str:
        # One name for each group: HDF5 takes "/mcmc/", "mcmc" and "./mcmc" for the same.
        return "/".join(part for part in self.name.split("/") if part not in ("", "."))

    def _live(self) -> Run | None:
        """The run that this process is writing, whichever handle began it."""
        run = find_run(self._path(), self._group_path())
        if run is not None and run is not self._run:
            self._attach(run)
        return run

    def _take(self, blobs: NDArray[Any] | None) -> Run:
        """Become the writer of the run, whose next steps have such blobs."""
        self._check_writable()
        blobs = None if blobs is None else np.asarray(blobs)
        layout = None if blobs is None else layout_of(blobs)
        run = self._own(layout)
        try:
            if not run.accept(blobs):
                run.discard()  # nothing was saved yet
                run = self._own(layout)
        except BaseException:
            run.finish_if_complete()
            raise
        return run

    def _own(self, layout: Any) -> Run:
        if not os.path.exists(self.filename):
            raise FileNotFoundError(f"there is no file {os.fspath(self.filename)!r}; call reset")
        run = start_run(
            self._path(),
            self._group_path(),
            layout,
            self.flush_interval,
            self.compression,
            self.compression_opts,
        )
        self._attach(run)
        return run

    def _attach(self, run: Run) -> None:
        run.handles.add(self)
        self._run = run
        self._learn(run.stored.dtype)

    def _learn(self, dtype: np.dtype[Any]) -> None:
        if not self.dtype_set:
            self.dtype = dtype
            self.dtype_set = True

    def _check_writable(self) -> None:
        if self.read_only:
            raise RuntimeError(
                f"{os.fspath(self.filename)!r} was opened read-only; make a backend with "
                "read_only=False to change it"
            )

    @contextlib.contextmanager
    def _group(self) -> Iterator[h5py.Group]:
        with store_file(self.filename).reading() as file:
            yield emcee_group(file, self.name)

    def _stored(self) -> Stored:
        run = self._live()
        if run is not None:
            return run.stored
        with self._group() as group:
            return Stored.of(group)

    def _layout(self) -> Any:
        run = self._live()
        return self._stored().blobs if run is None else run.blobs

    @contextlib.contextmanager
    def _steps(self) -> Iterator[tuple[int, bool, Callable[[str, int, int], NDArray[Any]]]]:
        """Give the number of steps, whether they have blobs, and what reads every n-th of them."""
        run = self._live()
        if run is not None:
            yield run.iteration, run.blobs is not None, run.read
            return
        with self._group() as group:
            steps = int(group.attrs["iteration"])

            def read(name: str, start: int, step: int) -> NDArray[Any]:
                return read_steps(group, name, start, steps, step)

            yield steps, bool(group.attrs["has_blobs"]), read

    def _read(self, name: str, start: int, step: int) -> NDArray[Any]:
        with self._steps() as (_, _, read):
            return read(name, start, step)

    def _whats_missing(self) -> str:
        if not os.path.exists(self.filename):
            return f"there is no file {os.fspath(self.filename)!r}"
        if os.path.getsize(self.filename) == 0:
            return f"{os.fspath(self.filename)!r} is empty"
        try:
            with self._group():
                return ""
        except KeyError as error:
            return str(error.args[0])

    # Pickles are passive handles: what is being written stays with who writes it.

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_run": None}
