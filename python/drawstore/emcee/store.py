"""emcee's backend on any store: a run of one chain, whose draws are the steps of the ensemble."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import emcee
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from drawstore._core import fresh_rid
from drawstore.closing import Closing
from drawstore.dtypes import parse_dtype
from drawstore.ensemble import RANDOM_STATE, ensemble_meta, is_ensemble, parameters
from drawstore.interface import Backend as Store
from drawstore.interface import Chain, Run

from .base import BaseBackend, nothing_stored
from .blob_columns import declare, join, layout_in, split
from .blobs import BlobLayout, decode_dicts, layout_of
from .steps import step_count

__all__ = ["StoreBackend"]


class StoreBackend(Closing, BaseBackend):
    """Keeps the steps in a run of any store of drawstore: what ``Backend(store=...)`` makes.

    The run has one chain, number 0, with the variables ``coords``, ``log_prob`` and, where there
    are any, ``blobs`` (or ``blobs.<field>``, where fields hold text), and the stats ``accepted``,
    the accepted proposals so far, and ``random_state``. It begins with the first announced step.

    Parameters
    ----------
    store : drawstore.Backend
        Where the run is kept.
    dtype : dtype, optional
        Of the chain and the log-probabilities; by default those in the store, or float64.
    rid : str, optional
        The id of the run. One that is in the store is gone on with. By default a fresh one.
    parameter_names : sequence of str, or mapping of str to int, slice or sequence of int, optional
        A name for each coordinate of a walker, or where each parameter stands among them, as in
        emcee's ``parameter_names``. Kept with a new run.
    dims : mapping of str to sequence of str, optional
        The name of the dimension of parameters that are vectors. Kept with a new run.
    coords : mapping of str to array_like, optional
        The labels along such dimensions. Kept with a new run.

    Examples
    --------
    >>> import drawstore, drawstore.emcee
    >>> store = drawstore.MemoryBackend()
    >>> backend = drawstore.emcee.Backend(store=store, parameter_names=["slope", "offset"])
    >>> backend.reset(32, 2)  # emcee's sampler does
    >>> backend.shape
    (32, 2)
    """

    def __init__(
        self,
        store: Store,
        dtype: DTypeLike | None = None,
        *,
        rid: str = "",
        parameter_names: Sequence[str] | Mapping[str, int | slice | Sequence[int]] | None = None,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.store = store
        self.rid = rid or fresh_rid()
        self.parameter_names = parameter_names
        self.dims = dims or {}
        self.coords = coords or {}
        self.dtype_set = dtype is not None
        self.dtype: Any = np.float64 if dtype is None else dtype
        self._new: tuple[int, int] | None = None  # shape of a run that is to begin
        self._writer: Chain | None = None
        self._layout: BlobLayout | None = None
        self._accepted: NDArray[np.float64] = np.zeros(0)  # after so many steps:
        self._counted = 0

    # Writing.

    def reset(self, nwalkers: int, ndim: int) -> None:
        """Delete the run, where there is one, and begin it anew with the next step.

        Parameters
        ----------
        nwalkers, ndim : int
            Walkers of the ensemble, and parameters.

        Raises
        ------
        ValueError
            Where names and dims do not fit, or the run is not one of an ensemble.
        """
        shape = int(nwalkers), int(ndim)
        self._describe(shape, {}, dicts=False)
        run = self._find()
        self.close()
        if run is not None:
            self.store.delete_run(self.rid)
        self._new = shape

    def grow(self, ngrow: SupportsIndex, blobs: NDArray[Any] | None) -> None:
        """Announce steps.

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
        TypeError
            Where a store cannot keep the blobs.
        """
        count = step_count(ngrow)
        chain = self._take(blobs)
        chain.announce(len(chain) + count)

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
            Where the store cannot keep it.
        """
        chain = self._take(state.blobs) if self._writer is None else self._writer
        layout = self._layout
        if (state.blobs is None) != (layout is None):
            raise _inconsistent_blobs()
        if np.shape(accepted) != self._accepted.shape:
            raise ValueError(f"invalid acceptance size; expected {len(self._accepted)}")
        draw = {"coords": state.coords, "log_prob": state.log_prob}
        if layout is not None:
            draw |= split(layout, state.blobs)
        if self._counted != len(chain):  # another handle has written, too
            self._count(chain)
        counts = self._accepted + accepted
        stats: dict[str, ArrayLike] = {"accepted": counts}
        random_state = _encode_state(state.random_state)
        if random_state is not None:
            stats["random_state"] = random_state
        chain.append(draw, stats)
        self._accepted = counts
        self._counted += 1

    def flush(self, sync: bool = False) -> None:
        """Return when all steps are where the store keeps them.

        Parameters
        ----------
        sync : bool
            Whether they are to survive a loss of power, too.
        """
        if self._writer is not None:
            self._writer.flush(sync)

    def close(self) -> None:
        """Deliver all steps and let the run go. The backend can be used again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # Reading.

    @property
    def run(self) -> Run:
        """The run, for everything that drawstore does with runs.

        Raises
        ------
        AttributeError
            Where it has not begun.
        """
        run = self._find()
        if run is None:
            raise nothing_stored(f"the store has no run {self.rid!r}")
        return run

    @property
    def initialized(self) -> bool:
        """Whether there is a run, or one is to begin."""
        return self._new is not None or self._find() is not None

    @property
    def shape(self) -> tuple[int, int]:
        """The dimensions of the ensemble, ``(nwalkers, ndim)``."""
        if self._new is not None:
            return self._new
        nwalkers, ndim = self.run.variables["coords"].shape
        return nwalkers, ndim

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
        chain = self._chain()
        return 0 if chain is None else len(chain)

    @property
    def accepted(self) -> NDArray[Any]:
        """Accepted proposals of each walker, shape (nwalkers,)."""
        chain = self._chain()
        steps = 0 if chain is None else len(chain)
        return np.zeros(self.nwalkers) if chain is None or not steps else _accepted_in(chain, steps)

    @property
    def random_state(self) -> Any:
        """State of the sampler's random numbers after the last step, or None."""
        chain = self._chain()
        return _state_at(chain, -1) if chain is not None and len(chain) else None

    def has_blobs(self) -> bool:
        """Whether the steps have blobs."""
        return self._blobs() is not None

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
        chain = self._chain()
        if chain is None or not len(chain):
            raise nothing_stored()
        steps = len(chain)
        start = discard + thin - 1
        if start < 0:  # counted from the end, as slices do
            start = max(0, start + steps)
        values = self._read(chain, name, slice(start, steps, thin))
        if flat and values is not None:
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
        chain = self._chain()
        if chain is None or not len(chain):
            raise nothing_stored()
        last = len(chain) - 1
        row = slice(last, last + 1)
        coords, log_prob = (self._read(chain, name, row)[0] for name in ("chain", "log_prob"))
        blobs = self._read(chain, "blobs", row)
        if blobs is not None:
            blobs = blobs[0]
        layout = self._blobs()
        if layout is not None and layout.dicts:
            blobs = decode_dicts(blobs)
        return emcee.State(
            coords, log_prob=log_prob, blobs=blobs, random_state=_state_at(chain, last)
        )

    # How it is done.

    def _find(self) -> Run | None:
        try:
            run = self.store.get_run(self.rid)
        except KeyError:
            return None
        if not is_ensemble(run):
            raise ValueError(f"run {self.rid!r} is not one of an ensemble: {list(run.variables)}")
        if not self.dtype_set:
            self.dtype = parse_dtype(run.variables["coords"].dtype)
        return run

    def _chain(self) -> Chain | None:
        """The steps, where there are any; those of another handle, or process, as of now."""
        if self._writer is not None:
            return self._writer
        run = self._find()
        if run is None and self._new is None:
            raise nothing_stored(f"the store has no run {self.rid!r}")
        chains = [] if run is None else run.get_chains()
        return chains[0] if chains else None

    def _blobs(self) -> BlobLayout | None:
        if self._writer is not None:
            return self._layout
        return None if self._new is not None else _blobs_of(self.run)

    def _read(self, chain: Chain, name: str, slc: slice) -> Any:
        if name != "blobs":
            return _own(chain.get_draws("coords" if name == "chain" else name, slc))
        layout = self._blobs()
        if layout is None:
            return None
        return join(layout, lambda part: _own(chain.get_draws(part, slc)))

    def _take(self, blobs: NDArray[Any] | None) -> Chain:
        """Become the writer of the run, whose next steps have such blobs."""
        blobs = None if blobs is None else np.asarray(blobs)
        layout = None if blobs is None else layout_of(blobs)
        if self._writer is None and self._new is None:
            run = self.run
            self._writer = run.init_chain(0, resume=True)
            self._layout = _blobs_of(run)
            self._count(self._writer)
        if self._writer is None or (len(self._writer) == 0 and layout != self._layout):
            return self._begin(layout, blobs)
        if (layout is None) != (self._layout is None):
            raise _inconsistent_blobs()
        if self._layout is not None and blobs is not None:
            self._layout.admit(blobs)
        return self._writer

    def _begin(self, layout: BlobLayout | None, blobs: NDArray[Any] | None) -> Chain:
        """Make the run, in place of one without a step."""
        shape = self.shape
        declared = {} if layout is None or blobs is None else declare(layout, blobs)
        meta = self._describe(shape, declared, dicts=layout is not None and layout.dicts)
        self.close()
        with contextlib.suppress(KeyError):
            self.store.delete_run(self.rid)
        run = self.store.init_run(meta)
        self._writer = run.init_chain(0)
        self._layout = layout
        self._accepted, self._counted = np.zeros(shape[0]), 0
        self._new = None
        return self._writer

    def _count(self, chain: Chain) -> None:
        self._counted = len(chain)
        self._accepted = self.accepted

    def _describe(self, shape: tuple[int, int], blobs: Any, *, dicts: bool) -> Any:
        return ensemble_meta(
            *shape,
            self.dtype,
            parameters(shape[1], self.parameter_names, self.dims),
            blobs=blobs,
            coords=self.coords,
            attributes={
                "inference_library": "emcee",
                "inference_library_version": emcee.__version__,
                **({"blobs_are_dicts": True} if dicts else {}),
            },
            rid=self.rid,
        )

    # Pickles are passive handles: what is being written stays with who writes it.

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_writer": None, "_layout": None}


