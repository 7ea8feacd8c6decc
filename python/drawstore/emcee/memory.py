"""emcee's in-memory backend on the chain buffer."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore._core import ChainBuffer, StepRecorder
from drawstore.ensemble.blobs import BlobLayout, decode_dicts, layout_of

from .base import BaseBackend, nothing_stored
from .steps import Steps, step_count
from .store import StoreBackend
from .tau import Positions

__all__ = ["Backend"]


class Backend(BaseBackend):
    """Keeps the chain in memory, as `emcee.backends.Backend` does.

    Growing neither copies nor moves what is there. Everything that scripts touch on emcee's class
    is here: arrays come back writeable and without a copy, can be assigned, and stay what they
    were when the backend is reset.

    Parameters
    ----------
    dtype : dtype, optional
        Of the chain and the log-probabilities; float64 by default.
    store : drawstore.Backend, optional
        A store to keep the steps in, in place of plain memory. What is made then is a
        `StoreBackend`, and takes its keywords, too: `rid`, `parameter_names`, `dims` and `coords`.
    """

    def __new__(cls, *args: Any, store: Any = None, **kwargs: Any) -> Any:
        """Make a `StoreBackend` where a store is given."""
        if store is None or cls is not Backend:
            return super().__new__(cls)
        return StoreBackend(store, *args, **kwargs)

    _steps: Steps | None
    _assigned: dict[str, Any]  # arrays put in place of ours, until the next step is to be saved
    _recorder: StepRecorder

    def __init__(self, dtype: DTypeLike | None = None, *, store: None = None) -> None:
        if store is not None:
            raise TypeError(f"{type(self).__name__} is a Backend in memory; it takes no store")
        self._hold_nothing()
        self.initialized = False
        self.dtype = np.float64 if dtype is None else dtype

    def reset(self, nwalkers: int, ndim: int) -> None:
        """Start again with no steps. Arrays that were handed out stay what they were.

        Parameters
        ----------
        nwalkers, ndim : int
            Walkers of the ensemble, and parameters.
        """
        if not hasattr(self, "_recorder"):  # a subclass may not call our constructor
            self._hold_nothing()
        self.nwalkers = int(nwalkers)
        self.ndim = int(ndim)
        self._begin(Steps(self.dtype, self.nwalkers, self.ndim, None))
        self._recorder.accepted = np.zeros(self.nwalkers, dtype=self.dtype)
        self._recorder.random_state = None
        self.initialized = True

    def grow(self, ngrow: SupportsIndex, blobs: NDArray[Any] | None) -> None:
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
        count = step_count(ngrow)
        self._check_blobs(blobs)
        self._adopt()
        steps = self._require_steps()
        if blobs is not None:
            blobs = np.asarray(blobs)
            new = steps.layout is None or len(steps) == 0
            layout = layout_of(blobs) if new or steps.layout is None else steps.layout.joined(blobs)
            if layout != steps.layout:
                self._refill(layout)
                steps = self._require_steps()
        steps.announce(len(steps) + count)

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
        self._record(state, accepted)

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
            raise nothing_stored()
        state = super().get_last_sample()
        if state.blobs is not None and self._has_dicts():
            state.blobs = decode_dicts(state.blobs)
        return state

    # What scripts read, and fixtures assign.

    @property
    def chain(self) -> NDArray[Any]:
        """Positions, shape (steps announced, nwalkers, ndim); undefined from `iteration` on."""
        values: NDArray[Any] = self._array("chain")
        return values

    @chain.setter
    def chain(self, values: NDArray[Any]) -> None:
        self._assign("chain", values)

    @property
    def log_prob(self) -> NDArray[Any]:
        """Log-probabilities, shape (steps announced, nwalkers)."""
        values: NDArray[Any] = self._array("log_prob")
        return values

    @log_prob.setter
    def log_prob(self, values: NDArray[Any]) -> None:
        self._assign("log_prob", values)

    @property
    def blobs(self) -> NDArray[Any] | None:
        """Blobs, shape (steps announced, nwalkers, ...), or None."""
        values: NDArray[Any] | None = self._array("blobs")
        return values

    @blobs.setter
    def blobs(self, values: NDArray[Any] | None) -> None:
        self._assign("blobs", values)

    @property
    def iteration(self) -> int:
        """The number of steps saved."""
        if "iteration" in self._assigned:
            return int(self._assigned["iteration"])
        return len(self._require_steps())

    @iteration.setter
    def iteration(self, steps: int) -> None:
        held = None if self._steps is None or self._assigned else self._steps.buffer
        if held is not None and len(held) <= steps <= held.announced:
            held.commit_room(steps - len(held))
        else:
            self._assign("iteration", steps)

    @property
    def accepted(self) -> NDArray[Any]:
        """Accepted proposals of each walker, shape (nwalkers,)."""
        counts = self._recorder.accepted
        if counts is None:
            raise nothing_stored()
        return counts

    @accepted.setter
    def accepted(self, counts: NDArray[Any]) -> None:
        self._recorder.accepted = counts

    @property
    def random_state(self) -> Any:
        """State of the sampler's random numbers after the last step, or None."""
        return self._recorder.random_state

    @random_state.setter
    def random_state(self, state: Any) -> None:
        self._recorder.random_state = state

    # How it is kept.

    def _hold_nothing(self) -> None:
        self._steps = None
        self._assigned = {}
        self._recorder = StepRecorder(_NOWHERE, None)
        self._adopt_before_next_step()
        self._record = self._recorder.save_step
        if type(self).save_step is _save_step:
            # The recorder's own function: a line of Python around it costs a fifth of its speed.
            self.__dict__["save_step"] = self._record

    def _require_steps(self) -> Steps:
        if self._steps is None:
            raise nothing_stored()
        return self._steps

    def _array(self, name: str) -> Any:
        if name in self._assigned:
            return self._assigned[name]
        steps = self._require_steps()
        if name == "chain":
            steps.is_handed_out = True
        return steps.room(name)

    @contextmanager
    def _positions(self) -> Iterator[Positions | None]:
        steps = self._steps
        if steps is None or len(steps) == 0 or self._assigned:
            yield None
            return
        room = steps.room("chain")
        assert room is not None
        yield Positions(
            len(steps),
            lambda rows: room[rows.start : rows.stop : rows.step],
            room,
            steps.is_handed_out,
        )

    def _has_dicts(self) -> bool:
        layout = None if self._steps is None else self._steps.layout
        return layout is not None and layout.dicts and "blobs" not in self._assigned

    def _begin(self, steps: Steps) -> None:
        """Let the following steps go to these."""
        self._forget_times()
        self._recorder.switch_to(steps.buffer, steps.encode)
        self._recorder.prepare = None
        self._steps = steps
        self._assigned = {}

    def _assign(self, name: str, value: Any) -> None:
        self._assigned[name] = value
        self._adopt_before_next_step()

    def _adopt_before_next_step(self) -> None:
        # Weakly, because the garbage collector does not see through a recorder.
        adopt = weakref.WeakMethod(self._adopt)

        def prepare() -> None:
            method = adopt()
            if method is None:
                raise ReferenceError("the backend that this save_step belongs to is gone")
            method()

        self._recorder.prepare = prepare

    def _adopt(self) -> None:
        """Take assigned arrays into the buffer, because a step is to follow them."""
        if not self._assigned:
            self._require_steps()
            return
        if not hasattr(self, "nwalkers"):
            self.nwalkers, self.ndim = np.shape(self.chain)[1:]
        blobs = self.blobs
        if "blobs" not in self._assigned:
            layout = None if self._steps is None else self._steps.layout
        else:
            layout = layout_of(np.asarray(blobs[0])) if blobs is not None and len(blobs) else None
        self._refill(layout)

    def _refill(self, layout: BlobLayout | None) -> None:
        """Keep the steps in a new buffer, for blobs of this layout."""
        steps = Steps(self.dtype, self.nwalkers, self.ndim, layout)
        saved = self.iteration
        steps.announce(max(saved, len(self.chain)))
        if saved > 0:
            blobs = self.blobs
            steps.extend(
                np.asarray(self.chain)[:saved],
                np.asarray(self.log_prob)[:saved],
                None if blobs is None else np.asarray(blobs)[:saved],
            )
        if self._recorder.accepted is None:
            self._recorder.accepted = np.zeros(self.nwalkers, dtype=self.dtype)
        self._begin(steps)

    # Pickles and copies hold what emcee's do: the arrays.

    def __getstate__(self) -> dict[str, Any]:
        ours = (
            _INTERNAL if vars(self).get("save_step") is self._record else _INTERNAL - {"save_step"}
        )
        state = {k: value for k, value in super().__getstate__().items() if k not in ours}
        # Rows that the user filled in place may lie beyond those that we saved.
        count = self._assigned.get("iteration", 0)
        steps = self._steps
        state["_held"] = {
            "steps": None if steps is None else steps.contents(max(len(steps), count)),
            "assigned": self._assigned,
            "accepted": self._recorder.accepted,
            "random_state": self._recorder.random_state,
        }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        held = state.pop("_held")
        self._hold_nothing()
        self.__dict__.update(state)
        if held["steps"] is not None:
            self._begin(Steps.of(held["steps"]))
        for name, value in held["assigned"].items():
            self._assign(name, copy.copy(value))
        self._recorder.accepted = copy.copy(held["accepted"])
        self._recorder.random_state = held["random_state"]


_save_step = Backend.save_step
_INTERNAL = frozenset({"_steps", "_recorder", "_record", "_assigned", "save_step"})
_NOWHERE = ChainBuffer([("chain", np.float64, (0, 0)), ("log_prob", np.float64, (0,))])
