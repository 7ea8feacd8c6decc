"""What a run is about: the messages of `protobufs/meta.proto`, and their values as Python's.

A `RunMeta` names and describes the variables of a run, the sampler's statistics, the labels of
dimensions, the data and any other facts. `make_meta` writes one in a single call. Programs in other
languages read and write the same messages.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from google.protobuf.struct_pb2 import NULL_VALUE
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._messages import (
    ChainMeta,
    Coordinate,
    DataVariable,
    ExtendedValue,
    ListValue,
    RunMeta,
    Struct,
    Value,
    Variable,
    ndarray,
)
from .dtypes import dtype_text, parse_dtype

__all__ = [
    "ChainMeta",
    "Coordinate",
    "DataVariable",
    "ExtendedValue",
    "RunMeta",
    "Variable",
    "make_meta",
    "ndarray",
    "pack_array",
    "pack_value",
    "unpack_array",
    "unpack_value",
]

Shape = int | Sequence[int] | None
Dims = str | Sequence[str | None] | None
VariableSpec = tuple[DTypeLike, Shape] | tuple[DTypeLike, Shape, Dims]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_CHARACTER = 0x10FFFF


def make_meta(
    variables: Mapping[str, VariableSpec],
    sample_stats: Mapping[str, VariableSpec] | None = None,
    *,
    coords: Mapping[str, ArrayLike] | None = None,
    constant_data: Mapping[str, tuple[ArrayLike, Dims]] | None = None,
    observed_data: Mapping[str, tuple[ArrayLike, Dims]] | None = None,
    attributes: Mapping[str, object] | None = None,
    deterministics: Iterable[str] = (),
    rid: str = "",
) -> RunMeta:
    """Describe a run.

    Parameters
    ----------
    variables : mapping of name to (dtype, shape) or (dtype, shape, dims)
        What every draw consists of. A dtype is what NumPy takes for one, or ``str`` for texts of
        any length. A shape is that of one draw: ``()`` for scalars, -1 for a length that changes
        from draw to draw, None where even the number of dimensions changes. Dims are names, one for
        each dimension (None: without a name), or left out.
    sample_stats : mapping like `variables`, optional
        What the sampler says about every draw.
    coords : mapping of name to array, optional
        The labels along named dimensions.
    constant_data, observed_data : mapping of name to (value, dims), optional
        The data of the model. Dims may be None.
    attributes : mapping of name to value, optional
        Any other facts, of the kinds that `pack_value` takes.
    deterministics : iterable of str, optional
        Which variables follow from the others without chance.
    rid : str, optional
        The run's id in its store. The store chooses one if it is left out.

    Returns
    -------
    RunMeta

    Raises
    ------
    ValueError
        Where dims do not fit a shape, or a deterministic is not among the variables.
    TypeError
        For values that hold Python objects.

    Examples
    --------
    >>> meta = make_meta(
    ...     variables={"slope": (float, ()), "effect": ("float32", (3,), ("group",))},
    ...     sample_stats={"tune": (bool, ())},
    ...     coords={"group": ["a", "b", "c"]},
    ...     attributes={"model": "line"},
    ... )
    >>> [variable.dtype for variable in meta.variables]
    ['float64', 'float32']
    >>> meta.attributes["model"].string_value
    'line'
    """
    meta = RunMeta(rid=rid)
    meta.variables.extend(_variable(name, *spec) for name, spec in variables.items())
    meta.sample_stats.extend(_variable(name, *spec) for name, spec in (sample_stats or {}).items())
    for name, values in (coords or {}).items():
        meta.coordinates.append(Coordinate(name=name, values=pack_array(values)))
    for data, is_observed in ((constant_data, False), (observed_data, True)):
        for name, (value, dims) in (data or {}).items():
            packed = pack_array(value)
            names = _dims(name, dims, len(packed.shape))
            meta.data.append(
                DataVariable(name=name, value=packed, dims=names, is_observed=is_observed)
            )
    for name, fact in (attributes or {}).items():
        meta.attributes[name].CopyFrom(pack_value(fact))
    known = {variable.name: variable for variable in meta.variables}
    for name in deterministics:
        if name not in known:
            raise ValueError(f"{name!r} is deterministic, but no variable: they are {list(known)}")
        known[name].is_deterministic = True
    return meta


def pack_array(array: ArrayLike) -> ndarray:
    """Give an array as a message.

    Parameters
    ----------
    array : array_like
        Of any shape and memory order, and of any dtype without Python objects. Objects that are all
        `str` become texts of fixed width.

    Returns
    -------
    ndarray
        The message, with the values in C order.

    Raises
    ------
    TypeError
        For other Python objects.
    ValueError
        For masked values, and texts that end in a null character: NumPy's arrays drop it.

    Examples
    --------
    >>> unpack_array(pack_array([[1, 2], [3, 4]]))
    array([[1, 2],
           [3, 4]])
    """
    if np.ma.is_masked(array):
        raise ValueError("an array with masked values: fill them first")
    values = np.asarray(array)
    if values.dtype.kind in "OT":
        values = _fixed_width(values)
    text = dtype_text(values.dtype)
    strides = [values.itemsize * math.prod(values.shape[i + 1 :]) for i in range(values.ndim)]
    return ndarray(
        data=values.tobytes(), dtype=text, shape=values.shape, strides=strides, order="C"
    )


def unpack_array(message: ndarray) -> NDArray[Any]:
    """Give the array that a message holds, without unpickling anything.

    Parameters
    ----------
    message : ndarray
        The message.

    Returns
    -------
    ndarray
        Read-only.

    Raises
    ------
    ValueError
        Where the message is not that of an array: an unknown dtype, Python objects, or data that do
        not fill the shape.
    """
    shape, data = tuple(message.shape), message.data
    try:
        dtype = parse_dtype(message.dtype)
    except TypeError as error:
        raise ValueError(f"an array that cannot be read: {error}") from None
    wanted = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or wanted != len(data):
        raise ValueError(
            f"an array of dtype {message.dtype} and shape {shape} cannot have {len(data)} bytes"
        )
    values: NDArray[Any] = np.ndarray(shape, dtype, buffer=data)
    _check_text(values)
    return values


def pack_value(obj: object) -> ExtendedValue:
    """Give a value as a message.

    Parameters
    ----------
    obj : object
        None, a `bool`, number, `str`, `datetime` with a time zone, `timedelta` or NumPy array, or
        lists and mappings of None, `bool`, numbers, `str`, lists and mappings. What cannot be kept
        exactly as such, like big or complex numbers and NumPy's scalars, is kept as a 0-d array.
        Mappings do not keep their order.

    Returns
    -------
    ExtendedValue

    Raises
    ------
    TypeError
        For other kinds of values.
    ValueError
        For a `datetime` without a time zone, and for an integer inside a list or mapping that is
        too big for a float.

    Examples
    --------
    >>> unpack_value(pack_value([1, 2.5, "three", None]))
    [1.0, 2.5, 'three', None]
    """
    message = ExtendedValue()
    if isinstance(obj, datetime):
        if obj.tzinfo is None:
            raise ValueError(f"{obj!r} has no time zone")
        since = obj - _EPOCH
        message.timestamp_value.seconds = since // timedelta(seconds=1)
        message.timestamp_value.nanos = since.microseconds * 1000
    elif isinstance(obj, timedelta):
        # Seconds and nanoseconds of a duration have the same sign.
        size = abs(obj)
        sign = -1 if obj < timedelta() else 1
        message.duration_value.seconds = sign * (size // timedelta(seconds=1))
        message.duration_value.nanos = sign * size.microseconds * 1000
    elif _needs_array(obj):
        message.ndarray_value.CopyFrom(pack_array(np.asanyarray(obj)))
    else:
        value = _plain_value(obj)
        kind = value.WhichOneof("kind")
        assert kind is not None
        if kind in ("struct_value", "list_value"):
            getattr(message, kind).CopyFrom(getattr(value, kind))
        else:
            setattr(message, kind, getattr(value, kind))
    return message


def unpack_value(message: ExtendedValue) -> object:
    """Give the value that a message holds; None for one that holds none.

    Parameters
    ----------
    message : ExtendedValue

    Returns
    -------
    object
        Numbers are floats, times are `datetime` in UTC, to the microsecond.

    Raises
    ------
    ValueError
        For arrays that cannot be read, and times beyond what `datetime` can say.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        return None
    value = getattr(message, kind)
    if kind == "ndarray_value":
        return unpack_array(value)
    if kind not in ("timestamp_value", "duration_value"):
        return _unpack_plain(kind, value)
    try:
        size = timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
        return _EPOCH + size if kind == "timestamp_value" else size
    except OverflowError:
        raise ValueError(f"a time that Python has not: {value.seconds} seconds") from None


