"""The run of an ensemble with the walkers as its chains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from ..interface import Chain, Group, Run
from ..meta import VariableSpec, make_meta
from ..read_only import ReadOnlyChain
from .describing import blob_variables, is_ensemble, parameters_of

if TYPE_CHECKING:
    from ..meta import RunMeta, Variable

__all__ = ["as_slice", "by_walkers"]

_BLOBS, _BLOB_FIELD = "blobs", "blobs."  # variables of a step
_BLOCK_BYTES = 32 * 2**20  # that are read at once where draws do not lie in memory

Array = NDArray[Any]


def by_walkers(run: Run, *, blobs: bool = False) -> Run:
    """Show the run of an ensemble with its walkers as chains, and its parameters as variables.

    Parameters
    ----------
    run : Run
        Any.
    blobs : bool
        Show blobs as well, as variables that follow from the parameters: see `blob_variables`.

    Returns
    -------
    Run
        To be read only, with the steps that there are now; other runs as they are.
    """
    return _Walkers(run, blobs) if is_ensemble(run) else run


class _Walkers(Run):
    def __init__(self, run: Run, with_blobs: bool) -> None:
        self._run = run
        chains = run.get_chains()
        self._chain = chains[0] if chains else None
        self._steps = 0 if self._chain is None else len(self._chain)
        variables = run.variables
        self._n_walkers, ndim = variables["coords"].shape
        dtype = parse_dtype(variables["coords"].dtype)
        attributes: dict[str, Any] = run.attributes
        every = slice(None)
        self._stats = {"lp": _Pick("log_prob", (), dtype, (), dtype.itemsize)}
        self._draws: dict[str, _Pick] = {}
        specs: dict[str, VariableSpec] = {}
        for parameter in parameters_of(run):
            index: int | slice | list[int]
            index = (
                parameter.index if isinstance(parameter.index, int) else as_slice(parameter.index)
            )
            specs[parameter.name] = (dtype, parameter.shape, parameter.dims)
            key = every, every, index
            size = ndim * dtype.itemsize
            self._draws[parameter.name] = _Pick("coords", key, dtype, parameter.shape, size)
        held = {
            name: (_held(variable), tuple(variable.shape[1:]))
            for name, variable in variables.items()
            if with_blobs and (name == _BLOBS or name.startswith(_BLOB_FIELD))
        }
        blobs = blob_variables(held, specs)
        for name, (source, field, spec) in blobs.items():
            kind, shape = held[source]
            part = (kind if field is None else kind[field]).base
            size = math.prod(shape) * kind.itemsize
            self._draws[name] = _Pick(source, () if field is None else field, part, spec[1], size)
            specs[name] = spec
        self._meta = make_meta(
            specs,
            {"lp": (dtype, ())},
            deterministics=blobs,
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
        self._last: tuple[tuple[str, str, range], Array] | None = None
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

    def values(self, name: str, of: Literal["draws", "stats"], slc: slice) -> Array:
        """Give a variable or a stat of all walkers, shape (n, n_walkers, ...)."""
        picks = self._draws if of == "draws" else self._stats
        if name not in picks:
            raise KeyError(f"there is no {name!r}; there are {list(picks)}")
        rows = range(self._steps)[slc]
        pick = picks[name]
        values: Array
        if self._chain is None:
            values = np.empty((0, self._n_walkers, *pick.shape), pick.dtype)
        elif self.in_memory and not pick.copies:
            values = self._chain.get_draws(pick.source, _slice_of(rows))[pick.key]
        elif self._last is not None and self._last[0] == (of, name, rows):
            values = self._last[1]
        else:
            values = self._read(self._chain, pick, rows)
            self._last = (of, name, rows), values  # one walker after the other will ask for it
        return values

    def _steps_of(self, chain: Chain, source: str, rows: range) -> Array:
        """Read a block of steps, which is kept for the next parameter."""
        if self._block is None or self._block[0] != (source, rows):
            self._block = (source, rows), chain.get_draws(source, _slice_of(rows))
        return self._block[1]

    def _read(self, chain: Chain, pick: _Pick, rows: range) -> Array:
        values = np.empty((len(rows), self._n_walkers, *pick.shape), pick.dtype)
        n = max(1, _BLOCK_BYTES // max(1, self._n_walkers * pick.row_bytes))
        for start in range(0, len(rows), n):
            block = self._steps_of(chain, pick.source, rows[start : start + n])
            values[start : start + n] = block[pick.key]
        values.flags.writeable = False
        return values


@dataclass(frozen=True)
class _Pick:
    """What to take of a variable of the steps, for one variable or stat of the walkers.

    Attributes
    ----------
    source : str
        The variable of the steps.
    key : tuple or str
        What to take of it: a selection, or a field.
    dtype : dtype
    shape : tuple of int
        Of one value.
    row_bytes : int
        That a walker has in the variable of the steps.
    """

    source: str
    key: Any
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    row_bytes: int

    @property
    def copies(self) -> bool:
        """Whether taking it is a copy."""
        return isinstance(self.key, tuple) and any(isinstance(part, list) for part in self.key)


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
        return self._get(name, "draws", slc)

    def get_stats(self, name: str, slc: slice = slice(None)) -> Array:
        return self._get(name, "stats", slc)

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        names = list(self._walkers.variables) if names is None else names
        return {name: self.get_draws(name, self._at(i))[0, ...] for name in names}

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        return {name: self.get_stats(name, self._at(i))[0, ...] for name in names or ["lp"]}

    def _get(self, name: str, of: Literal["draws", "stats"], slc: slice) -> Array:
        values: Array = self._walkers.values(name, of, slc)[:, self._number, ...]
        return values

    def _at(self, i: int) -> slice:
        index = range(len(self))[i]
        return slice(index, index + 1)

    def announce(self, n_draws: int) -> None:
        raise self._refusal()

    def _refusal(self) -> RuntimeError:
        return _only_read()


def _held(variable: Variable) -> np.dtype[Any]:
    return np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype)


def _only_read() -> RuntimeError:
    return RuntimeError("the walkers of an ensemble are to be read: its steps are appended whole")


def _slice_of(rows: range) -> slice:
    return slice(rows.start, None if rows.stop < 0 else rows.stop, rows.step)


def as_slice(indices: list[int]) -> slice | list[int]:
    """Give indices that follow one another as a slice, which takes no copy."""
    first, n = (indices[0], len(indices)) if indices else (0, 0)
    return slice(first, first + n) if indices == list(range(first, first + n)) else indices