def _inconsistent_blobs() -> ValueError:
    return ValueError("inconsistent use of blobs: all steps of a run have them, or none")


def _blobs_of(run: Run) -> BlobLayout | None:
    return layout_in(run.variables, bool(run.attributes.get("blobs_are_dicts")))


def _own(values: NDArray[Any]) -> NDArray[Any]:
    """Give values that the caller may change."""
    if not values.flags.owndata:
        return values.copy()
    values.flags.writeable = True
    return values


def _accepted_in(chain: Chain, steps: int) -> NDArray[np.float64]:
    return np.array(chain.get_stats_at(steps - 1, ["accepted"])["accepted"])


def _encode_state(state: Any) -> NDArray[np.void] | None:
    """Give a state of NumPy's RandomState as a row holds it; None where it is not one."""
    if not isinstance(state, tuple | list) or len(state) != 5 or state[0] != "MT19937":
        return None
    encoded = np.empty((), dtype=RANDOM_STATE)
    encoded["key"], encoded["position"], encoded["has_gauss"], encoded["gauss"] = state[1:]
    return encoded


def _state_at(chain: Chain, i: int) -> tuple[str, NDArray[np.uint32], int, int, float] | None:
    value = chain.get_stats_at(i, ["random_state"])["random_state"]
    if isinstance(value, np.ma.MaskedArray):
        return None
    key = np.array(value["key"])
    return (
        "MT19937",
        key,
        int(value["position"]),
        int(value["has_gauss"]),
        float(value["gauss"]),
    )
