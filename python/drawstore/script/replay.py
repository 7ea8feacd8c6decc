"""Steps that were kept, as what a sampler proposes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import emcee
import numpy as np
from numpy.typing import NDArray

from drawstore.ensemble.blobs import decode_dicts

if TYPE_CHECKING:
    from drawstore.emcee import HDFBackend

__all__ = ["Proposals", "RecordedMove", "stored_states"]

_BLOCK_BYTES = 16 * 2**20  # that are read at once

Proposal = tuple[emcee.State, NDArray[Any]]


def stored_states(backend: HDFBackend, rows: range, dtype: Any) -> Iterator[emcee.State]:
    """Read steps of a backend, one after the other.

    Parameters
    ----------
    backend : HDFBackend
    rows : range
    dtype : dtype
        That the walkers began with.

    Yields
    ------
    emcee.State
        With arrays of its own; without a random state.
    """
    n_walkers, ndim = backend.shape
    n = max(1, _BLOCK_BYTES // (8 * n_walkers * (ndim + 1)))
    for start in range(0, len(rows), n):
        block = rows[start : start + n]
        with backend._saved() as steps:
            coords = steps.read("chain", block).astype(dtype, copy=False)
            log_prob = steps.read("log_prob", block)
            blobs = None if steps.blobs is None else steps.read("blobs", block)
            has_dicts = steps.blobs is not None and steps.blobs.dicts
        for i in range(len(block)):
            blob = None if blobs is None else blobs[i].copy()
            yield emcee.State(
                coords[i].copy(),
                log_prob=log_prob[i].copy(),
                blobs=decode_dicts(blob) if blob is not None and has_dicts else blob,
            )


class Proposals:
    """What a sampler proposes in one call: the steps that were kept, and then new ones.

    A file of emcee has the sum of the accepted proposals only, so they are spread evenly over the
    steps that were kept. The sampler goes on with the random numbers that followed the last one.

    Parameters
    ----------
    sampler : emcee.EnsembleSampler
    backend : HDFBackend
        With the steps.
    rows : range
        Those that are wanted of it.
    every : int
        Proposals a step.
    dtype : dtype
        That the walkers began with.

    Attributes
    ----------
    accepted : ndarray of bool, shape (nwalkers,)
        Which walkers went to where it was last proposed.
    """

    def __init__(
        self,
        sampler: emcee.EnsembleSampler,
        backend: HDFBackend,
        rows: range,
        every: int,
        dtype: Any,
    ) -> None:
        self.accepted: NDArray[Any] = np.zeros(sampler.nwalkers, dtype=bool)
        self._sampler = sampler
        self._backend = backend
        self._rows = rows
        self._every = every
        self._states = stored_states(backend, rows, dtype)
        self._left = len(rows) * every
        if rows:
            self._total, self._sum = backend.iteration, backend.accepted

    def next(self, move: Any, model: Any, state: emcee.State) -> Proposal:
        """Give what follows a state: a stored step, the state itself between two, or a new one."""
        if self._left == 0:
            state, self.accepted = move.propose(model, state)
            return state, self.accepted
        self._left -= 1
        left, between = divmod(self._left, self._every)
        if between:
            self.accepted = np.zeros_like(self.accepted)
            return state, self.accepted
        step = self._rows[-1 - left]
        before, after = (np.rint(self._sum * n / self._total) for n in (step, step + 1))
        self.accepted = after > before
        if step + 1 == self._total:
            self._sampler.random_state = self._backend.random_state
        return next(self._states), self.accepted


class RecordedMove:
    """A move of a sampler, for the time of one call.

    Attributes
    ----------
    move : emcee.moves.Move
    """

    def __init__(self, move: Any, proposals: Proposals) -> None:
        self.move = move
        self._proposals = proposals

    def propose(self, model: Any, state: emcee.State) -> Proposal:
        """Propose, as a move of emcee does."""
        return self._proposals.next(self.move, model, state)

    def tune(self, state: emcee.State, accepted: NDArray[Any]) -> None:
        """Tune the move."""
        self.move.tune(state, accepted)

    def __reduce__(self) -> Any:
        return copy.copy, (self.move,)  # what is pickled is emcee's alone
