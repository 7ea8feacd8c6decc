"""What a run is made of, as PyMC's model and samplers tell it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pymc
from numpy.typing import DTypeLike, NDArray
from pymc.backends.arviz import find_constants, find_observations

from ..meta import RunMeta, make_meta
from ..origin import batch_job

__all__ = ["describe", "stat_name", "text_of"]


def stat_name(sampler: int, name: str) -> str:
    """Name a statistic of one of the samplers that take turns in a draw."""
    return f"sampler_{sampler}__{name}"


def describe(
    model: Any,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, DTypeLike],
    samplers: Iterable[Mapping[str, DTypeLike]],
) -> RunMeta:
    """Describe a run of a model.

    Parameters
    ----------
    model : pymc.Model
        Its coordinates, dims, data and deterministic variables are taken.
    shapes, dtypes : mapping of str to shape or dtype
        Of the variables that are recorded.
    samplers : iterable of mappings of str to dtype
        The statistics of each sampler. PyMC's are scalars; those of Python objects become text.
    """
    stats: dict[str, tuple[DTypeLike, tuple[()]]] = {
        stat_name(i, name): (str if np.dtype(dtype).hasobject else dtype, ())
        for i, sampler in enumerate(samplers)
        for name, dtype in sampler.items()
    }
    dims: Mapping[str, Sequence[str]] = model.named_vars_to_dims
    with warnings.catch_warnings():
        # What PyMC says of data that it cannot find, it says again when it makes its own groups.
        warnings.simplefilter("ignore", UserWarning)
        observed = find_observations(model)
    return make_meta(
        {name: (dtypes[name], shape, dims.get(name)) for name, shape in shapes.items()},
        {**stats, "in_warmup": (bool, ())},
        coords={
            name: _labels(values) for name, values in model.coords.items() if values is not None
        },
        constant_data={
            name: (value, dims.get(name)) for name, value in find_constants(model).items()
        },
        observed_data={name: (_filled(value), dims.get(name)) for name, value in observed.items()},
        attributes={
            "inference_library": pymc.__name__,
            "inference_library_version": pymc.__version__,
            **({"job": job} if (job := batch_job()) else {}),
        },
        deterministics=[
            variable.name for variable in model.deterministics if variable.name in shapes
        ],
    )


def text_of(stat: object) -> str:
    """Say a statistic that is a Python object, such as a `SamplerWarning`, as text."""
    kind, message = getattr(stat, "kind", None), getattr(stat, "message", None)
    if kind is None or message is None:
        return str(stat)
    return f"{getattr(kind, 'name', kind)}: {message}"


def _filled(value: Any) -> Any:
    """Give data as floats with NaN where they are masked, as ArviZ does."""
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.filled(value.astype(np.result_type(value.dtype, np.float32)), np.nan)
    return value


def _labels(values: Sequence[object]) -> NDArray[Any]:
    """Give the labels of a dimension as an array without Python objects."""
    if all(isinstance(value, datetime) and value.tzinfo is None for value in values):
        return np.array(values, dtype="datetime64[ns]")
    labels = np.array(values)
    if labels.ndim != 1 or labels.dtype.hasobject:
        labels = np.array([str(value) for value in values])
    return labels
