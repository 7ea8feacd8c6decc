"""Runs into Parquet and Arrow IPC files, for data frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from ..ensemble import by_walkers, is_ensemble, steps_of
from ..interface import Chain, Run
from ..meta import Variable
from .blocks import Rows, block_rows, blocks, row_bytes
from .writing import Writer

try:
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet
except ImportError as error:
    raise ImportError(
        "drawstore needs pyarrow to write data frames: pip install 'drawstore[convert]'"
    ) from error

__all__ = ["WRITERS"]

Array = NDArray[Any]

_UNITS = ("s", "ms", "us", "ns")
_COARSE = {"M": ("Y", "M", "W", "D", "h", "m"), "m": ("W", "D", "h", "m")}


@dataclass(frozen=True)
class _Column:
    """A column of the data frame: one element of a variable or a stat.

    Attributes
    ----------
    name : str
        Of the column.
    source : str
        The variable, or the stat.
    is_stat : bool
    index : tuple of int
        Of the element.
    part : str
        "real", "imag", or nothing.
    dtype : dtype or None
        As which values are taken; None for lists of `type`.
    type : DataType
    """

    name: str
    source: str
    is_stat: bool
    index: tuple[int, ...]
    part: str
    dtype: np.dtype[Any] | None
    type: Any

    def array(self, values: Array) -> Any:
        """Give values of the source as those of the column."""
        mask = None
        key: Any = (slice(None), *self.index)
        if isinstance(values, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(values)[key]
        plain = np.ma.getdata(values)[key]
        if self.part:
            plain = getattr(plain, self.part)
        if self.dtype is None:
            items = [None if value is None else value.tolist() for value in plain]
            return pa.array(items, self.type)
        plain = np.ascontiguousarray(plain.astype(self.dtype, copy=False))
        return pa.array(plain, self.type, mask=mask, from_pandas=False)


class _FramesWriter(Writer):
    """Writes a row for each draw of each chain, warm-up included, with columns chain and draw."""

    def __init__(self, run: Run, make: Callable[[str, Any], AbstractContextManager[Any]]) -> None:
        super().__init__(run)
        self._make = make
        self._walkers = by_walkers(run)
        with run.held_open():
            self._chains = self._walkers.get_chains()
            self._lengths = [len(chain) for chain in self._chains]
        self.n_rows = sum(self._lengths)
        self._columns: list[_Column] = []
        taken = {"chain", "draw"}
        for is_stat, variables in (
            (False, self._walkers.variables),
            (True, self._walkers.sample_stats),
        ):
            for variable in variables.values():
                self._add(variable, is_stat, taken)
        left_out = [*run.observed_data, *run.constant_data, *run._load_groups()]
        if left_out:
            self.losses.append(f"data and groups: {', '.join(map(repr, left_out))}")
        if is_ensemble(run):
            self.losses.append("blobs, accepted proposals, and states of the random numbers")

    def write(self, path: str, rows: Rows) -> None:
        fields = [("chain", pa.int64()), ("draw", pa.int64())]
        fields += [(column.name, column.type) for column in self._columns]
        schema = pa.schema(fields, metadata={"drawstore": _description(self._walkers)})
        with self._make(path, schema) as file:
            for pieces in self._pieces():
                with self.run.held_open():
                    batches = [self._batch(chain, block, schema) for chain, block in pieces]
                file.write_table(pa.Table.from_batches(batches, schema))
                rows.add(sum(len(block) for _, block in pieces))

    def _pieces(self) -> Iterator[list[tuple[Chain, range]]]:
        """Cut the run into what is written at once: all walkers of an ensemble, or one chain."""
        variables = [*self._walkers.variables.values(), *self._walkers.sample_stats.values()]
        each = row_bytes(variables, self.run, self.n_rows)
        if steps_of(self.run) is not None:
            n = min(self._lengths, default=0)
            for block in blocks(n, block_rows(each * len(self._chains))):
                yield [(chain, block) for chain in self._chains]
            return
        for chain, n in zip(self._chains, self._lengths, strict=True):
            for block in blocks(n, block_rows(each)):
                yield [(chain, block)]

    def _batch(self, chain: Chain, block: range, schema: Any) -> Any:
        slc = slice(block.start, block.stop)
        arrays = [
            pa.array(np.full(len(block), chain.chain_number, np.int64)),
            pa.array(np.arange(block.start, block.stop, dtype=np.int64)),
        ]
        read: dict[tuple[bool, str], Array] = {}
        for column in self._columns:
            key = column.is_stat, column.source
            if key not in read:
                get = chain.get_stats if column.is_stat else chain.get_draws
                read = {key: get(column.source, slc)}  # of its elements, one after the other
            arrays.append(column.array(read[key]))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _add(self, variable: Variable, is_stat: bool, taken: set[str]) -> None:
        """Add the columns of a variable, or say why there are none."""
        shape = tuple(variable.shape)
        dtype = np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype)
        held, kind = _held_as(dtype)
        ragged = variable.undefined_ndim or any(n < 0 for n in shape)
        if held is None or (ragged and (shape != (-1,) or dtype.kind == "c")):
            why = "its dtype" if held is None else "its shape, which differs from draw to draw"
            self.losses.append(f"{variable.name!r}, because of {why}")
            return
        if held != dtype.newbyteorder("=") and dtype.kind in "fmM":
            self.losses.append(f"{variable.name!r} is {dtype}, and becomes {held}")
        if dtype.kind == "c":
            self.losses.append(f"{variable.name!r} is {dtype}, and becomes two columns of {held}")
        name = variable.name
        if name in taken:
            name = f"{'sample_stats' if is_stat else 'posterior'}.{name}"
            self.losses.append(f"the name of {variable.name!r}, which becomes {name!r}")
        taken.add(name)
        parts = ("real", "imag") if dtype.kind == "c" else ("",)
        if ragged:
            self._columns.append(
                _Column(name, variable.name, is_stat, (), "", None, pa.list_(kind))
            )
            return
        for index in np.ndindex(*shape):
            label = f"{name}[{','.join(map(str, index))}]" if index else name
            for part in parts:
                full = f"{label}.{part}" if part else label
                self._columns.append(_Column(full, variable.name, is_stat, index, part, held, kind))


def _held_as(dtype: np.dtype[Any]) -> tuple[np.dtype[Any] | None, Any]:
    """Give the dtype as which values are taken, and the type that they have in a file."""
    held: np.dtype[Any]
    if dtype.kind == "O" or dtype.kind == "U":
        return np.dtype(object), pa.string()
    if dtype.kind == "S":
        return np.dtype(object), pa.binary()
    if dtype.kind in "biu":
        held = dtype.newbyteorder("=")
        return held, pa.from_numpy_dtype(held)
    if dtype.kind in "fc":
        held = np.dtype(f"f{min(8, dtype.itemsize // (2 if dtype.kind == 'c' else 1))}")
        return held, pa.from_numpy_dtype(held)
    if dtype.kind in "mM":
        unit, _ = np.datetime_data(dtype)
        if unit in _COARSE[dtype.kind]:
            unit = "s"
        if unit in _UNITS:
            make = pa.timestamp if dtype.kind == "M" else pa.duration
            return np.dtype(f"{dtype.kind}8[{unit}]"), make(unit)
    return None, None


def _description(run: Run) -> str:
    """Say as JSON what no column does."""
    return json.dumps(
        {
            "rid": run.rid,
            "created_at": run.created_at.isoformat(),
            "attributes": run.attributes,
            "dims": run.dims,
            "coords": {name: values.tolist() for name, values in run.coords.items()},
        },
        default=lambda value: value.tolist() if hasattr(value, "tolist") else str(value),
    )


def _parquet(run: Run) -> Writer:
    return _FramesWriter(run, pa.parquet.ParquetWriter)


def _arrow(run: Run) -> Writer:
    return _FramesWriter(run, pa.ipc.new_file)


WRITERS = {"parquet": _parquet, "arrow": _arrow}
