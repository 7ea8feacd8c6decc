"""What the backends share whose steps are in a store: everything that only reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, SupportsIndex

import emcee
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore.closing import Closing
from drawstore.ensemble.blobs import decode_dicts
from drawstore.ensemble.stored import StoredSteps

from .base import BaseBackend, nothing_stored
from .steps import step_count
from .tau import Positions

__all__ = ["StoredBackend"]


class StoredBackend(Closing, BaseBackend):
    """A backend that reads its steps from a store.

    Parameters
    ----------
    dtype : dtype, optional
        Of the chain and the log-probabilities; by default those in the store, or float64.
    """

    def __init__(self, dtype: DTypeLike | None) -> None:
        self.dtype_set = dtype is not None
        self.dtype: Any = np.float64 if dtype is None else dtype

    @abstractmethod
    def _steps(self) -> AbstractContextManager[StoredSteps]:
        """Give the steps, as long as the context lasts.

        Raises
        ------
        AttributeError, FileNotFoundError, KeyError
            Where there is no run.
        """

    @contextmanager
    def _saved(self) -> Iterator[StoredSteps]:
        """Give the steps where there are any, and emcee's error else."""
        with ExitStack() as opened:
            try:
                steps = opened.enter_context(self._steps())
            except (FileNotFoundError, KeyError) as error:
                raise nothing_stored(str(error.args[0])) from None
            if steps.count <= 0:
                raise nothing_stored()
            yield steps

    @contextmanager
    def _positions(self) -> Iterator[Positions]:
        with ExitStack() as opened:
            steps = opened.enter_context(self._saved())
            is_open = True

            def read(rows: range) -> NDArray[Any]:
                # Nothing is held open while times are computed, and most of them need one piece.
                nonlocal is_open
                if is_open:
                    is_open = False
                    with opened:
                        return steps.read("chain", rows)
                with self._saved() as again:
                    return again.read("chain", rows)

            yield Positions(steps.count, read)

    @abstractmethod
    def _announce(self, count: int, blobs: NDArray[Any] | None) -> None:
        """Prepare for so many steps with such blobs."""

    def _seconds_to_deliver(self) -> float:
        """Say how long `close` is going to take, as far as that is known."""
        return 0.0

    def _learn(self, dtype: np.dtype[Any]) -> None:
        if not self.dtype_set:
            self.dtype = dtype
            self.dtype_set = True

    def grow(self, ngrow: SupportsIndex, blobs: NDArray[Any] | None) -> None:
        """Announce steps.

        Parameters
        ----------
        ngrow : int
            Steps that will be saved. When the last of them is, the store is complete.
        blobs : ndarray, shape (nwalkers, ...), or None
            Blobs of the current step; they fix the dtype and the shape of all.

        Raises
        ------
        ValueError
            Where blobs come and did not before, or the reverse, or have another shape.
        TypeError
            Where the store cannot keep the blobs.
        BlockingIOError
            Where another process is writing to the run.
        """
        self._announce(step_count(ngrow), blobs)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """The dimensions of the ensemble, ``(nwalkers, ndim)``."""

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
        with self._steps() as steps:
            return steps.count

    @property
    def accepted(self) -> NDArray[Any]:
        """Accepted proposals of each walker, shape (nwalkers,)."""
        with self._steps() as steps:
            return steps.accepted()

    @property
    def random_state(self) -> Any:
        """State of the sampler's random numbers after the last step, or None."""
        with self._steps() as steps:
            return steps.random_state()

    @property
    def chain(self) -> NDArray[Any]:
        """Positions, shape (iteration, nwalkers, ndim)."""
        with self._steps() as steps:
            return steps.read("chain", steps.all)

    @property
    def log_prob(self) -> NDArray[Any]:
        """Log-probabilities, shape (iteration, nwalkers)."""
        with self._steps() as steps:
            return steps.read("log_prob", steps.all)

    @property
    def blobs(self) -> NDArray[Any] | None:
        """Blobs, shape (iteration, nwalkers, ...), or None."""
        with self._steps() as steps:
            return None if steps.blobs is None else steps.read("blobs", steps.all)

    def has_blobs(self) -> bool:
        """Whether the steps have blobs."""
        with self._steps() as steps:
            return steps.blobs is not None

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
            A copy. None for blobs where there are none.

        Raises
        ------
        AttributeError
            Where there are no steps.
        """
        if thin < 1:
            raise ValueError(f"thin={thin}: every first, second, ... step can be had; at least 1")
        with self._saved() as steps:
            if name == "blobs" and steps.blobs is None:
                return None
            values = steps.read(name, steps.all[discard + thin - 1 :: thin])
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
        with self._saved() as steps:
            last = steps.all[-1:]
            blobs = None
            if steps.blobs is not None:
                blobs = steps.read("blobs", last)[0]
                blobs = decode_dicts(blobs) if steps.blobs.dicts else blobs
            return emcee.State(
                steps.read("chain", last)[0],
                log_prob=steps.read("log_prob", last)[0],
                blobs=blobs,
                random_state=steps.random_state(),
            )
