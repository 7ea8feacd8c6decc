"""Which draws and stats of a run the groups of a tree hold, and where."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from ..dtypes import dtype_text, parse_dtype
from ..groups import SAMPLING
from ..interface import Group
from ..meta import DataVariable, RunMeta, Variable, make_meta, pack_array
from ..samplers import Stat, name_stats
from ..warmup import is_mark
from .datasets import SAMPLED
from .tree_columns import SAMPLE_DIMS, ChainShape, Column

__all__ = ["DESCRIPTION", "TreeShape", "shape_of"]

DESCRIPTION = "drawstore"
"""Attribute of the tree of a file: what drawstore needs to give back the run as it was."""

Array = NDArray[Any]

_MARK = "tune"
_DATA = ("observed_data", "constant_data")
_OF_TREE = ("created_at", "sample_dims", "arviz_version", "modeling_interface")
_OF_LIBRARY = "creation_library"


@dataclass
class TreeShape:
    """A tree as a run.

    Attributes
    ----------
    meta : RunMeta
    chains : list of ChainShape
        In the order in which they lie in the groups.
    draws, stats : dict of str to Column
    others : list of str
        Groups that are kept beside them.
    made_groups : dict of str to Group
        Those that do not lie in the file as groups.
    created_at : datetime or None
    problems : list of str
        What is left out.
    """

    meta: RunMeta
    chains: list[ChainShape]
    draws: dict[str, Column]
    stats: dict[str, Column]
    others: list[str]
    made_groups: dict[str, Group] = field(default_factory=dict)
    created_at: datetime | None = None
    problems: list[str] = field(default_factory=list)


def shape_of(groups: Mapping[str, xr.Dataset], name: str) -> TreeShape:
    """Find the run in the groups of a file.

    Parameters
    ----------
    groups : mapping of str to Dataset
        By name; that of the root is "".
    name : str
        Of the run, where the file does not say it.

    Raises
    ------
    ValueError
        Where there is no group posterior.
    """
    if "posterior" not in groups:
        raise ValueError(f"there is no group 'posterior'; there are {', '.join(groups)}")
    shape = None
    text = groups[""].attrs.get(DESCRIPTION) if "" in groups else None
    if isinstance(text, str):
        with contextlib.suppress(DecodeError, LookupError, TypeError, ValueError):
            shape = _as_described(groups, json.loads(text))
    if shape is None:
        shape = _as_found(groups, name)
    nested = [group for group in groups if "/" in group]
    if nested:
        shape.problems.append(f"groups within groups are left out: {', '.join(nested)}")
    return shape


def _as_described(groups: Mapping[str, xr.Dataset], known: dict[str, Any]) -> TreeShape | None:
    """Give the run as `drawstore.convert` described it, if it is still the one in the file."""
    if known["version"] != 1:
        return None
    meta = RunMeta.FromString(base64.b64decode(known["meta"]))
    chains = [ChainShape(number, warmup, draws) for number, draws, warmup in known["chains"]]
    sampled = {group: groups.get(group) for group in SAMPLED}
    for prefix, lengths in (
        ("", [c.draws for c in chains]),
        ("warmup_", [c.warmup for c in chains]),
    ):
        for kind in ("posterior", "sample_stats"):
            dataset = sampled[f"{prefix}{kind}"]
            if dataset is None or not dataset.data_vars:
                continue
            numbers = [c.number for c in chains]
            if dataset["chain"].values.tolist() != numbers:
                return None
            if dataset.sizes["draw"] != max(lengths, default=0):
                return None
    variables = {v.name: v for v in meta.variables}
    held = {n: v for n, v in variables.items() if n in groups["posterior"].data_vars}
    draws = {n: _column(sampled, "posterior", Stat((n,)), n, v) for n, v in held.items()}
    stats = {}
    for shown, stat in name_stats({v.name: v for v in meta.sample_stats}).items():
        for column in stat.columns:
            stats[column] = (shown, stat)
    columns: dict[str, Column] = {}
    for variable in meta.sample_stats:
        if is_mark(variable.name):
            dtype, size = parse_dtype(variable.dtype), tuple(variable.shape)
            columns[variable.name] = Column(dtype, size, None, None, mark=True)
        elif variable.name in stats:
            shown, stat = stats[variable.name]
            found = _column(sampled, "sample_stats", stat, shown, variable)
            if found.draws is not None or found.warmup is not None:
                columns[variable.name] = found
    if any(not _fits(column) for column in [*draws.values(), *columns.values()]):
        return None
    _keep(meta.variables, held)
    _keep(meta.sample_stats, columns)
    _fill_data(meta, groups)
    after = known["after"]
    return TreeShape(
        meta,
        chains,
        draws,
        columns,
        [
            group
            for group in groups
            if group and group not in (*SAMPLED, *_DATA) and "/" not in group
        ],
        {SAMPLING: Group({}, {}, attrs=after)} if after else {},
        datetime.fromisoformat(known["created_at"]),
    )


def _others(groups: Mapping[str, xr.Dataset]) -> list[str]:
    """List the groups that are kept beside draws and data."""
    made = ("", *SAMPLED, *_DATA)
    return [group for group in groups if group not in made and "/" not in group]


def _keep(variables: Any, names: Mapping[str, object]) -> None:
    kept = [variable for variable in variables if variable.name in names]
    del variables[:]
    variables.extend(kept)


def _column(
    sampled: Mapping[str, xr.Dataset | None],
    group: str,
    stat: Stat,
    shown: str,
    variable: Variable,
) -> Column:
    found = []
    for name in (f"warmup_{group}", group):
        dataset = sampled[name]
        there = dataset is not None and shown in dataset.data_vars
        found.append(dataset.variables[shown] if there and dataset is not None else None)
    return Column(
        np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype),
        tuple(variable.shape),
        found[0],
        found[1],
        stat.columns.index(variable.name) if stat.stacked else None,
        is_stat=group == "sample_stats",
    )


def _fits(column: Column) -> bool:
    for variable in (column.warmup, column.draws):
        if variable is not None:
            inner = tuple(n for dim, n in variable.sizes.items() if dim not in SAMPLE_DIMS)
            if column.axis is not None:
                inner = inner[:-1]
            if inner != column.shape or not set(SAMPLE_DIMS) <= set(variable.dims):
                return False
    return True


def _fill_data(meta: RunMeta, groups: Mapping[str, xr.Dataset]) -> None:
    """Put the data, which lie in their groups, into the message."""
    kept = []
    for item in meta.data:
        group = groups.get("observed_data" if item.is_observed else "constant_data")
        if group is None or item.name not in group.variables:
            continue
        values = group.variables[item.name].values.astype(parse_dtype(item.value.dtype), copy=False)
        whole = DataVariable()
        whole.CopyFrom(item)
        whole.value.CopyFrom(pack_array(values))
        kept.append(whole)
    del meta.data[:]
    meta.data.extend(kept)


def _as_found(groups: Mapping[str, xr.Dataset], name: str) -> TreeShape:
    """Give a run by the groups alone."""
    problems: list[str] = []
    sampled: dict[str, xr.Dataset | None] = {group: groups.get(group) for group in SAMPLED}
    posterior = groups["posterior"]
    others = [
        group for group in groups if group and group not in (*SAMPLED, *_DATA) and "/" not in group
    ]
    if not _agree(sampled):
        for group in ("warmup_posterior", "warmup_sample_stats"):
            if sampled[group] is not None:
                others.append(group)
            sampled[group] = None
    draws = _columns(sampled, "posterior", problems)
    stats = _columns(sampled, "sample_stats", problems)
    n_warmup = 0
    for group in ("warmup_posterior", "warmup_sample_stats"):
        dataset = sampled[group]
        n_warmup = max(n_warmup, 0 if dataset is None else dataset.sizes.get("draw", 0))
    if n_warmup:
        stats[_MARK] = Column(np.dtype(bool), (), None, None, mark=True)
    n_chains, n_draws = posterior.sizes.get("chain", 0), posterior.sizes.get("draw", 0)
    labels = posterior["chain"].values if "chain" in posterior.coords else np.arange(n_chains)
    numbers = labels.tolist() if labels.dtype.kind in "iu" else list(range(n_chains))
    if len(set(numbers)) < n_chains or min(numbers, default=0) < 0:
        numbers = list(range(n_chains))
    attributes = _attributes(groups, bool(n_warmup), problems)
    coords: dict[str, Array] = {}
    for dataset in groups.values():
        for label, coord in dataset.coords.items():
            if coord.dims == (label,) and label not in SAMPLE_DIMS and _is_told(coord.values):
                coords.setdefault(str(label), coord.values)
    meta = make_meta(
        {n: _spec(c, n) for n, c in draws.items()},
        {n: _spec(c, n) for n, c in stats.items()},
        coords=coords,
        observed_data=_data(groups.get("observed_data")),
        constant_data=_data(groups.get("constant_data")),
        attributes=attributes,
        rid=name,
    )
    made = None
    with contextlib.suppress(KeyError, TypeError, ValueError):
        made = datetime.fromisoformat(posterior.attrs["created_at"])
        made = made if made.tzinfo else made.replace(tzinfo=UTC)
    chains = [ChainShape(number, n_warmup, n_draws) for number in numbers]
    return TreeShape(meta, chains, draws, stats, others, {}, made, problems)


def _agree(sampled: Mapping[str, xr.Dataset | None]) -> bool:
    """Whether warm-up and other draws are of the same chains and variables."""
    posterior, warmup = sampled["posterior"], sampled["warmup_posterior"]
    stats = sampled["warmup_sample_stats"]
    if warmup is None:
        return stats is None
    assert posterior is not None
    if stats is not None and stats.sizes.get("draw", 0) != warmup.sizes.get("draw", 0):
        return False
    if warmup.sizes.get("chain") != posterior.sizes.get("chain"):
        return False
    return all(
        name in warmup.data_vars and _inner(warmup.variables[name]) == _inner(variable)
        for name, variable in posterior.data_vars.items()
        if set(SAMPLE_DIMS) <= set(variable.dims)
    )


def _inner(variable: Any) -> tuple[int, ...]:
    return tuple(n for dim, n in variable.sizes.items() if dim not in SAMPLE_DIMS)


def _columns(
    sampled: Mapping[str, xr.Dataset | None], group: str, problems: list[str]
) -> dict[str, Column]:
    found: dict[str, list[xr.Variable | None]] = {}
    for i, name in enumerate((f"warmup_{group}", group)):
        dataset = sampled[name]
        for item in () if dataset is None else dataset.data_vars:
            assert dataset is not None
            variable = dataset.variables[item]
            if not set(SAMPLE_DIMS) <= set(variable.dims):
                problems.append(f"{item!r} in {name} has no dimensions chain and draw: left out")
            elif variable.dtype.hasobject and variable.dtype.kind != "O":
                problems.append(f"{item!r} in {name} holds Python objects: left out")
            else:
                found.setdefault(str(item), [None, None])[i] = variable
    columns = {}
    for item, variables in found.items():
        there = [v for v in variables if v is not None]
        if group == "posterior" and variables[1] is None:
            problems.append(f"{item!r} is in warmup_posterior alone: left out")
            continue
        if len({_inner(v) for v in there}) > 1:
            problems.append(f"the shape of {item!r} is another in the warm-up: left out there")
            variables[0], there = None, there[1:]
        dtype = np.result_type(*(v.dtype for v in there))
        if dtype.kind in "OUT":
            dtype = np.dtype(object)
        is_stat = group != "posterior"
        columns[item] = Column(
            dtype, _inner(there[-1]), variables[0], variables[1], is_stat=is_stat
        )
    return columns


def _spec(column: Column, name: str) -> tuple[Any, tuple[int, ...], tuple[str, ...]]:
    variable = column.draws if column.draws is not None else column.warmup
    dims = () if variable is None else variable.dims
    named = tuple(str(dim) for dim in dims if dim not in SAMPLE_DIMS)
    return (str if column.dtype == object else dtype_text(column.dtype), column.shape, named)


def _attributes(
    groups: Mapping[str, xr.Dataset], has_warmup: bool, problems: list[str]
) -> dict[str, Any]:
    """Gather what the tree and its draws say of the run."""
    found: dict[str, Any] = dict(groups["posterior"].attrs)
    found |= groups[""].attrs if "" in groups else {}
    attributes = {
        str(name): value
        for name, value in found.items()
        if name not in _OF_TREE and name != DESCRIPTION and not str(name).startswith(_OF_LIBRARY)
    }
    if has_warmup:
        attributes.pop("tuning_steps", None)  # which are counted
    for name in list(attributes):
        try:
            make_meta({}, attributes={name: attributes[name]})
        except (TypeError, ValueError) as error:
            problems.append(f"the attribute {name!r} is left out: {error}")
            del attributes[name]
    return attributes


def _data(dataset: xr.Dataset | None) -> dict[str, tuple[Array, tuple[str, ...]]]:
    if dataset is None:
        return {}
    return {
        str(name): (variable.values, tuple(map(str, variable.dims)))
        for name, variable in dataset.data_vars.items()
    }


def _is_told(values: Array) -> bool:
    """Whether a coordinate is more than the numbers from 0 on."""
    return values.dtype != np.int64 or not np.array_equal(values, np.arange(values.size))
