"""emcee's HDF5 backend, written in blocks by a background thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore.ensemble.stored import StoredSteps
from drawstore.hdf5.emcee_journaled import stored_steps
from drawstore.hdf5.emcee_layout import Stored, create_group, emcee_group, holds_only
from drawstore.hdf5.errors import locked
from drawstore.hdf5.journal import Tails, journal_options, journals_of
from drawstore.hdf5.store_file import PATIENCE, StoreFile, store_file

from .base import nothing_stored
from .live import find_run, start_run
from .options import Options
from .stored import StoredBackend
from .writer import Run

__all__ = ["HDFBackend"]


class HDFBackend(StoredBackend):
    """Keeps the chain in an HDF5 file, as `emcee.backends.HDFBackend` does.

    Steps gather in a journal, a file beside it, and are written to the HDF5 file in blocks by a
    background thread. Once `save_step` returns, the step survives the death of the process, and
    after `sync_interval` seconds a loss of power: the next one to open the file to write to it puts
    it there. The journal goes away when all is delivered and closed.

    All handles on one group of one file see every saved step at once, in any process. The HDF5 file
    itself is complete when the last announced step is saved, at most `flush_interval` seconds after
    a step, after `flush` and `close`, and when the process ends.

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
        Seconds after which a step is in the HDF5 file at the latest.
    journal : bool or path-like
        Where the journal is: beside the file, as ``<filename>-journal``, or at a path, which a
        small file beside it, ``<filename>-journal-at``, tells all who open the file. False keeps
        steps in memory until they are in the file: what came since the last flush is then lost when
        the process is killed.
    sync_interval : float
        Seconds after which a step survives a loss of power; 0: when it is in the HDF5 file.
    max_buffer : int
        Bytes of steps that may wait for the file, where others hold it or the disk is slow. Then
        `save_step` waits.
    store : {"auto", "mapped", "written"}
        How steps get into the journal: mapped into memory, or by a call of the system for each;
        "auto" chooses by the file system.

    Raises
    ------
    ValueError
        For intervals that are none.

    Examples
    --------
    >>> import emcee, numpy as np, drawstore.emcee
    >>> backend = drawstore.emcee.HDFBackend("chain.h5")
    >>> backend.reset(8, 2)
    >>> sampler = emcee.EnsembleSampler(8, 2, lambda x: -x @ x, backend=backend)
    >>> state = sampler.run_mcmc(np.random.rand(8, 2), 20)
    >>> backend.get_chain(discard=10).shape
    (10, 8, 2)
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
        journal: bool | str | os.PathLike[str] = True,
        sync_interval: float = 1.0,
        max_buffer: int = 2**30,
        store: Literal["auto", "mapped", "written"] = "auto",
    ) -> None:
        if not flush_interval >= 0:
            raise ValueError(f"flush_interval is a number of seconds, got {flush_interval!r}")
        super().__init__(dtype)
        self.filename = filename
        self.name = name
        self.read_only = read_only
        self.compression = compression
        self.compression_opts = compression_opts
        self.flush_interval = flush_interval
        self._journal = (journal, sync_interval, max_buffer, store)
        self._options()  # checks them
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
        self._forget_times()
        if not self._group_path():
            raise ValueError(f"name={self.name!r}: the group of a run needs a name of its own")
        file = store_file(self.filename)
        run = self._live()
        file.acquire(journal=self._options().journal.path)
        try:
            # Steps that wait are forgotten when the file has begun anew, no earlier.
            with contextlib.nullcontext() if run is None else run.replaced():
                self._create(file, int(nwalkers), int(ndim))
        finally:
            file.release()

    def _create(self, file: StoreFile, nwalkers: int, ndim: int) -> None:
        if not file.update(
            lambda opened: create_group(
                opened,
                file.path,
                self.name,
                (nwalkers, ndim),
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
            Where there is no room for the step, which is not saved then; and where the announced
            steps are complete, or no more may wait, and the file cannot be written.
        """
        while True:
            run = self._run
            if run is None or run.finished:
                run = self._take(state.blobs)
            try:
                is_due = run.record(state, accepted)
            except RuntimeError:
                if not run.finished:  # by another thread, which had all but this step
                    raise
                continue
            if run.took_last():
                break
        if is_due:
            run.saved()

    def flush(self) -> None:
        """Return when every saved step is in the file, however long a reader holds it.

        Raises
        ------
        OSError
            Where the file cannot be written; the steps stay where they are.
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
            Where it was not free by then; it says where the steps are kept.
        """
        run = self._live()
        if run is not None:
            run.close(timeout)

    def _seconds_to_deliver(self) -> float:
        run = self._run
        return 0.0 if run is None or run.finished else run.seconds_to_deliver

    # Reading.

    def open(self, mode: str = "r") -> h5py.File:
        """Open the file with h5py, with every saved step in it; we wait until it is closed.

        Parameters
        ----------
        mode : str
            Of `h5py.File`.

        Returns
        -------
        h5py.File
            To be closed, as by a ``with`` block.

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
        file = store_file(self.filename)
        if run is not None:
            if not run.deliver(PATIENCE):
                raise locked(os.fspath(self.filename), PATIENCE)
        elif not self.read_only and journals_of(self._path(), self._journal[0]):
            with contextlib.suppress(BlockingIOError):  # it is being written by another process
                file.acquire(journal=self._options().journal.path)
                file.release()
        opened = file.open(mode)
        if self.name in opened and "chain" in opened[self.name]:
            self._learn(opened[self.name]["chain"].dtype)
        return opened

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

    @property
    def shape(self) -> tuple[int, int]:
        """The dimensions of the ensemble, ``(nwalkers, ndim)``."""
        run = self._live()
        if run is not None:
            stored = run.stored
        else:
            with self._group() as group:
                stored = Stored.of(group)
        return stored.nwalkers, stored.ndim

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
        if not os.path.exists(self.filename):
            raise FileNotFoundError(f"there is no file {os.fspath(self.filename)!r}; call reset")
        blobs = None if blobs is None else np.asarray(blobs)
        run = start_run(self._path(), self._group_path(), blobs, self._options())
        self._attach(run)
        return run

    def _options(self) -> Options:
        return Options(
            self.flush_interval,
            self.compression,
            self.compression_opts,
            journal_options(self._path(), *self._journal),
        )

    def _attach(self, run: Run) -> None:
        run.handles.add(self)
        self._run = run
        self._learn(run.stored.dtype)

    def _check_writable(self) -> None:
        if self.read_only:
            raise RuntimeError(
                f"{os.fspath(self.filename)!r} was opened read-only; make a backend with "
                "read_only=False to change it"
            )

    @contextlib.contextmanager
    def _steps(self) -> Iterator[StoredSteps]:
        run = self._live()
        if run is not None:
            yield run.steps()
            return
        with self._group() as group:
            self._learn(group["chain"].dtype)
            tails = Tails(self._path(), self._journal[0])
            yield stored_steps(group, tails.of(group, int(group.attrs["iteration"])))

    @contextlib.contextmanager
    def _group(self) -> Iterator[h5py.Group]:
        path = os.fspath(self.filename)
        if not os.path.exists(path):
            raise FileNotFoundError(f"there is no file {path!r}")
        if os.path.getsize(path) == 0:
            raise nothing_stored(f"{path!r} is empty")
        with store_file(path).reading() as file:
            yield emcee_group(file, self.name)

    def _announce(self, count: int, blobs: NDArray[Any] | None) -> None:
        run = self._take(blobs)
        run.announce(count)
        run.finish_if_complete()

    # Pickles are passive handles: what is being written stays with who writes it.

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_run": None}
