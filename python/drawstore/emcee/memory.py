"""emcee's in-memory backend on the chain buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import emcee.backends
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore._core import ChainBuffer, StepRecorder

from .blobs import BlobLayout, decode_dicts, layout_of
from .tau import autocorr_time

__all__ = ["Backend"]


class Backend(emcee.backends.Backend):  # type: ignore[misc]  # emcee has no types
    """Keeps the chain in memory, as `emcee.backends.Backend` does.

    Growing neither copies nor moves what is there. Everything that scripts touch on emcee's class
    is here: arrays come back writeable and without a copy, can be assigned, and stay what they
    were when the backend is reset.

    Parameters
    ----------
    dtype : dtype, optional
        Of the chain and the log-probabilities; float64 by default.
    """

    def __init__(self, dtype: DTypeLike | None = None) -> None:
        self.initialized = False
        self.dtype = np.float64 if dtype is None else dtype
        self._forget()

    def _forget(self) -> None:
        self._buffer: ChainBuffer | None = None
        self._recorder: StepRecorder | None = None
        self._layout: BlobLayout | None = None
        self._objects: _ObjectRows | None = None
        # Arrays that the user put in place of ours, until the next step is to be saved.
        self._assigned: dict[str, Any] = {}

    def reset(self, nwalkers: int, ndim: int) -> None:
        """Start again with no steps. Arrays that were handed out stay what they were.

        Parameters
        ----------
        nwalkers, ndim : int
            Walkers of the ensemble, and parameters.
        """
        self.nwalkers = int(nwalkers)
        self.ndim = int(ndim)
        self._forget()
        self._start(None, np.zeros(self.nwalkers, dtype=self.dtype), None)
        self.initialized = True

    def grow(self, ngrow: int, blobs: NDArray[Any] | None) -> None:
        """Announce steps, so that memory is there when they come.

        Parameters
        ----------
        ngrow : int
            Steps that will be saved.
        blobs : ndarray, shape (nwalkers, ...), or None
            Blobs of the current step; they fix the dtype and the shape of all.

        Raises
        ------
        ValueError
            Where blobs come and did not before, or the reverse, or have another shape.
        """
        self._check_blobs(blobs)
        self._adopt()
        assert self._buffer is not None
        if blobs is not None:
            self._fit(layout_of(np.asarray(blobs)))
        self._buffer.announce(self.iteration + int(ngrow))
        if self._objects is not None:
            self._objects.grow(self.iteration + int(ngrow))

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
        """
        if self._assigned:
            self._adopt()
        self._save_step(state, accepted)

    def _save_step(self, state: Any, accepted: NDArray[Any]) -> None:
        # Replaced, in each object that was reset, by the recorder's own function.
        raise AttributeError("reset the backend before you save steps")

    def has_blobs(self) -> bool:
        """Whether the steps have blobs."""
        return self.blobs is not None

    def get_last_sample(self) -> Any:
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
        if not self.initialized:
            raise _nothing_stored()
        state = super().get_last_sample()
        if self._layout is not None and self._layout.dicts:
            state.blobs = decode_dicts(state.blobs)
        return state

    def get_autocorr_time(self, discard: int = 0, thin: int = 1, **kwargs: Any) -> Any:
        """Estimate the integrated autocorrelation time of each parameter, in steps.

        Parameters
        ----------
        discard, thin : int
            Steps left out at the start, and the distance of those that are used.
        **kwargs
            Of `drawstore.autocorr.integrated_time`.

        Returns
        -------
        ndarray, shape (ndim,)

        Raises
        ------
        emcee.autocorr.AutocorrError
            Where the chain is too short, unless ``quiet=True``.
        """
        return thin * autocorr_time(self.get_chain(discard=discard, thin=thin), **kwargs)

    # What scripts read, and fixtures assign.

    @property
    def chain(self) -> NDArray[Any]:
        """Positions, shape (steps announced, nwalkers, ndim); undefined from `iteration` on."""
        return self._array("chain")

    @chain.setter
    def chain(self, values: NDArray[Any]) -> None:
        self._assigned["chain"] = values

    @property
    def log_prob(self) -> NDArray[Any]:
        """Log-probabilities, shape (steps announced, nwalkers)."""
        return self._array("log_prob")

    @log_prob.setter
    def log_prob(self, values: NDArray[Any]) -> None:
        self._assigned["log_prob"] = values

    @property
    def blobs(self) -> NDArray[Any] | None:
        """Blobs, shape (steps announced, nwalkers, ...), or None."""
        if "blobs" in self._assigned:
            assigned: NDArray[Any] | None = self._assigned["blobs"]
            return assigned
        if self._layout is None:
            if self._buffer is None:
                raise _nothing_stored()
            return None
        return self._array("blobs") if self._objects is None else self._objects.room

    @blobs.setter
    def blobs(self, values: NDArray[Any] | None) -> None:
        self._assigned["blobs"] = values

    @property
    def iteration(self) -> int:
        """The number of steps saved."""
        if "iteration" in self._assigned:
            return int(self._assigned["iteration"])
        if self._buffer is None:
            raise _nothing_stored()
        return len(self._buffer)

    @iteration.setter
    def iteration(self, steps: int) -> None:
        buffer = self._buffer
        if buffer is not None and not self._assigned and len(buffer) <= steps <= buffer.announced:
            buffer.commit_room(steps - len(buffer))
        else:
            self._assigned["iteration"] = steps

    @property
    def accepted(self) -> NDArray[Any]:
        """Accepted proposals of each walker, shape (nwalkers,)."""
        if self._recorder is None:
            raise _nothing_stored()
        return self._recorder.accepted

    @accepted.setter
    def accepted(self, counts: NDArray[Any]) -> None:
        self._require_recorder().accepted = counts

    @property
    def random_state(self) -> Any:
        """State of the sampler's random numbers after the last step, or None."""
        return None if self._recorder is None else self._recorder.random_state

    @random_state.setter
    def random_state(self, state: Any) -> None:
        self._require_recorder().random_state = state

    # How it is kept.

    def _array(self, name: str) -> NDArray[Any]:
        if name in self._assigned:
            assigned: NDArray[Any] = self._assigned[name]
            return assigned
        if self._buffer is None:
            raise _nothing_stored()
        return self._buffer.get_room(name)

    def _require_recorder(self) -> StepRecorder:
        # A fixture may fill a backend that was never reset.
        if self._recorder is None:
            self._start(None, np.zeros(0), None)
        assert self._recorder is not None
        return self._recorder

    def _start(self, layout: BlobLayout | None, accepted: NDArray[Any], random_state: Any) -> None:
        """Begin with an empty buffer for this layout of blobs."""
        nwalkers, ndim = getattr(self, "nwalkers", 0), getattr(self, "ndim", 0)
        variables: list[tuple[str, DTypeLike, tuple[int, ...]]] = [
            ("chain", self.dtype, (nwalkers, ndim)),
            ("log_prob", self.dtype, (nwalkers,)),
        ]
        encode: Callable[[int, NDArray[Any]], NDArray[Any] | None] | None = None
        self._objects = None
        self._layout = layout
        if layout is not None and layout.dtype.hasobject:
            self._objects = objects = _ObjectRows(layout, nwalkers)
            encode = objects.put
        elif layout is not None:
            variables.append(("blobs", layout.dtype, (nwalkers, *layout.shape)))
            encode = layout.encode_step if layout.dicts else None
        self._buffer = ChainBuffer(variables)
        self._recorder = StepRecorder(self._buffer, accepted, encode)
        self._recorder.random_state = random_state
        self._save_step = self._recorder.save_step  # type: ignore[assignment,method-assign]

    def _fit(self, layout: BlobLayout) -> None:
        """Make the buffer one that takes blobs of this layout."""
        known = self._layout
        if known == layout:
            return
        if known is not None and self.iteration > 0:
            if known.dicts != layout.dicts or known.shape != layout.shape:
                raise ValueError(
                    f"blobs of dtype {layout.dtype} and shape {layout.shape} do not fit those of "
                    f"earlier steps, dtype {known.dtype} and shape {known.shape}"
                )
            if known.dicts:
                return  # the first step fixed the fields; encoding says what does not fit
            layout = BlobLayout(np.result_type(known.dtype, layout.dtype), layout.shape)
        self._refill(layout)

    def _adopt(self) -> None:
        """Take assigned arrays into the buffer, before a step is to follow them."""
        if self._buffer is None and not self._assigned:
            raise AttributeError("reset the backend before you save steps")
        if not self._assigned:
            return
        chain = np.asarray(self.chain)
        if not hasattr(self, "nwalkers"):
            self.nwalkers, self.ndim = chain.shape[1:]
        blobs = self.blobs
        self._refill(self._layout if blobs is None else layout_of(blobs[0]) if len(blobs) else None)

    def _refill(self, layout: BlobLayout | None) -> None:
        """Build the buffer anew for a layout, and copy what there is."""
        steps = self.iteration
        rows = {"chain": self.chain[:steps], "log_prob": self.log_prob[:steps]}
        blobs = self.blobs
        announced = 0 if self._buffer is None else self._buffer.announced
        recorder = self._require_recorder()
        if len(recorder.accepted) != self.nwalkers:
            recorder.accepted = np.zeros(self.nwalkers, dtype=self.dtype)
        self._assigned = {}
        self._start(layout, recorder.accepted, recorder.random_state)
        assert self._buffer is not None
        self._buffer.announce(max(announced, steps))
        if self._objects is not None:
            self._objects.grow(steps)
            if blobs is not None:
                self._objects.room[:steps] = blobs[:steps]
        elif layout is not None and blobs is not None:
            rows["blobs"] = blobs[:steps]
        elif layout is not None:
            rows["blobs"] = np.empty((steps, self.nwalkers, *layout.shape), dtype=layout.dtype)
        self._buffer.extend(rows)

    # Pickles and copies hold what emcee's do: the arrays.

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in _INTERNAL}
        state["_layout"] = self._layout
        if self._buffer is not None or self._assigned:
            steps = self.iteration
            state["_stored"] = {
                "chain": np.array(self.chain[:steps]),
                "log_prob": np.array(self.log_prob[:steps]),
                "blobs": None if self.blobs is None else np.array(self.blobs[:steps]),
                "iteration": steps,
                "accepted": self.accepted,
                "random_state": self.random_state,
            }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        stored = state.pop("_stored", None)
        layout = state.pop("_layout")
        self._forget()
        self.__dict__.update(state)
        if stored is not None:
            self._start(layout, stored.pop("accepted"), stored.pop("random_state"))
            self._assigned = stored
            self._refill(layout)


_INTERNAL = frozenset({"_buffer", "_recorder", "_layout", "_objects", "_assigned", "_save_step"})


class _ObjectRows:
    """Blobs that are Python objects: they stay in Python, one row a step."""

    def __init__(self, layout: BlobLayout, nwalkers: int) -> None:
        self._layout = layout
        self._announced = 0
        self._rows = np.empty((0, nwalkers, *layout.shape), dtype=layout.dtype)

    @property
    def room(self) -> NDArray[Any]:
        return self._rows[: self._announced]

    def grow(self, steps: int) -> None:
        self._announced = max(self._announced, steps)
        if steps > len(self._rows):
            rows = np.empty(
                (max(steps, 2 * len(self._rows)), *self._rows.shape[1:]), dtype=self._rows.dtype
            )
            rows[: len(self._rows)] = self._rows
            self._rows = rows

    def put(self, step: int, blobs: NDArray[Any]) -> None:
        self.grow(step + 1)
        self._rows[step] = self._layout.encode(blobs)


def _nothing_stored() -> AttributeError:
    return AttributeError(
        "there are no steps yet: run the sampler with 'store=True' before you read the results"
    )
