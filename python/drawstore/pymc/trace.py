"""The trace that PyMC's samplers record their draws in."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pymc.backends.base import BaseTrace
from pymc.model import modelcontext

from ..groups import SAMPLING
from ..interface import Backend, Chain, Group, Run
from .describe import describe, stat_name, text_of

__all__ = ["TraceBackend"]

Samplers = Sequence[Mapping[str, DTypeLike]]


class TraceBackend(BaseTrace):  # type: ignore[misc]  # PyMC has no types
    """Keeps the draws of ``pm.sample(trace=...)`` in a backend.

    Each call of ``pm.sample`` with it begins a new run, described by the model: free, transformed
    and deterministic variables, dims, coordinates, data, and every statistic of the samplers as
    ``sampler_{i}__name``, with ``in_warmup`` beside them. Draws are in the backend as soon as they
    are drawn, in whichever way sampling ends.

    Statistics that are Python objects, such as the warnings of NUTS, stay what they are in this
    process. In the backend they are text, and missing where there is none. What a sampler leaves
    out in a draw is missing in the backend, and zero for PyMC, as in its own trace.

    Parameters
    ----------
    backend : drawstore.Backend
        Where the runs are kept. It may hold others, of other models and samplers.
    var_names : sequence of str, optional
        The variables to keep, transformed ones such as ``"sigma_log__"`` included. All by default.
        (PyMC does not hand the ``var_names`` of ``pm.sample`` on to a trace.)
    model : pymc.Model, optional
        By default that of the ``with`` block.

    Raises
    ------
    ValueError
        Where the model has no variable of a name.

    Notes
    -----
    By default ``pm.sample`` ends by copying all draws into memory. For a run that is larger than
    that, say ``return_inferencedata=False, compute_convergence_checks=False``: then nothing is read
    before it is asked for.

    Examples
    --------
    >>> import pymc as pm, drawstore
    >>> from drawstore.pymc import TraceBackend
    >>> with pm.Model():
    ...     x = pm.Normal("x")
    ...     trace = TraceBackend(drawstore.FileBackend("runs"))
    ...     idata = pm.sample(20, tune=10, chains=2, trace=trace, progressbar=False)
    >>> drawstore.open("runs").get_run(trace.run_id).summary(quantiles=[]).chains
    {0: 20, 1: 20}
    """

    def __init__(
        self,
        backend: Backend,
        var_names: Sequence[str] | None = None,
        *,
        model: Any = None,
    ) -> None:
        self.backend = backend
        self.var_names = None if var_names is None else list(var_names)
        self.model = modelcontext(model)
        self._recording: _Recording | None = None
        _variables(self.model, self.var_names)

    @property
    def run(self) -> Run:
        """The run of the latest ``pm.sample``.

        Raises
        ------
        RuntimeError
            Where nothing was recorded; it says why that may be.
        """
        if self._recording is None:
            raise RuntimeError(
                "nothing was recorded: no `pm.sample(trace=...)` has begun with this trace. PyMC"
                " gives traces to its own samplers only, and before PyMC 6 it drops them in silence"
                " with nuts_sampler='nutpie', 'numpyro' or 'blackjax'; use nuts_sampler='pymc'"
            )
        return self._recording.run

    @property
    def run_id(self) -> str:
        """The id of `run` in the backend. Raises RuntimeError where `run` does."""
        return self.run.rid

    def __len__(self) -> int:
        """Say 0: PyMC goes on with no trace, it begins a new run."""
        return 0

    def __copy__(self) -> _ChainTrace:
        """Give a trace of one chain: PyMC copies what it is given, chain by chain."""
        return _ChainTrace(self)

    def _recording_of(self, chain: int, samplers: Samplers) -> _Recording:
        """Give what chain belongs to: the first of a run begins it."""
        if self._recording is None or chain in self._recording.chains:
            self._recording = _Recording(self, samplers)
        self._recording.chains.add(chain)
        return self._recording


class _Recording:
    """A run being recorded, and what its chains have in common."""

    def __init__(self, trace: TraceBackend, samplers: Samplers) -> None:
        # As the model is now: variables and data may have changed since the trace was made.
        variables = _variables(trace.model, trace.var_names)
        self.base = BaseTrace(model=trace.model, vars=variables)
        self.run = trace.backend.init_run(
            describe(trace.model, self.base.var_shapes, self.base.var_dtypes, samplers)
        )
        self.chains: set[int] = set()
        self._started = time.monotonic()

    def keep_time(self) -> None:
        """Keep with the run how long it has been sampled."""
        seconds = time.monotonic() - self._started
        self.run._save_group(SAMPLING, Group({}, {}, attrs={"sampling_time": seconds}))


class _ChainTrace(BaseTrace):  # type: ignore[misc]  # PyMC has no types
    """Records one chain, and reads it, or the rows of it that it is a slice of."""

    _chain: Chain
    _rows: range | None = None
    """Those of a slice."""

    def __init__(self, trace: TraceBackend) -> None:
        self._trace = trace

    def setup(self, draws: int, chain: int, sampler_vars: Samplers | None = None) -> None:
        samplers = sampler_vars or []
        self._recording = self._trace._recording_of(chain, samplers)
        base = self._recording.base
        super().__init__(
            model=base.model,
            vars=base.vars,
            fn=base.fn,
            var_shapes=base.var_shapes,
            var_dtypes=base.var_dtypes,
        )
        super().setup(draws, chain, samplers)
        self.chain = chain
        self._chain = self._recording.run.init_chain(chain)
        self._chain.announce(draws)
        self._stats = [{name: stat_name(i, name) for name in of} for i, of in enumerate(samplers)]
        self._dtypes = {
            names[name]: np.dtype(dtype)
            for names, of in zip(self._stats, samplers, strict=True)
            for name, dtype in of.items()
        }
        self._objects: dict[str, dict[int, object]] = {
            name: {} for name, dtype in self._dtypes.items() if dtype.hasobject
        }

    def record(
        self,
        draw: Mapping[str, NDArray[Any]],
        stats: Sequence[Mapping[str, Any]] = (),
        *,
        in_warmup: bool,
    ) -> None:
        values = dict(zip(self.varnames, self.fn(*draw.values()), strict=True))
        row: dict[str, Any] = {"in_warmup": in_warmup}
        for names, sampler in zip(self._stats, stats, strict=False):
            row |= {names[name]: value for name, value in sampler.items()}
        for name, kept in self._objects.items():
            value = row.pop(name, None)
            if value is not None:
                kept[len(self._chain)] = value
                row[name] = text_of(value)
        try:
            self._chain.append(values, row)
        except TypeError:
            self._chain.append(values, {name: self._cast(name, row[name]) for name in row})

    def _cast(self, name: str, stat: Any) -> Any:
        """Convert as PyMC's own trace does, by assigning to an array of the declared dtype."""
        dtype = self._dtypes.get(name)
        return stat if dtype is None or dtype.hasobject else np.asarray(stat).astype(dtype)

    def close(self) -> None:
        self._chain.close()
        self._recording.keep_time()

    @property
    def _range(self) -> range:
        return range(len(self._chain)) if self._rows is None else self._rows

    def __len__(self) -> int:
        return len(self._range)

    def _slice(self, idx: slice) -> Self:
        part = copy.copy(self)
        part._rows = self._range[idx]
        return part

    def get_values(self, varname: str, burn: int = 0, thin: int = 1) -> NDArray[Any]:
        return self._chain.get_draws(varname, _slice_of(self._range[burn::thin]))

    def point(self, idx: int) -> dict[str, Any]:
        values = self._chain.get_draws_at(self._range[idx], self.varnames)
        return {name: value[()] for name, value in values.items()}

    def _get_sampler_stats(
        self, varname: str, sampler_idx: int, burn: int, thin: int
    ) -> NDArray[Any]:
        name = self._stats[sampler_idx][varname]
        rows = self._range[burn::thin]
        if name in self._objects:
            objects = np.full(len(rows), None, dtype=object)
            for i, value in self._objects[name].items():
                if i in rows:
                    objects[rows.index(i)] = value
            return objects
        # PyMC's own trace has zeros where a sampler leaves a statistic out.
        return np.ma.filled(self._chain.get_stats(name, _slice_of(rows)), 0)


def _variables(model: Any, names: Sequence[str] | None) -> list[Any]:
    """Give the variables of these names, or all, in the order of the model."""
    variables = {variable.name: variable for variable in model.unobserved_value_vars}
    if names is None:
        return list(variables.values())
    unknown = [name for name in names if name not in variables]
    if unknown:
        raise ValueError(f"the model has no variables {unknown}; it has {list(variables)}")
    return [variable for name, variable in variables.items() if name in names]


def _slice_of(rows: range) -> slice:
    if not rows:
        return slice(0, 0)
    return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step)
