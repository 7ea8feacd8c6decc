"""What `protobufs/generate.py` found in the .proto files: edit those, not this."""

from collections.abc import Iterable, Mapping
from typing import Literal, final

from google.protobuf.duration_pb2 import Duration as Duration
from google.protobuf.internal.containers import (
    MessageMap,
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
)
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue as ListValue
from google.protobuf.struct_pb2 import NullValue
from google.protobuf.struct_pb2 import Struct as Struct
from google.protobuf.struct_pb2 import Value as Value
from google.protobuf.timestamp_pb2 import Timestamp as Timestamp

@final
class ndarray(Message):
    """An array of numbers, texts, times or records, in the way of NumPy."""

    # The values in C order: the last index runs fastest, nothing lies between them. Times and time
    # differences are signed 64-bit integers. What cannot be written without Python's pickle cannot
    # be in an array.
    data: bytes
    # What NumPy prints for the dtype: "float64", ">i2", "<U12", "datetime64[ns]",
    # "[('x', '<f8'), ('n', '<i4')]".
    dtype: str
    # The length of each dimension. Empty for a single value.
    @property
    def shape(self) -> RepeatedScalarFieldContainer[int]: ...
    # How many bytes apart neighbours were, along each dimension, in the memory of the array that
    # this was made from. `data` is in C order all the same, so this is not needed to read it.
    @property
    def strides(self) -> RepeatedScalarFieldContainer[int]: ...
    # "F" where that memory was in Fortran order (or in both orders), else "C" or empty. As with
    # `strides`, `data` does not follow it.
    order: str
    def __init__(
        self,
        *,
        data: bytes = ...,
        dtype: str = ...,
        shape: Iterable[int] | None = ...,
        strides: Iterable[int] | None = ...,
        order: str = ...,
    ) -> None: ...

@final
class RunMeta(Message):
    """One run: all chains that sample the same model in one go."""

    # Names the run in its store. A run that is begun with an empty name is given a fresh one.
    rid: str
    # What every draw consists of.
    @property
    def variables(self) -> RepeatedCompositeFieldContainer[Variable]: ...
    # The labels of named dimensions.
    @property
    def coordinates(self) -> RepeatedCompositeFieldContainer[Coordinate]: ...
    # Anything else worth keeping, by name.
    @property
    def attributes(self) -> MessageMap[str, ExtendedValue]: ...
    # What the sampler says about every draw.
    @property
    def sample_stats(self) -> RepeatedCompositeFieldContainer[Variable]: ...
    # The data that went into the model.
    @property
    def data(self) -> RepeatedCompositeFieldContainer[DataVariable]: ...
    def __init__(
        self,
        *,
        rid: str = ...,
        variables: Iterable[Variable] | None = ...,
        coordinates: Iterable[Coordinate] | None = ...,
        attributes: Mapping[str, ExtendedValue] | None = ...,
        sample_stats: Iterable[Variable] | None = ...,
        data: Iterable[DataVariable] | None = ...,
    ) -> None: ...

@final
class ChainMeta(Message):
    """One chain of a run."""

    # The name of its run.
    rid: str
    # Its number in the run.
    chain_number: int
    def __init__(
        self,
        *,
        rid: str = ...,
        chain_number: int = ...,
    ) -> None: ...

@final
class Variable(Message):
    """A quantity that has one value in every draw."""

    name: str
    # What NumPy prints for the dtype, or "str" for texts of any length.
    dtype: str
    # The length of each dimension of one draw's value; empty for scalars. -1 is a length that
    # changes from draw to draw, 0 a dimension without elements.
    @property
    def shape(self) -> RepeatedScalarFieldContainer[int]: ...
    # The names of these dimensions: one for each, or none at all. An empty name is none.
    @property
    def dims(self) -> RepeatedScalarFieldContainer[str]: ...
    # Whether the value follows from the other variables, without chance.
    is_deterministic: bool
    # Whether even the number of dimensions changes from draw to draw. `shape` and `dims` then say
    # nothing.
    undefined_ndim: bool
    def __init__(
        self,
        *,
        name: str = ...,
        dtype: str = ...,
        shape: Iterable[int] | None = ...,
        dims: Iterable[str] | None = ...,
        is_deterministic: bool = ...,
        undefined_ndim: bool = ...,
    ) -> None: ...

@final
class Coordinate(Message):
    """The labels along one named dimension."""

    # The name of the dimension.
    name: str
    # One label for each place along it.
    @property
    def values(self) -> ndarray: ...
    def __init__(
        self,
        *,
        name: str = ...,
        values: ndarray | None = ...,
    ) -> None: ...

@final
class DataVariable(Message):
    """An array that the model was given."""

    name: str
    @property
    def value(self) -> ndarray: ...
    # The names of its dimensions: one for each, or none at all.
    @property
    def dims(self) -> RepeatedScalarFieldContainer[str]: ...
    # Whether the posterior is conditional on it. Else it is a constant of the model.
    is_observed: bool
    def __init__(
        self,
        *,
        name: str = ...,
        value: ndarray | None = ...,
        dims: Iterable[str] | None = ...,
        is_observed: bool = ...,
    ) -> None: ...

@final
class ExtendedValue(Message):
    """A value of one of several kinds: those of google.protobuf.Value, times, and arrays."""

    null_value: NullValue.ValueType
    number_value: float
    string_value: str
    bool_value: bool
    @property
    def struct_value(self) -> Struct: ...
    @property
    def list_value(self) -> ListValue: ...
    @property
    def timestamp_value(self) -> Timestamp: ...
    @property
    def duration_value(self) -> Duration: ...
    @property
    def ndarray_value(self) -> ndarray: ...
    def __init__(
        self,
        *,
        null_value: NullValue.ValueType = ...,
        number_value: float = ...,
        string_value: str = ...,
        bool_value: bool = ...,
        struct_value: Struct | None = ...,
        list_value: ListValue | None = ...,
        timestamp_value: Timestamp | None = ...,
        duration_value: Duration | None = ...,
        ndarray_value: ndarray | None = ...,
    ) -> None: ...
    def WhichOneof(
        self, oneof_group: Literal["kind"]
    ) -> (
        Literal[
            "null_value",
            "number_value",
            "string_value",
            "bool_value",
            "struct_value",
            "list_value",
            "timestamp_value",
            "duration_value",
            "ndarray_value",
        ]
        | None
    ): ...
