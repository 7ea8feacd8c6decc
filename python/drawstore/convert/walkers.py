"""Runs whose chains are walkers: which variables are parameters, and which are blobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from drawstore.dtypes import parse_dtype
from drawstore.ensemble.blobs import BlobLayout
from drawstore.hdf5.dtypes import file_dtype
from drawstore.interface import Group, Run

if TYPE_CHECKING:
    from drawstore.meta import Variable

__all__ = ["WalkerBlobs", "log_prob_of", "parameters_in", "some"]

Array = NDArray[Any]

_LOG_PROBS = ("lp", "log_prob")
_PARAMETER = re.compile(r"var_\d+")
_BLOBS, _FIELD = "blobs", "blobs."


def log_prob_of(run: Run) -> str:
    """Give the name of the stat that is the log-probability; the empty text where there is none."""
    return next((name for name in _LOG_PROBS if name in run.sample_stats), "")


def parameters_in(run: Run) -> dict[str, Variable]:
    """Give the variables that are parameters of the walkers, by name.

    Those that follow from others are none. Of a run of emcee that is all that is known in a file of
    drawstore; of a tree that others wrote, `arviz.from_emcee`'s names ``var_0`` and so on are those
    of parameters, where there are any.
    """
    found = {v.name: v for v in run.variables.values() if not v.is_deterministic}
    if _is_of_emcee(run):
        named = {name: v for name, v in found.items() if _PARAMETER.fullmatch(name)}
        return named or found
    return found


@dataclass(frozen=True)
class _Part:
    """A field of the blobs, and what reads steps of it, shape (n, nwalkers, *shape)."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[range], Array]


class WalkerBlobs:
    """The blobs of a run whose chains are walkers.

    They are the variables that are no parameters; of a run of emcee also further stats, and the
    variables of its other groups that have chains and draws, as `arviz.from_emcee` keeps blobs. One
    that is called "blobs" alone is all of the blob; others are fields.

    Parameters
    ----------
    run : Run
        For which `why_no_ensemble` has nothing to say.

    Attributes
    ----------
    layout : BlobLayout or None
        None where there are none.
    losses : list of str
        What is none of them, beside the parameters, a sentence each.
    """

    def __init__(self, run: Run) -> None:
        self._chains = run.get_chains()
        self._parts: dict[str, _Part] = {}
        parameters, of_emcee = parameters_in(run), _is_of_emcee(run)
        lost = [
            variable.name
            for variable in run.variables.values()
            if variable.name not in parameters and not self._add(variable, "draws")
        ]
        self.losses = [f"what follows from the coordinates: {some(lost)}"] if lost else []
        log_prob = log_prob_of(run)
        lost = [
            stat.name
            for stat in run.sample_stats.values()
            if stat.name != log_prob and not (of_emcee and self._add(stat, "stats"))
        ]
        if lost:
            self.losses.append(f"the stats {some(lost)}")
        for name, group in run._load_groups().items():
            lost = [item for item in group.values if not (of_emcee and self._add_of(group, item))]
            if lost or not group.values:
                self.losses.append(f"of the group {name!r}: {some(lost or list(group.attrs))}")
        fields = [(name, part.dtype, part.shape) for name, part in self._parts.items()]
        self.layout: BlobLayout | None = None
        if list(self._parts) == [_BLOBS]:
            self.layout = BlobLayout(*fields[0][1:])
        elif fields:
            self.layout = BlobLayout(np.dtype(fields), ())

    def _add(self, variable: Variable, of: Literal["draws", "stats"]) -> bool:
        """Add a variable or a stat; False where emcee's files cannot hold it."""
        name, shape = variable.name, tuple(variable.shape)
        dtype = np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype)
        if variable.undefined_ndim or any(n < 0 for n in shape) or not _is_held(dtype):
            return False

        def read(rows: range) -> Array:
            slc = slice(rows.start, rows.stop)
            if of == "draws":
                return np.stack([chain.get_draws(name, slc) for chain in self._chains], axis=1)
            columns = [np.ma.getdata(chain.get_stats(name, slc)) for chain in self._chains]
            return np.stack(columns, axis=1)

        self._parts[self._free(name)] = _Part(dtype, shape, read)
        return True

    def _add_of(self, group: Group, name: str) -> bool:
        """Add a variable of a group; False where it has no chains and draws, or cannot be held."""
        dims, values = group.dims[name], group.values[name]
        if "chain" not in dims or "draw" not in dims or not _is_held(values.dtype):
            return False
        steps = np.moveaxis(values, (dims.index("draw"), dims.index("chain")), (0, 1))
        if steps.shape[:2] != (len(self._chains[0]), len(self._chains)):
            return False

        def read(rows: range) -> Array:
            return steps[rows.start : rows.stop]

        self._parts[self._free(name)] = _Part(values.dtype, steps.shape[2:], read)
        return True

    def _free(self, name: str) -> str:
        name = name.removeprefix(_FIELD)
        while name in self._parts:
            name = f"{_FIELD}{name}"
        return name

    def read(self, rows: range) -> Array:
        """Read the blobs of some steps, shape (len(rows), nwalkers, *layout.shape)."""
        assert self.layout is not None
        if self.layout.dtype.names is None:
            return self._parts[_BLOBS].read(rows)
        blobs = np.empty((len(rows), len(self._chains)), self.layout.dtype)
        for name, part in self._parts.items():
            blobs[name] = part.read(rows)
        return blobs


def _is_of_emcee(run: Run) -> bool:
    attributes: Mapping[str, Any] = run.attributes
    return bool(attributes.get("inference_library") == "emcee")


def _is_held(dtype: np.dtype[Any]) -> bool:
    """Whether emcee's files hold values of a dtype."""
    try:
        file_dtype(dtype)
    except TypeError:
        return False
    return True


def some(names: list[str]) -> str:
    """List names, the first of them where there are many."""
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
