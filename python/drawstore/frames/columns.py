"""Variables and stats as columns of a data frame, and back, to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from ..meta import RunMeta, Variable

try:
    import pyarrow as pa
except ImportError as error:
    raise ImportError(
        "drawstore needs pyarrow for data frames: pip install 'drawstore[convert]'", name="pyarrow"
    ) from error

__all__ = ["CHAIN", "DRAW", "Column", "Item", "items_of", "schema_of"]

Array = NDArray[Any]

CHAIN, DRAW = "chain", "draw"
"""Names of the first two columns."""

_UNITS = ("ms", "us", "ns")
_COARSE = {"M": ("Y", "M", "W", "D", "h", "m", "s"), "m": ("W", "D", "h", "m", "s")}


@dataclass(frozen=True)
class Column:
    """A column of a data frame: one element of a variable or a stat.

    Attributes
    ----------
    name : str
        Of the column.
    index : tuple of int
        Of the element.
    part : str
        "real", "imag", or nothing.
    type : DataType
    """

    name: str
    index: tuple[int, ...]
    part: str
    type: Any


@dataclass(frozen=True)
class Item:
    """A variable or a stat, and the columns that hold it.

    Attributes
    ----------
    name : str
    is_stat : bool
    dtype : dtype
        Of its values; object where they are text.
    shape : tuple of int
        Of one value; (-1, ...) where the length differs from draw to draw.
    held : dtype
        As which values are taken.
    columns : tuple of Column
    """

    name: str
    is_stat: bool
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    held: np.dtype[Any]
    columns: tuple[Column, ...]

    @property
    def is_ragged(self) -> bool:
        """Whether values are lists."""
        return bool(self.shape) and self.shape[0] < 0

    def of(self, name: str, schema: Any) -> Item:
        """Give the item of a single column with the name and the type that it has in a schema."""
        (column,) = self.columns
        return replace(self, columns=(replace(column, name=name, type=schema.field(name).type),))

    def arrays(self, values: Array) -> list[Any]:
        """Give values, as chains give them, as those of the columns."""
        if self.is_ragged:
            return [self._lists(values)]
        return [self._array(column, values) for column in self.columns]

    def _array(self, column: Column, values: Array) -> Any:
        key: Any = (slice(None), *column.index)
        mask = None
        if isinstance(values, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(values)[key]
        plain = np.ma.getdata(values)[key]
        if column.part:
            plain = getattr(plain, column.part)
        plain = np.ascontiguousarray(plain.astype(self.held, copy=False))
        return pa.array(plain, column.type, mask=mask, from_pandas=False)

    def _lists(self, values: Array) -> Any:
        inner = self.shape[1:]
        mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
        items = [np.asarray(item).reshape(-1, *inner) for item in np.ma.getdata(values)]
        if mask is not None:
            nothing = np.empty((0, *inner), self.dtype)
            items = [nothing if out else item for item, out in zip(items, mask, strict=True)]
        ends = np.cumsum([0, *(len(item) for item in items)], dtype=np.int64)
        flat = np.concatenate([item.reshape(-1) for item in items]) if items else np.empty(0)
        flat = flat.astype(self.held, copy=False)
        array = pa.array(flat, _innermost(self.columns[0].type), from_pandas=False)
        for length in reversed(inner):
            array = pa.FixedSizeListArray.from_arrays(array, length)
        return pa.LargeListArray.from_arrays(
            pa.array(ends), array, mask=None if mask is None else pa.array(mask)
        )

    def values(self, read: Callable[[Column], Any], n: int) -> Array:
        """Give values as chains do, from what reads n rows of a column."""
        if self.is_ragged:
            return self._unlisted(read(self.columns[0]), n)
        values = np.empty((n, *self.shape), self.dtype)
        missing = np.zeros((n, *self.shape), bool)
        for column in self.columns:
            array = read(column)
            key: Any = (slice(None), *column.index)
            part = values[key]
            if array.null_count:
                missing[key] = array.is_null().to_numpy(zero_copy_only=False)
            plain = _plain(array, self.held)
            if column.part:
                setattr(part, column.part, plain)
            else:
                part[...] = plain
        if not missing.any():
            return values
        values[missing] = _under_mask(self.dtype)
        if self.is_stat:
            return np.ma.MaskedArray(values, missing)
        if self.dtype.kind not in "fcmM":
            raise self._incomplete()
        return values

    def _incomplete(self) -> ValueError:
        return ValueError(
            f"the column {self.columns[0].name!r} lacks values, for which a variable of "
            f"{'text' if self.dtype.kind == 'O' else self.dtype} has no sign; fill them, or leave "
            "out the column"
        )

    def _unlisted(self, array: Any, n: int) -> Array:
        values = np.empty(n, object)
        mask = array.is_null().to_numpy(zero_copy_only=False)
        if mask.any() and not self.is_stat:
            raise self._incomplete()
        ends = array.offsets.to_numpy()
        inner = array.values
        while pa.types.is_fixed_size_list(inner.type):
            inner = inner.values
        size = math.prod(self.shape[1:])
        first, last = int(ends[0]) * size, int(ends[-1]) * size
        inner = inner.slice(first, last - first)
        if inner.null_count:
            raise self._incomplete()
        flat = _plain(inner, self.held).astype(self.dtype, copy=False)
        flat = flat.reshape(-1, *self.shape[1:])
        flat.flags.writeable = False
        for i in range(n):
            values[i] = flat[ends[i] - ends[0] : ends[i + 1] - ends[0]]
        return np.ma.MaskedArray(values, mask) if mask.any() else values


def _innermost(kind: Any) -> Any:
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    return kind


def _plain(array: Any, held: np.dtype[Any]) -> Array:
    """Give the values of an array of Arrow; what is under its nulls is arbitrary."""
    if held.kind == "O":
        values: Array = array.to_numpy(zero_copy_only=False)
        return values
    if held.kind == "b":
        return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False))
    return np.frombuffer(array.buffers()[1] or b"", held, len(array), array.offset * held.itemsize)


def _under_mask(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "fc":
        return np.nan
    if dtype.kind in "mM":
        return np.array("NaT", dtype)
    return "" if dtype.kind == "O" else np.zeros((), dtype)[()]


def items_of(meta: RunMeta) -> tuple[list[Item], list[str]]:
    """Say which columns hold the draws and stats of a run, and what they cannot hold."""
    items: list[Item] = []
    losses: list[str] = []
    taken = {CHAIN, DRAW}
    for is_stat, variables in ((False, meta.variables), (True, meta.sample_stats)):
        for variable in variables:
            item = _item(variable, is_stat, taken, losses)
            if item is not None:
                items.append(item)
    return items, losses


def schema_of(items: Iterable[Item], metadata: dict[str, str] | None = None) -> Any:
    """Give the schema of a data frame of some items."""
    fields = [(CHAIN, pa.int64()), (DRAW, pa.int64())]
    fields += [(column.name, column.type) for item in items for column in item.columns]
    return pa.schema(fields, metadata=metadata)


def _item(variable: Variable, is_stat: bool, taken: set[str], losses: list[str]) -> Item | None:
    shape = tuple(variable.shape)
    dtype = np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype)
    held, kind = _held_as(dtype)
    differs = variable.undefined_ndim or any(n < 0 for n in shape)
    is_list = shape[:1] == (-1,) and min(shape[1:], default=1) > 0
    if held is None or (differs and (not is_list or dtype.kind == "c")):
        why = "its dtype" if held is None else "its shape, which differs from draw to draw"
        losses.append(f"{variable.name!r}, because of {why}")
        return None
    if held != dtype.newbyteorder("=") and dtype.kind == "f":
        losses.append(f"{variable.name!r} is {dtype}, and becomes {held}")
    if is_list:
        for length in reversed(shape[1:]):
            kind = pa.list_(kind, length)
        kind = pa.large_list(kind)
    name, columns = _columns(variable.name, () if is_list else shape, dtype, kind)
    prefix = "sample_stats" if is_stat else "posterior"
    while any(column.name in taken for column in columns):
        name, columns = _columns(f"{prefix}.{name}", () if is_list else shape, dtype, kind)
    if dtype.kind in "mM" and is_stat:
        losses.append(f"which values of the stat {variable.name!r} are NaT: they become missing")
    if name != variable.name:
        losses.append(f"the name of {variable.name!r}, which becomes {name!r}, for others")
    taken.update(column.name for column in columns)
    return Item(variable.name, is_stat, dtype, shape, held, tuple(columns))


def _columns(
    name: str, shape: Sequence[int], dtype: np.dtype[Any], kind: Any
) -> tuple[str, list[Column]]:
    columns = []
    for index in np.ndindex(*shape):
        label = f"{name}[{','.join(map(str, index))}]" if index else name
        for part in ("real", "imag") if dtype.kind == "c" else ("",):
            columns.append(Column(f"{label}.{part}" if part else label, index, part, kind))
    return name, columns


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
            unit = "ms"  # Parquet has no seconds
        if unit in _UNITS:
            make = pa.timestamp if dtype.kind == "M" else pa.duration
            return np.dtype(f"{dtype.kind}8[{unit}]"), make(unit)
    return None, None
