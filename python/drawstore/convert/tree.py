"""Runs as ArviZ's trees, whose draws are written block after block."""

from __future__ import annotations

import base64
import json
import math
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arviz import groups_of
from ..arviz.datasets import SAMPLED
from ..arviz.trees import DESCRIPTION
from ..ensemble import by_walkers, steps_of
from ..groups import SAMPLING
from ..interface import Run
from ..warmup import Part, is_mark
from .blocks import Rows, block_rows, blocks
from .writing import STATE_OF_ENSEMBLE, Writer

__all__ = ["Sampled", "TreeWriter", "encoded", "time_encoding"]

_CHUNK_BYTES = 2**20
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


class Sampled:
    """A group of draws or stats.

    Parameters
    ----------
    name : str
        Of the group.
    dataset : xarray.Dataset
        Which reads draws when they are asked for.
    least_float : int
        Bytes of the shortest float that is kept as it is.

    Attributes
    ----------
    n_draws : int
    block : int
        Draws that are written at once.
    """

    def __init__(self, name: str, dataset: xr.Dataset, least_float: int) -> None:
        self.name = name
        self.least_float = least_float
        self.dataset = dataset
        self.n_draws = dataset.sizes.get("draw", 0)
        widths = {
            str(item): math.prod(n for dim, n in variable.sizes.items() if dim != "draw")
            for item, variable in dataset.data_vars.items()
        }
        itemsizes = {n: max(8, dataset[n].dtype.itemsize) for n in widths}
        self.block = block_rows(max(1, sum(widths[n] * itemsizes[n] for n in widths)))

    def chunks(self, name: str) -> tuple[int, ...]:
        """Give the shape of a variable's chunks, which end where blocks do."""
        variable = self.dataset.variables[name]
        sizes = dict(variable.sizes)
        sizes["draw"] = max(1, min(self.block, self.n_draws))
        while math.prod(sizes.values()) * variable.dtype.itemsize > _CHUNK_BYTES:
            dim = "chain" if sizes.get("chain", 1) > 1 else "draw"
            if sizes[dim] == 1:
                break
            sizes[dim] = -(-sizes[dim] // 2)
        return tuple(max(1, sizes[str(dim)]) for dim in variable.dims)

    def kinds(self) -> dict[str, str]:
        """Give for each variable the first one that differs from it in name and values alone."""
        first: dict[tuple[str, ...], str] = {}
        kinds = {}
        for name in self.dataset.data_vars:
            variable = self.dataset.variables[name]
            key = (variable.dtype.str, *map(str, variable.dims), str(variable.attrs))
            kinds[str(name)] = first.setdefault(key, str(name))
        return kinds

    def key(self, variable: xr.Variable, rows: range) -> tuple[slice, ...]:
        """Select draws of a variable."""
        draws = slice(rows.start, rows.stop)
        return tuple(draws if dim == "draw" else slice(None) for dim in variable.dims)

    def first(self) -> xr.Dataset:
        """Read the first draw of one variable of each kind."""
        names = list(dict.fromkeys(self.kinds().values()))
        return self._read(self.dataset[names] if names else self.dataset, slice(0, 1))

    def part(self, rows: slice) -> xr.Dataset:
        """Read draws."""
        return self._read(self.dataset, rows)

    def _read(self, dataset: xr.Dataset, rows: slice) -> xr.Dataset:
        part = dataset.isel(draw=rows).load() if self.n_draws else dataset.load()
        variables = part.variables
        kept = {name: _as_kept(variables[name], self.least_float) for name in part.data_vars}
        return part.assign(kept)


class TreeWriter(Writer):
    """Writes the tree of `Run.to_datatree`, with all draws of all chains.

    Attributes
    ----------
    sampled : list of Sampled
        Groups of draws and stats.
    others : dict of str to Dataset
        The other groups.
    attrs : dict of str to object
        Of the tree.
    least_float : int
        Bytes of the shortest float that the format has.
    """

    least_float: ClassVar[int]

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        with run.held_open():
            self._describe(run)

    def _describe(self, run: Run) -> None:
        walkers = by_walkers(run, blobs=True)
        groups, attrs, problems, (posterior, warmup) = groups_of(walkers, equalize=False, lazy=True)
        self.losses += problems
        self.sampled: list[Sampled] = []
        self.others: dict[str, xr.Dataset] = {}
        for name, dataset in groups.items():
            kept = self._without_odd(dataset)
            kept.attrs = self._plain(kept.attrs, f"of {name} ")
            if name in SAMPLED:
                self.sampled.append(Sampled(name, kept, self.least_float))
            else:
                self.others[name] = kept
        self.attrs = self._plain(attrs, "")
        self._tell_of(run, walkers, posterior, warmup)
        self.attrs[DESCRIPTION] = _description(walkers, posterior, warmup)
        self.n_rows = sum(group.n_draws for group in self.sampled)

    def write(self, path: str, rows: Rows) -> None:
        """Write all of it to a path where nothing is, and tell of each block."""
        with self.run.held_open():
            template = {group.name: group.first() for group in self.sampled}
        self.create(path, template)
        for group in self.sampled:
            if group.n_draws == 0:
                continue
            for block in blocks(group.n_draws, group.block):
                with self.run.held_open():
                    part = group.part(slice(block.start, block.stop))
                self.fill(path, group, block, part)
                rows.add(len(block))
        self.finish(path)

    @abstractmethod
    def create(self, path: str, template: dict[str, xr.Dataset]) -> None:
        """Write all but the draws; the first one of each kind of variable shows what they are."""

    @abstractmethod
    def fill(self, path: str, group: Sampled, block: range, part: xr.Dataset) -> None:
        """Write draws."""

    def finish(self, path: str) -> None:
        """Do what is to be done when all draws are there."""

    def tree(self, template: dict[str, xr.Dataset]) -> xr.DataTree:
        """Give the tree with these groups of draws."""
        root = xr.Dataset(attrs=self.attrs)
        return xr.DataTree.from_dict({"/": root, **template, **self.others})

    def _tell_of(self, run: Run, walkers: Run, posterior: list[Part], warmup: list[Part]) -> None:
        uneven = any(len({len(part) for part in parts}) > 1 for parts in (posterior, warmup))
        if uneven:
            self.losses.append(
                "chains differ in length: the shorter ones are filled up with missing values, for "
                "which integers (beyond 2**53 rounded) and booleans become floats"
            )
        if any(
            len(part.stretches) > 1 or _follows(part, other)
            for part, other in zip(warmup, posterior, strict=True)
        ):
            self.losses.append("where the warm-up was, which is put before all other draws")
        shown = {str(name) for group in self.sampled for name in group.dataset.variables}
        hidden = [name for name in walkers.variables if name not in shown and name.endswith("__")]
        if hidden:
            self.losses.append(f"variables in the space in which PyMC samples: {', '.join(hidden)}")
        if steps_of(run) is not None:
            self.losses.append(STATE_OF_ENSEMBLE)
        missing = [
            name
            for name, stat in walkers.sample_stats.items()
            if not is_mark(name) and stat.dtype != "str" and _may_miss(walkers, name)
        ]
        if missing:
            self.losses.append(
                f"which values of the stats {', '.join(missing)} are missing: they become NaN, "
                "NaT, or zero"
            )

    def _without_odd(self, dataset: xr.Dataset) -> xr.Dataset:
        """Give a dataset without variables that no such file holds."""
        odd = [str(name) for name, v in dataset.variables.items() if not _is_held(v.dtype)]
        if odd:
            self._lose(f"left out, because of their dtypes: {', '.join(odd)}")
        for name, variable in dataset.variables.items():
            kept = _kept_dtype(variable.dtype, self.least_float)
            if kept != variable.dtype and name not in odd:
                self._lose(f"{str(name)!r} is {variable.dtype} and becomes {kept}")
        return dataset.drop_vars(odd)

    def _lose(self, what: str) -> None:
        if what not in self.losses:  # of draws and of warm-up
            self.losses.append(what)

    def _plain(self, attrs: dict[str, Any], of: str) -> dict[str, Any]:
        odd = [str(name) for name, value in attrs.items() if not _is_plain(value)]
        if odd:
            self.losses.append(
                f"attributes {of}that are no numbers or texts, for others than drawstore: "
                f"{', '.join(odd)}"
            )
        return {name: value for name, value in attrs.items() if name not in odd}


def encoded(variable: xr.Variable) -> NDArray[Any]:
    """Give values as xarray writes them into a file that has its encoding."""
    if variable.dtype.kind in "mMb":
        how = _as_integers(variable.dtype) if variable.dtype.kind != "b" else {}
        variable = xr.Variable(variable.dims, variable.values, encoding=how)
        variable = xr.conventions.encode_cf_variable(variable)
    values: NDArray[Any] = variable.values
    return values


def time_encoding(groups: dict[str, xr.Dataset]) -> dict[str, dict[str, Any]]:
    """Say how xarray is to write the times of some groups, by their paths."""
    return {
        f"/{name}": {
            str(item): _as_integers(variable.dtype)
            for item, variable in dataset.variables.items()
            if variable.dtype.kind in "mM"
        }
        for name, dataset in groups.items()
    }


def _as_integers(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Give how xarray is to write times: exactly, and all blocks alike."""
    # xarray makes NaT of times whose unit is another.
    unit = _UNITS[np.datetime_data(dtype)[0]]
    return {
        "units": f"{unit} since 1970-01-01" if dtype.kind == "M" else unit,
        "dtype": "int64",
        "_FillValue": np.iinfo(np.int64).min,
    }


def _description(run: Run, posterior: list[Part], warmup: list[Part]) -> str:
    """Say what a tree does not: `drawstore.arviz.trees` reads it."""
    meta = run.meta
    for item in meta.data:
        item.value.data = b""  # it is in its group
    after = run._load_groups().get(SAMPLING)
    parts = zip(posterior, warmup, strict=True)
    return json.dumps(
        {
            "version": 1,
            "meta": base64.b64encode(meta.SerializeToString()).decode(),
            "created_at": run.created_at.isoformat(),
            "chains": [[p.chain.chain_number, len(p), len(w)] for p, w in parts],
            "after": {} if after is None else after.attrs,
        }
    )


def _follows(warmup: Part, posterior: Part) -> bool:
    """Whether warm-up comes after other draws."""
    return bool(
        warmup.stretches
        and posterior.stretches
        and warmup.stretches[-1].stop > posterior.stretches[0].start
    )


def _may_miss(run: Run, name: str) -> bool:
    chains = run.get_chains()
    longest = max(map(len, chains), default=0)
    return any(
        isinstance(chain.get_stats(name, slice(rows.start, rows.stop)), np.ma.MaskedArray)
        for rows in blocks(longest, 1 << 16)
        for chain in chains  # walkers share what is read of one block
    )


def _is_held(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufcSUOmM"


def _kept_dtype(dtype: np.dtype[Any], least_float: int) -> np.dtype[Any]:
    """Give the dtype as which values are kept."""
    if dtype.kind == "f" and dtype.itemsize < least_float:
        return np.dtype(np.float32)
    if dtype.kind == "f" and dtype.itemsize > 8:
        return np.dtype(np.float64)
    if dtype.kind == "c" and dtype.itemsize > 16:
        return np.dtype(np.complex128)
    return dtype


def _as_kept(variable: xr.Variable, least_float: int) -> xr.Variable:
    values: NDArray[Any] = variable.values
    if values.dtype.kind == "O":
        values = np.where(values == None, "", values).astype(object)  # noqa: E711 - elementwise
        if not values.size:
            values = values.astype("U1")
    return xr.Variable(
        variable.dims, values.astype(_kept_dtype(values.dtype, least_float), copy=False)
    )


def _is_plain(value: Any) -> bool:
    """Whether netCDF and Zarr have attributes of a kind."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iufU" and value.ndim == 1 and value.size > 0
    if isinstance(value, list | tuple):
        kinds = {str if isinstance(item, str) else float for item in value}
        return len(kinds) <= 1 and all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | np.integer | np.floating) and not isinstance(
        value, bool
    )
