"""Messages cross between drawstore and McBackend, both ways, as bytes."""

import warnings
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from betterproto.lib.google import protobuf as their_types

from drawstore import meta

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ArviZ 1 warns of what McBackend imports from it
    import mcbackend
    from mcbackend.npproto.utils import ndarray_from_numpy, ndarray_to_numpy

ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype="int16").reshape(2, 3)),
    np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0),
    np.arange(10)[::2],
    np.arange(10)[::-1],
    np.array(3.5, "float32"),
    np.array([True, False]),
    np.array([1 + 2j]),
    np.array([1, 2], ">i4"),
    np.longdouble([1.5]),
    np.array(["a", "🎲🎲", ""]),
    np.array([["a", "bc"], ["", "def"]], order="F"),
    np.array([b"a\0b", b"c"]),
    np.array(["2026-01-01", "NaT"], "datetime64[ns]"),
    np.asfortranarray(np.arange(6).reshape(2, 3).astype("datetime64[D]")),
    np.zeros((0, 3)),
    np.zeros((3, 0), "int8"),
]


def assert_same(got, expected):
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected, strict=True)


@pytest.mark.parametrize("array", ARRAYS, ids=repr)
def test_their_arrays_are_read(array):
    message = meta.ndarray.FromString(bytes(ndarray_from_numpy(array)))
    assert_same(meta.unpack_array(message), array)


@pytest.mark.parametrize("array", ARRAYS, ids=repr)
def test_our_arrays_are_read_there(array):
    message = mcbackend.npproto.Ndarray().parse(meta.pack_array(array).SerializeToString())
    assert_same(ndarray_to_numpy(message), array)


def their_array(*values):
    return ndarray_from_numpy(np.array(values))


def our_array(*values):
    """Pack as McBackend does, which says of its lists that they are in Fortran order."""
    packed = meta.pack_array(values)
    packed.order = "F"
    return packed


def their_run():
    number, text = their_types.Value(number_value=2.5), their_types.Value(string_value="x")
    values = {
        "null": {"null_value": their_types.NullValue(0)},
        "number": {"number_value": -1.5},
        "string": {"string_value": "🎲"},
        "bool": {"bool_value": True},
        "struct": {"struct_value": their_types.Struct(fields={"a": number})},
        "list": {"list_value": their_types.ListValue(values=[number, text])},
        "timestamp": {"timestamp_value": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)},
        "duration": {"duration_value": timedelta(days=1, microseconds=7)},
        "ndarray": {"ndarray_value": their_array(1, 2)},
    }
    return mcbackend.RunMeta(
        rid="run",
        variables=[
            mcbackend.Variable(
                "v", "float64", shape=[-1, 0, 2**40], dims=["a", "b", "c"], is_deterministic=True
            ),
            mcbackend.Variable("w", "str", undefined_ndim=True),
        ],
        coordinates=[mcbackend.Coordinate("a", their_array("x", "yz"))],
        attributes={name: mcbackend.ExtendedValue(**value) for name, value in values.items()},
        sample_stats=[mcbackend.Variable("tune", "bool")],
        data=[
            mcbackend.DataVariable("y", their_array(0.5), dims=["obs"], is_observed=True),
            mcbackend.DataVariable("x", their_array(1.5)),
        ],
    )


def our_run():
    values = {
        "null": None,
        "number": -1.5,
        "string": "🎲",
        "bool": True,
        "struct": {"a": 2.5},
        "list": [2.5, "x"],
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "duration": timedelta(days=1, microseconds=7),
    }
    run = meta.RunMeta(
        rid="run",
        variables=[
            meta.Variable(
                name="v",
                dtype="float64",
                shape=[-1, 0, 2**40],
                dims=["a", "b", "c"],
                is_deterministic=True,
            ),
            meta.Variable(name="w", dtype="str", undefined_ndim=True),
        ],
        coordinates=[meta.Coordinate(name="a", values=our_array("x", "yz"))],
        attributes={name: meta.pack_value(value) for name, value in values.items()},
        sample_stats=[meta.Variable(name="tune", dtype="bool")],
        data=[
            meta.DataVariable(name="y", value=our_array(0.5), dims=["obs"], is_observed=True),
            meta.DataVariable(name="x", value=our_array(1.5)),
        ],
    )
    run.attributes["ndarray"].ndarray_value.CopyFrom(our_array(1, 2))
    return run


def test_no_field_is_left_out_here():
    run = our_run()
    values = run.attributes.values()
    arrays = (coordinate.values for coordinate in run.coordinates)
    messages = [run, *run.variables, *run.coordinates, *run.data, *values, *arrays]
    filled = {field.full_name for message in messages for field, _ in message.ListFields()}
    kinds = {type(message) for message in messages}
    assert len(kinds) == 6
    assert filled == {field.full_name for kind in kinds for field in kind.DESCRIPTOR.fields}


def test_their_run_is_read():
    assert meta.RunMeta.FromString(bytes(their_run())) == our_run()


def test_our_run_is_read_there():
    assert mcbackend.RunMeta().parse(our_run().SerializeToString()) == their_run()


def test_a_chain_crosses():
    ours, theirs = meta.ChainMeta(rid="r", chain_number=-3), mcbackend.meta.ChainMeta("r", -3)
    assert meta.ChainMeta.FromString(bytes(theirs)) == ours
    assert mcbackend.meta.ChainMeta().parse(ours.SerializeToString()) == theirs


def test_every_kind_of_value_is_told():
    values = {name: meta.unpack_value(value) for name, value in our_run().attributes.items()}
    assert values.pop("ndarray").tolist() == [1, 2]
    assert values == {
        "null": None,
        "number": -1.5,
        "string": "🎲",
        "bool": True,
        "struct": {"a": 2.5},
        "list": [2.5, "x"],
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "duration": timedelta(days=1, microseconds=7),
    }
