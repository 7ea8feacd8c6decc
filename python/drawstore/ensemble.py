"""Runs of ensemble samplers: one chain whose draws are the steps of all walkers.

A step is one row, so that it is there whole or not at all. Its variables are the positions of the
walkers and their log-probabilities, and blobs where there are any; beside them are the accepted
proposals of each walker so far and the state of the random numbers, which a run needs to go on.
`by_walkers` shows such a run with the walkers as its chains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .dtypes import parse_dtype
from .interface import Chain, Group, Run
from .meta import VariableSpec, make_meta
from .read_only import ReadOnlyChain

if TYPE_CHECKING:
    from .meta import RunMeta

__all__ = [
    "RANDOM_STATE",
    "Parameter",
    "as_slice",
    "by_walkers",
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
_BLOCK_BYTES = 32 * 2**20  # that are read at once where draws do not lie in memory

Array = NDArray[Any]


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


def by_walkers(run: Run) -> Run:
    """Show the run of an ensemble with its walkers as chains, and its parameters as variables.

    Parameters
    ----------
    run : Run
        Any.

    Returns
    -------
    Run
        To be read only, with the steps that there are now; other runs as they are.
    """
    return _Walkers(run) if is_ensemble(run) else run


class _Walkers(Run):
    def __init__(self, run: Run) -> None:
        self._run = run
        chains = run.get_chains()
        self._chain = chains[0] if chains else None
        self._steps = 0 if self._chain is None else len(self._chain)
        variable = run.variables["coords"]
        self._n_walkers, self._ndim = variable.shape
        self._dtype = parse_dtype(variable.dtype)
        attributes: dict[str, Any] = run.attributes
        every = slice(None)
        # What to take of which variable of the ensemble.
        self._picks: dict[str, tuple[str, tuple[Any, ...]]] = {"lp": ("log_prob", ())}
        specs: dict[str, VariableSpec] = {}
        for parameter in parameters_of(run):
            index: int | slice | list[int]
            index = (
                parameter.index if isinstance(parameter.index, int) else as_slice(parameter.index)
            )
            specs[parameter.name] = (self._dtype, parameter.shape, parameter.dims)
            self._picks[parameter.name] = ("coords", (every, every, index))
        self._meta = make_meta(
            specs,
            {"lp": (self._dtype, ())},
            coords={
                name: values
                for name, values in run.coords.items()
                if name not in ("walker", "parameter")
            },
            attributes={
                name: value
                for name, value in attributes.items()
                if name.startswith("inference_library")
            },
            rid=run.rid,
        )
        self._last: tuple[tuple[str, range], Array] | None = None
        self._block: tuple[tuple[str, range], Array] | None = None

    @property
    def meta(self) -> RunMeta:
        copy = type(self._meta)()
        copy.CopyFrom(self._meta)
        return copy

    @property
    def rid(self) -> str:
        return self._run.rid

    @property
    def created_at(self) -> datetime:
        return self._run.created_at

    @property
    def size(self) -> int:
        return self._run.size

    @property
    def in_memory(self) -> bool:
        return self._run.in_memory

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        raise _only_read()

    def get_chains(self) -> list[Chain]:
        return [_Walker(self, walker) for walker in range(self._n_walkers)]

    def _save_group(self, name: str, group: Group) -> None:
        self._run._save_group(name, group)

    def _load_groups(self) -> dict[str, Group]:
        return self._run._load_groups()

    def __len__(self) -> int:
        return self._steps

    def values(self, name: str, names: Sequence[str], slc: slice) -> Array:
        """Give one of some names for all walkers, shape (n, n_walkers, ...)."""
        if name not in names:
            raise KeyError(f"there is no {name!r}; there are {list(names)}")
        rows = range(self._steps)[slc]
        source, pick = self._picks[name]
        shape = () if name == "lp" else tuple(self.variables[name].shape)
        values: Array
        if self._chain is None:
            values = np.empty((0, self._n_walkers, *shape), self._dtype)
        elif self.in_memory and not any(isinstance(part, list) for part in pick):
            values = self._chain.get_draws(source, _slice_of(rows))[pick]
        elif self._last is not None and self._last[0] == (name, rows):
            values = self._last[1]
        else:
            values = self._read(self._chain, source, pick, rows, shape)
            self._last = (name, rows), values  # one walker after the other is going to ask for it
        return values

    def _steps_of(self, chain: Chain, source: str, rows: range) -> Array:
        """Read a block of steps, which is kept for the next parameter."""
        if self._block is None or self._block[0] != (source, rows):
            self._block = (source, rows), chain.get_draws(source, _slice_of(rows))
        return self._block[1]

    def _read(
        self, chain: Chain, source: str, pick: tuple[Any, ...], rows: range, shape: tuple[int, ...]
    ) -> Array:
        values = np.empty((len(rows), self._n_walkers, *shape), self._dtype)
        step_bytes = self._n_walkers * max(1, self._ndim) * self._dtype.itemsize
        n = max(1, _BLOCK_BYTES // max(1, step_bytes))
        for start in range(0, len(rows), n):
            block = self._steps_of(chain, source, rows[start : start + n])
            values[start : start + n] = block[pick]
        values.flags.writeable = False
        return values


class _Walker(ReadOnlyChain):
    def __init__(self, walkers: _Walkers, number: int) -> None:
        self._walkers = walkers
        self._number = number

    @property
    def rid(self) -> str:
        return self._walkers.rid

    @property
    def chain_number(self) -> int:
        return self._number

    def __len__(self) -> int:
        return len(self._walkers)

    def get_draws(self, name: str, slc: slice = slice(None)) -> Array:
        return self._get(name, list(self._walkers.variables), slc)

    def get_stats(self, name: str, slc: slice = slice(None)) -> Array:
        return self._get(name, ["lp"], slc)

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        names = list(self._walkers.variables) if names is None else names
        return {name: self.get_draws(name, self._at(i))[0, ...] for name in names}

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        return {name: self.get_stats(name, self._at(i))[0, ...] for name in names or ["lp"]}

    def _get(self, name: str, names: Sequence[str], slc: slice) -> Array:
        values: Array = self._walkers.values(name, names, slc)[:, self._number, ...]
        return values

    def _at(self, i: int) -> slice:
        index = range(len(self))[i]
        return slice(index, index + 1)

    def announce(self, n_draws: int) -> None:
        raise self._refusal()

    def _refusal(self) -> RuntimeError:
        return _only_read()


def _only_read() -> RuntimeError:
    return RuntimeError("the walkers of an ensemble are to be read: its steps are appended whole")


def _slice_of(rows: range) -> slice:
    return slice(rows.start, None if rows.stop < 0 else rows.stop, rows.step)


def as_slice(indices: list[int]) -> slice | list[int]:
    """Give indices that follow one another as a slice, which takes no copy."""
    first, n = (indices[0], len(indices)) if indices else (0, 0)
    return slice(first, first + n) if indices == list(range(first, first + n)) else indices
