"""Runs as the steps of an ensemble, which is how emcee and its backends keep them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore import ensemble
from drawstore.dtypes import parse_dtype
from drawstore.ensemble.blob_columns import columns_of
from drawstore.ensemble.blobs import BlobLayout
from drawstore.interface import Run

from .walkers import WalkerBlobs, log_prob_of, parameters_in

if TYPE_CHECKING:
    from drawstore.ensemble import RunSteps
    from drawstore.meta import RunMeta

__all__ = ["Steps", "steps_of", "why_no_ensemble"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Steps:
    """The steps of an ensemble as they are at one moment.

    Attributes
    ----------
    nwalkers, ndim, count : int
        Walkers, parameters, steps.
    dtype : dtype
        Of positions and log-probabilities.
    blobs : BlobLayout or None
    read : callable
        ``read(name, rows)`` gives steps of "chain", "log_prob" or "blobs".
    accepted : ndarray, shape (nwalkers,)
        Accepted proposals of each walker in all.
    random_state : tuple or None
        After the last step.
    losses : tuple of str
        What of the run is not in the steps.
    """

    nwalkers: int
    ndim: int
    count: int
    dtype: np.dtype[Any]
    blobs: BlobLayout | None
    read: Callable[[str, range], Array]
    accepted: Array
    random_state: Any
    losses: tuple[str, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes of one step."""
        floats = self.nwalkers * (self.ndim + 1) * self.dtype.itemsize
        if self.blobs is None:
            return floats
        shape = (self.nwalkers, *self.blobs.shape)
        return floats + int(np.prod(shape, dtype=np.int64)) * max(64, self.blobs.dtype.itemsize)

    def meta(self, run: Run) -> RunMeta:
        """Describe them as the run that `drawstore.emcee.Backend` makes in a store."""
        attributes = dict(run.attributes)
        if self.blobs is not None and self.blobs.dicts:
            attributes["blobs_are_dicts"] = True
        return ensemble.ensemble_meta(
            self.nwalkers,
            self.ndim,
            self.dtype,
            ensemble.parameters(self.ndim, None, {}),
            blobs=None if self.blobs is None else columns_of(self.blobs, self.nwalkers),
            attributes=attributes,
            rid=run.rid,
        )


def steps_of(run: Run) -> Steps:
    """Give the steps of a run for which `why_no_ensemble` has nothing to say."""
    steps = ensemble.steps_of(run)
    return _of_walkers(run) if steps is None else _now(run, steps)


def why_no_ensemble(run: Run) -> str:
    """Say why a run is none of an ensemble; the empty text where it is."""
    if ensemble.steps_of(run) is not None:
        return ""
    if not log_prob_of(run):
        return "there is no stat 'lp' or 'log_prob'"
    if len({len(chain) for chain in run.get_chains()}) != 1:
        return "its chains, which are to be the walkers, are none, or differ in length"
    places = list(parameters_in(run).values())
    odd = [v.name for v in places if v.undefined_ndim or any(n < 0 for n in v.shape)]
    if odd:
        return f"the shape of {', '.join(odd)} differs from draw to draw"
    dtypes = {variable.dtype for variable in places}
    if len(dtypes) != 1 or parse_dtype(_float(dtypes)).kind != "f":
        return f"its variables are not floats of one dtype: {', '.join(sorted(dtypes))}"
    return ""


def _now(run: Run, steps: RunSteps) -> Steps:
    with run.held_open():
        count = len(steps)
        return Steps(
            steps.n_walkers,
            steps.ndim,
            count,
            steps.dtype,
            steps.blobs(),
            steps.read,
            steps.accepted(count),
            steps.random_state(count),
        )


def _of_walkers(run: Run) -> Steps:
    """Take the chains of a run for walkers."""
    chains = run.get_chains()
    places = parameters_in(run)
    dtype = parse_dtype(next(iter(places.values())).dtype)
    log_prob = log_prob_of(run)
    blobs = WalkerBlobs(run)

    def read(name: str, rows: range) -> Array:
        slc = slice(rows.start, rows.stop)
        if name == "blobs":
            return blobs.read(rows)
        if name == "log_prob":
            columns = [np.ma.filled(c.get_stats(log_prob, slc), np.nan) for c in chains]
            return np.stack(columns, axis=1).astype(dtype, copy=False)
        walkers = []
        for chain in chains:
            parts = [chain.get_draws(place, slc).reshape(len(rows), -1) for place in places]
            walkers.append(np.concatenate(parts, axis=1))
        return np.stack(walkers, axis=1)

    ndim = sum(int(np.prod(v.shape, dtype=np.int64)) for v in places.values())
    n = len(chains)
    return Steps(
        n, ndim, len(chains[0]), dtype, blobs.layout, read, np.zeros(n), None, tuple(blobs.losses)
    )


def _float(dtypes: set[str]) -> str:
    """Give a dtype that NumPy knows: text is none."""
    return next(("V1" if dtype == "str" else dtype for dtype in dtypes), "V1")
