"""The steps in emcee's backends, which a sampler may be filling."""

from __future__ import annotations

import sys
from typing import Any

from .describing import parameters
from .steps import Array, Steps

__all__ = ["steps_in"]


class _InBackend(Steps):
    def __init__(self, backend: Any, given: Any) -> None:
        n_walkers, ndim = backend.shape
        label = getattr(backend, "rid", None) or getattr(backend, "name", None) or "ensemble"
        dims = getattr(backend, "dims", None) or {}
        named = None if given is None else parameters(ndim, given, dims)
        super().__init__(label, n_walkers, ndim, named)
        self._backend = backend

    def __len__(self) -> int:
        return int(self._backend.iteration)

    def read(self, name: str, rows: range) -> Array:
        from ..emcee.base import BaseBackend

        backend = self._backend
        if name == "chain" and isinstance(backend, BaseBackend):
            with backend._positions() as positions:
                if positions is not None:
                    return positions.read(rows)
        values: Array
        if isinstance(backend, sys.modules["emcee"].backends.HDFBackend):
            with backend.open() as file:  # its get_chain reads up to the end
                values = file[backend.name][name][rows.start : rows.stop : rows.step]
                return values
        values = getattr(backend, f"get_{name}")(discard=rows.start)
        return values[: rows.stop - rows.start : rows.step]

    def accepted(self, count: int) -> Array:
        accepted: Array = self._backend.accepted
        return accepted


def steps_in(item: Any) -> Steps | None:
    """Give the steps in a sampler or a backend of emcee; None for what is neither.

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
    return _InBackend(backend, given)