def _variable(name: str, dtype: DTypeLike, shape: Shape, dims: Dims = None) -> Variable:
    is_text = dtype is str or (isinstance(dtype, str) and dtype == "str")
    variable = Variable(name=name, dtype="str" if is_text else dtype_text(dtype))
    if shape is None:
        variable.undefined_ndim = True
        return variable
    variable.shape.extend((shape,) if isinstance(shape, int) else map(operator.index, shape))
    variable.dims.extend(_dims(name, dims, len(variable.shape)))
    return variable


def _dims(name: str, dims: Dims, ndim: int) -> list[str]:
    names = [dims] if isinstance(dims, str) else [dim or "" for dim in dims or ()]
    if names and len(names) != ndim:
        raise ValueError(f"{name!r} has {ndim} dimensions, and dims {names}")
    return names


def _fixed_width(values: NDArray[Any]) -> NDArray[Any]:
    for text in values.flat:
        if not isinstance(text, str):
            raise TypeError(f"an array of Python objects: one is of type {type(text).__name__}")
        if text.endswith("\0"):
            raise ValueError(f"a text that ends in a null character: {text!r}")
    return np.array(values.tolist(), dtype=np.str_).reshape(values.shape)


def _check_text(values: NDArray[Any]) -> None:
    """Refuse characters that do not exist: NumPy finds them only when they are touched."""
    for name in values.dtype.names or ():
        _check_text(values[name])
    if values.dtype.kind == "U" and values.nbytes:
        number = np.dtype(np.uint32).newbyteorder(values.dtype.byteorder)
        if np.ascontiguousarray(values).view(number).max() > _LAST_CHARACTER:
            raise ValueError("an array of texts with characters that do not exist")


