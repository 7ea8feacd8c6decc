"""The run of an ensemble with the walkers as its chains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from ..interface import Chain, Group, Run
from ..meta import VariableSpec, make_meta
from ..read_only import ReadOnlyChain
from .describing import is_ensemble, parameters_of

if TYPE_CHECKING:
    from ..meta import RunMeta

__all__ = ["by_walkers"]

_BLOCK_BYTES = 32 * 2**20  # that are read at once where draws do not lie in memory

Array = NDArray[Any]


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
                parameter.index if isinstance(parameter.index, int) else _as_slice(parameter.index)
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


def _as_slice(indices: list[int]) -> slice | list[int]:
    """Give adjacent indices as a slice, which takes no copy."""
    first, n = (indices[0], len(indices)) if indices else (0, 0)
    return slice(first, first + n) if indices == list(range(first, first + n)) else indices
