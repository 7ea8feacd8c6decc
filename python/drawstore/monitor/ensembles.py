"""The ensembles that can be followed, in runs, in files and in emcee's backends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..ensemble import coordinate_names, parameters, parameters_of
from .following import Array, Ensemble

if TYPE_CHECKING:
    from ..interface import Run

__all__ = ["of_backend", "of_file", "of_run"]


def of_run(run: Run) -> Ensemble:
    """Give the ensemble of a run whose draws are the steps of all walkers."""
    n_walkers, ndim = run.variables["coords"].shape
    variables, names = zip(*coordinate_names(ndim, parameters_of(run)), strict=True)
    chains = run.get_chains()

    def begun() -> bool:
        nonlocal chains
        chains = chains or run.get_chains()
        return bool(chains)

    return Ensemble(
        run.rid,
        variables,
        names,
        True,
        n_walkers,
        lambda: len(chains[0]) if begun() else 0,
        lambda rows: chains[0].get_draws("coords", slice(rows.start, rows.stop, rows.step)),
        lambda: chains[0].get_stats_at(-1, ["accepted"])["accepted"],
    )


def of_file(run: Run) -> Ensemble | None:
    """Give the ensemble of a run in emcee's own layout; None for others."""
    if run.attributes.get("inference_library") != "emcee":
        return None
    from ..backends.emcee_file import EmceeRun

    if not isinstance(run, EmceeRun):
        return None
    n_walkers, ndim = run.shape
    names = tuple(f"var_{i}" for i in range(ndim))
    return Ensemble(
        run.rid,
        names,
        names,
        False,
        n_walkers,
        run.count,
        lambda rows: run.steps("chain", rows),
        run.accepted,
    )


def of_backend(item: Any) -> Ensemble | None:
    """Give the ensemble of a sampler or a backend of emcee; None for what is neither.

    Raises
    ------
    ValueError
        For a backend that has no shape yet.
    """
    emcee = sys.modules.get("emcee")  # who has one of its objects has imported it
    if emcee is None:
        return None
    backend, given = item, getattr(item, "parameter_names", None)
    if isinstance(item, emcee.EnsembleSampler):
        backend = item.backend
        given = given if given is not None else getattr(backend, "parameter_names", None)
    if not isinstance(backend, emcee.backends.Backend):
        return None
    if not backend.initialized:
        raise ValueError(
            "the backend does not know the ensemble yet: make the sampler with it before, or "
            "call its reset"
        )
    n_walkers, ndim = backend.shape
    dims = getattr(backend, "dims", None) or {}
    variables, names = zip(*coordinate_names(ndim, parameters(ndim, given, dims)), strict=True)
    return Ensemble(
        getattr(backend, "rid", None) or getattr(backend, "name", None) or "ensemble",
        variables,
        names,
        given is not None,
        n_walkers,
        lambda: int(backend.iteration),
        lambda rows: _coords(backend, rows),
        lambda: backend.accepted,
    )


def _coords(backend: Any, rows: range) -> Array:
    from ..emcee.base import BaseBackend

    if isinstance(backend, BaseBackend):
        with backend._positions() as positions:
            if positions is not None:
                return positions.read(rows)
    if isinstance(backend, sys.modules["emcee"].backends.HDFBackend):
        with backend.open() as file:  # its get_chain reads up to the end
            values: Array = file[backend.name]["chain"][rows.start : rows.stop : rows.step]
            return values
    chain: Array = backend.get_chain(discard=rows.start)
    return chain[: rows.stop - rows.start : rows.step]
