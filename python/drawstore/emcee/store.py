"""emcee's backend on any store: a run of one chain, whose draws are the steps of the ensemble."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import emcee
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from drawstore._core import fresh_rid
from drawstore.dtypes import parse_dtype
from drawstore.ensemble import ensemble_meta, is_ensemble, parameters
from drawstore.ensemble.blob_columns import declare, join, layout_in, split
from drawstore.ensemble.blobs import BlobLayout, inconsistent_blobs, layout_of
from drawstore.ensemble.random_states import encode_state, state_at
from drawstore.ensemble.stored import StoredSteps, own
from drawstore.interface import Backend as Store
from drawstore.interface import Chain, Run
from drawstore.origin import batch_job

from .base import nothing_stored
from .stored import StoredBackend

__all__ = ["StoreBackend"]


class StoreBackend(StoredBackend):
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
        super().__init__(dtype)
        self.store = store
        self.rid = rid or fresh_rid()
        self.parameter_names = parameter_names
        self.dims = dims or {}
        self.coords = coords or {}
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
        self._forget_times()
        run = self._find()
        self.close()
        if run is not None:
            self.store.delete_run(self.rid)
        self._new = shape

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
            raise inconsistent_blobs()
        if np.shape(accepted) != self._accepted.shape:
            raise ValueError(f"invalid acceptance size; expected {len(self._accepted)}")
        draw = {"coords": state.coords, "log_prob": state.log_prob}
        if layout is not None:
            draw |= split(layout, state.blobs)
        if self._counted != len(chain):  # another handle has written, too
            self._count(chain)
        counts = self._accepted + accepted
        stats: dict[str, ArrayLike] = {"accepted": counts}
        random_state = encode_state(state.random_state)
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

    def _seconds_to_deliver(self) -> float:
        return self.store._seconds_to_deliver()

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

    # How it is done.

    def _find(self) -> Run | None:
        try:
            run = self.store.get_run(self.rid)
        except KeyError:
            return None
        if not is_ensemble(run):
            raise ValueError(f"run {self.rid!r} is not one of an ensemble: {list(run.variables)}")
        self._learn(parse_dtype(run.variables["coords"].dtype))
        return run

    @contextlib.contextmanager
    def _steps(self) -> Iterator[StoredSteps]:
        """Give the steps; those of another handle, or process, as of now."""
        chain, layout = self._writer, self._layout
        if chain is None:
            run = self._find()
            if run is None and self._new is None:
                raise nothing_stored(f"the store has no run {self.rid!r}")
            chains = [] if run is None else run.get_chains()
            chain = chains[0] if chains else None
            layout = None if run is None else _blobs_of(run)
        if chain is None:
            yield self._no_steps()
            return
        count = len(chain)

        def read(name: str, rows: range) -> NDArray[Any]:
            slc = slice(rows.start, rows.stop, rows.step)
            if name != "blobs":
                return own(chain.get_draws("coords" if name == "chain" else name, slc))
            assert layout is not None
            return join(layout, lambda part: own(chain.get_draws(part, slc)))

        yield StoredSteps(
            count,
            layout,
            read,
            lambda: _accepted_in(chain, count) if count else np.zeros(self.nwalkers),
            lambda: state_at(chain, count - 1) if count else None,
        )

    def _no_steps(self) -> StoredSteps:
        def read(name: str, rows: range) -> NDArray[Any]:
            return np.empty((0, *self.shape) if name == "chain" else (0, self.nwalkers), self.dtype)

        return StoredSteps(0, None, read, lambda: np.zeros(self.nwalkers), lambda: None)

    def _announce(self, count: int, blobs: NDArray[Any] | None) -> None:
        chain = self._take(blobs)
        chain.announce(len(chain) + count)

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
            raise inconsistent_blobs()
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
                **({"job": job} if (job := batch_job()) else {}),
            },
            rid=self.rid,
        )

    # Pickles are passive handles: what is being written stays with who writes it.

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_writer": None, "_layout": None}


def _blobs_of(run: Run) -> BlobLayout | None:
    return layout_in(run.variables, bool(run.attributes.get("blobs_are_dicts")))


def _accepted_in(chain: Chain, steps: int) -> NDArray[np.float64]:
    return np.array(chain.get_stats_at(steps - 1, ["accepted"])["accepted"])
