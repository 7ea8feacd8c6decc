"""What the run of an ensemble is: its message, and the names of its parameters.

A step is one row, so that it is there whole or not at all. Its variables are the positions of the
walkers and their log-probabilities, and blobs where there are any; beside them are the accepted
proposals of each walker so far and the state of the random numbers, which a run needs to go on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..meta import VariableSpec, make_meta

if TYPE_CHECKING:
    from ..interface import Run
    from ..meta import RunMeta

__all__ = [
    "RANDOM_STATE",
    "Parameter",
    "blob_variables",
    "coordinate_names",
    "ensemble_meta",
    "is_ensemble",
    "parameters",
    "parameters_of",
]

RANDOM_STATE = np.dtype(
    [("key", "<u4", (624,)), ("position", "<i4"), ("has_gauss", "<i4"), ("gauss", "<f8")]
)
"""State of NumPy's RandomState, an MT19937, after a step."""

_LAYOUT = "ensemble"
_BLOB_FIELD = "blobs."


@dataclass(frozen=True)
class Parameter:
    """A parameter by its name.

    Attributes
    ----------
    name : str
    index : int or list of int
        Where it stands among the coordinates of a walker; a list where it is a vector.
    dims : tuple of str
        The name of the vector's dimension.
    """

    name: str
    index: int | list[int]
    dims: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one draw of one walker."""
        return () if isinstance(self.index, int) else (len(self.index),)


def parameters(
    ndim: int,
    names: Sequence[str] | Mapping[str, int | slice | Sequence[int]] | None,
    dims: Mapping[str, Sequence[str]],
) -> list[Parameter]:
    """Name the coordinates of a walker.

    Parameters
    ----------
    ndim : int
        How many there are.
    names : sequence of str, or mapping of str to int, slice or sequence of int, optional
        One for each, or where to find each; ``var_0`` and so on by default, as in ArviZ.
    dims : mapping of str to sequence of str
        Names of the dimensions of those that are vectors.

    Raises
    ------
    ValueError
        Where names or places do not fit the number of coordinates, and for dims of others.
    """
    if names is None:
        names = [f"var_{i}" for i in range(ndim)]
    if isinstance(names, Mapping):
        places = dict(names)
    else:
        if len(names) != ndim or len(set(names)) != ndim:
            raise ValueError(f"expected {ndim} parameter names, all different, got {list(names)}")
        places = {name: i for i, name in enumerate(names)}
    unknown = [name for name in dims if name not in places]
    if unknown:
        raise ValueError(f"dims for {unknown}, but the parameters are {list(places)}")
    found = []
    for name, place in places.items():
        try:
            index = np.arange(ndim)[place].tolist()
        except IndexError:
            raise ValueError(f"parameter {name!r} is at {place}, of {ndim} coordinates") from None
        found.append(Parameter(name, index, tuple(dims.get(name, ()))))
    return found


def coordinate_names(ndim: int, named: Sequence[Parameter]) -> list[tuple[str, str]]:
    """Name each coordinate of a walker: the parameter it belongs to, and ``name[i]`` in a vector.

    One without a parameter is ``coords[i]``, of "coords".
    """
    names = [("coords", f"coords[{i}]") for i in range(ndim)]
    for parameter in named:
        if isinstance(parameter.index, int):
            names[parameter.index] = parameter.name, parameter.name
        else:
            for i, index in enumerate(parameter.index):
                names[index] = parameter.name, f"{parameter.name}[{i}]"
    return names


def ensemble_meta(
    n_walkers: int,
    ndim: int,
    dtype: DTypeLike,
    named: Sequence[Parameter],
    *,
    blobs: Mapping[str, VariableSpec] | None = None,
    coords: Mapping[str, ArrayLike] | None = None,
    attributes: Mapping[str, object] | None = None,
    rid: str = "",
) -> RunMeta:
    """Describe the run of an ensemble.

    Parameters
    ----------
    n_walkers, ndim : int
        The ensemble.
    dtype : dtype
        Of positions and log-probabilities.
    named : sequence of Parameter
    blobs : mapping of str to (dtype, shape, dims), optional
        Further variables of a step.
    coords : mapping of str to array_like, optional
        Values along dimensions of the parameters.
    attributes : mapping of str to value, optional
        Such as ``inference_library``.
    rid : str
        Of the run.

    Raises
    ------
    ValueError
        Where dims do not fit a parameter.
    """
    make_meta({p.name: (dtype, p.shape, p.dims) for p in named})  # says what does not fit
    described = [
        {"name": p.name, "index": p.index, **({"dims": list(p.dims)} if p.dims else {})}
        for p in named
    ]
    labels: dict[str, ArrayLike] = {**(coords or {}), "walker": np.arange(n_walkers)}
    if [p.index for p in named] == list(range(ndim)):
        labels["parameter"] = [p.name for p in named]
    return make_meta(
        {
            "coords": (dtype, (n_walkers, ndim), ("walker", "parameter")),
            "log_prob": (dtype, (n_walkers,), ("walker",)),
            **(blobs or {}),
        },
        {"accepted": (np.float64, (n_walkers,), ("walker",)), "random_state": (RANDOM_STATE, ())},
        coords=labels,
        attributes={**(attributes or {}), "layout": _LAYOUT, "parameters": described},
        rid=rid,
    )


def is_ensemble(run: Run) -> bool:
    """Whether `ensemble_meta` described the run."""
    return run.attributes.get("layout") == _LAYOUT


def parameters_of(run: Run) -> list[Parameter]:
    """Give the parameters of a run that `ensemble_meta` described."""
    return [
        Parameter(
            item["name"],
            [int(i) for i in item["index"]]
            if isinstance(item["index"], list)
            else int(item["index"]),
            tuple(item.get("dims", ())),
        )
        for item in run.attributes["parameters"]
    ]


def blob_variables(
    blobs: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]], taken: Collection[str]
) -> dict[str, tuple[str, str | None, tuple[DTypeLike, tuple[int, ...]]]]:
    """Name the variables that show the blobs of a walker.

    Parameters
    ----------
    blobs : mapping of str to (dtype, shape)
        By the name of what holds them, "blobs" or "blobs.FIELD". A structured dtype has a variable
        for each field; Python objects are text.
    taken : collection of str
        Names of the parameters; a field of such a name is shown as "blobs.FIELD".

    Returns
    -------
    dict of str to (str, str or None, spec)
        For each variable, what holds it, which field of that, and dtype and shape.
    """
    shown: dict[str, tuple[str, str | None, tuple[DTypeLike, tuple[int, ...]]]] = {}
    for source, (dtype, shape) in blobs.items():
        for field in dtype.names or (None,):
            part = dtype if field is None else dtype[field]
            name = source.removeprefix(_BLOB_FIELD) if field is None else field
            if name in taken or name in shown:
                name = f"{_BLOB_FIELD}{name}"
            kind: DTypeLike = "str" if part.base.hasobject else part.base
            shown[name] = source, field, (kind, (*shape, *part.shape))
    return shown