def _needs_array(obj: object) -> bool:
    if isinstance(obj, np.ndarray | complex):
        return True
    if isinstance(obj, np.generic):
        return not isinstance(obj, np.bool_ | np.str_ | float)
    return isinstance(obj, int) and not _is_exact(obj)


def _is_exact(number: int) -> bool:
    """Say whether a float can have this value."""
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def _plain_value(obj: object) -> Value:
    if obj is None:
        return Value(null_value=NULL_VALUE)
    if isinstance(obj, bool | np.bool_):
        return Value(bool_value=bool(obj))
    if isinstance(obj, str):
        return Value(string_value=obj)
    if isinstance(obj, int | float | np.integer | np.floating):
        if isinstance(obj, int | np.integer) and not _is_exact(int(obj)):
            raise ValueError(f"{obj} is too big for a float")
        return Value(number_value=float(obj))
    if isinstance(obj, Mapping):
        fields = {}
        for name, part in obj.items():
            if not isinstance(name, str):
                raise TypeError(f"names in a mapping are str, one is of type {type(name).__name__}")
            fields[name] = _plain_value(part)
        return Value(struct_value=Struct(fields=fields))
    if isinstance(obj, list | tuple):
        return Value(list_value=ListValue(values=map(_plain_value, obj)))
    raise TypeError(f"values of type {type(obj).__name__} cannot be kept")


def _unpack_plain(kind: str | None, value: Any) -> object:
    if kind == "struct_value":
        parts = value.fields.items()
        return {name: _unpack_plain(*_chosen(part)) for name, part in parts}
    if kind == "list_value":
        return [_unpack_plain(*_chosen(part)) for part in value.values]
    return None if kind in (None, "null_value") else value


def _chosen(value: Value) -> tuple[str | None, Any]:
    kind = value.WhichOneof("kind")
    return kind, None if kind is None else getattr(value, kind)
