"""What a data frame is as a run: as `drawstore.convert` described it, or as its columns are."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from google.protobuf.message import DecodeError

from ..interface import Run
from ..meta import RunMeta, VariableSpec, make_meta
from ..warmup import is_mark
from .columns import CHAIN, DRAW, Item, items_of, schema_of

__all__ = ["FrameShape", "described", "shape_of"]

DESCRIPTION = b"drawstore"
"""Key in the metadata of the schema: what no column says of the run."""

_VERSION = 1
_CHAINS = ("chain", ".chain", "chain_number")
_DRAWS = ("draw", ".iteration", ".draw", "iteration")
_STATS = ("lp", "lp__", "log_prob")
_INDEX = "__index_level_"  # as pandas names an index without a name
_MOST_DATA = 8 * 2**20  # bytes, in the metadata of a schema


@dataclass
class FrameShape:
    """A data frame as a run.

    Attributes
    ----------
    meta : RunMeta
    items : list of Item
    chain, draw : str or None
        The columns that tell chains and draws.
    empty : list of int
        Chains without draws.
    after : dict of str to object
        What is known of the run after sampling only.
    created_at : datetime or None
    problems : list of str
        What is left out.
    """

    meta: RunMeta
    items: list[Item]
    chain: str | None
    draw: str | None
    empty: list[int] = field(default_factory=list)
    after: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    problems: list[str] = field(default_factory=list)


def described(
    run: Run, items: list[Item], lengths: Mapping[int, int], after: Mapping[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """Describe a run for the metadata of a schema.

    Parameters
    ----------
    run : Run
    items : list of Item
        Those that the frame holds.
    lengths : mapping of int to int
        Draws of each chain.
    after : mapping of str to object
        What is known of the run after sampling only.

    Returns
    -------
    metadata : dict of str to str
    losses : list of str
        What is left out of it.
    """
    meta = run.meta
    _keep(meta, items)
    losses = []
    if meta.ByteSize() > _MOST_DATA:
        losses.append(f"data: {', '.join(repr(item.name) for item in meta.data)}")
        del meta.data[:]
    text = json.dumps(
        {
            "version": _VERSION,
            "rid": run.rid,
            "created_at": run.created_at.isoformat(),
            "attributes": run.attributes,
            "dims": run.dims,
            "coords": {name: values.tolist() for name, values in run.coords.items()},
            "chains": list(map(list, lengths.items())),
            "after": dict(after),
            "meta": base64.b64encode(meta.SerializeToString()).decode(),
        },
        default=lambda value: value.tolist() if hasattr(value, "tolist") else str(value),
    )
    return {DESCRIPTION.decode(): text}, losses


def shape_of(schema: Any, name: str) -> FrameShape:
    """Find the run in a data frame.

    Parameters
    ----------
    schema : Schema
    name : str
        Of the run, where the file does not say it.

    Raises
    ------
    ValueError
        Where no column is a variable.
    """
    text = (schema.metadata or {}).get(DESCRIPTION)
    if text is not None:
        with contextlib.suppress(DecodeError, LookupError, TypeError, ValueError):
            shape = _as_described(schema, json.loads(text))
            if shape is not None:
                return shape
    return _as_found(schema, name)


def _as_described(schema: Any, known: dict[str, Any]) -> FrameShape | None:
    """Give the run as `described` described it, if its columns are still those of the frame."""
    if known["version"] != _VERSION:
        return None
    meta = RunMeta.FromString(base64.b64decode(known["meta"], validate=True))
    items, _ = items_of(meta)
    if not schema.equals(schema_of(items), check_metadata=False):
        return None
    return FrameShape(
        meta,
        items,
        CHAIN,
        DRAW,
        [int(number) for number, n in known["chains"] if not n],
        known["after"],
        datetime.fromisoformat(known["created_at"]),
    )


def _as_found(schema: Any, name: str) -> FrameShape:
    """Give a run by the columns alone: each is a variable, or a stat."""
    chain, draw = (
        next((n for n in names if n in schema.names), None) for names in (_CHAINS, _DRAWS)
    )
    specs: dict[bool, dict[str, VariableSpec]] = {False: {}, True: {}}
    columns: dict[bool, dict[str, str]] = {False: {}, True: {}}
    problems = []
    for column in schema.names:
        if column in (*_CHAINS, *_DRAWS) or column.startswith(_INDEX):
            continue
        spec = _spec(schema.field(column).type) if schema.names.count(column) == 1 else None
        if spec is None:
            problems.append(
                f"the column {column!r}, of type {schema.field(column).type}, is left out"
            )
            continue
        is_stat = column in _STATS or is_mark(column)
        shown = "lp" if column == "lp__" and "lp" not in schema.names else column
        specs[is_stat][shown] = spec
        columns[is_stat][shown] = column
    if not specs[False]:
        there = ", ".join(map(repr, schema.names)) or "none"
        raise ValueError(
            f"no column of the data frame is a variable, of numbers or text; there are {there}"
        )
    meta = make_meta(specs[False], specs[True], rid=name)
    items, _ = items_of(meta)
    items = [item.of(columns[item.is_stat][item.name], schema) for item in items]
    return FrameShape(meta, items, chain, draw, problems=problems)


def _spec(kind: Any) -> VariableSpec | None:
    """Describe a variable that has the values of a column, where one can."""
    shape: tuple[int, ...] = ()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind, shape = kind.value_type, (-1,)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return str, shape
    is_time = pa.types.is_timestamp(kind) and kind.tz is None and kind.unit != "s"
    is_span = pa.types.is_duration(kind) and kind.unit != "s"
    is_number = pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return (kind.to_pandas_dtype(), shape) if is_number or is_time or is_span else None


def _keep(meta: RunMeta, items: list[Item]) -> None:
    """Leave out of a message what the frame does not hold."""
    for is_stat, variables in ((False, meta.variables), (True, meta.sample_stats)):
        names = {item.name for item in items if item.is_stat == is_stat}
        kept = [variable for variable in variables if variable.name in names]
        del variables[:]
        variables.extend(kept)
