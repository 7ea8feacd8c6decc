"""The messages that describe a run, and values packed into them."""

import copy
import math
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from drawstore.meta import (
    ExtendedValue,
    RunMeta,
    Variable,
    make_meta,
    ndarray,
    pack_array,
    pack_value,
    unpack_array,
    unpack_value,
)

DTYPES = npst.nested_dtypes(
    npst.scalar_dtypes()
    | npst.byte_string_dtypes(endianness="?")
    | npst.unicode_string_dtypes()
    | npst.datetime64_dtypes()
    | npst.timedelta64_dtypes()
).filter(lambda dtype: dtype.subdtype is None)
ARRAYS = npst.arrays(DTYPES, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def through_the_wire(message):
    back = type(message).FromString(message.SerializeToString())
    assert back == message
    return back


def through_pack(array):
    return unpack_array(through_the_wire(pack_array(array)))


def assert_same(got, expected):
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


@given(ARRAYS, st.sampled_from(["C", "F"]))
def test_arrays_come_back_bit_for_bit(array, order):
    assert_same(through_pack(np.array(array, order=order)), array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0),
        np.arange(24)[::-3],
        np.broadcast_to(np.float32(3), (2, 5)),
        np.array(["a", "", "ünïcødé 🎲", "\ud800"]),
        np.array([b"a\0b", b"\xff"]),
        np.array(["NaT", "2026-01-01T00:00:00.123456789"], "datetime64[ns]"),
        np.array([-1, 7], ">M8[25s]"),
        np.array([True, False])[:, None],
        np.longdouble([1, math.pi]),
        np.zeros((0, 3), "U5"),
        np.zeros((3, 0)),
        np.array(5 + 2j),
        np.array("", "U0"),
        np.rec.array([(1, 2.0)], [("a", "i1"), ("b", "f8")]).view(np.ndarray),
    ],
    ids=repr,
)
def test_unusual_arrays_come_back(array):
    assert_same(through_pack(array), array)


def test_an_array_that_is_read_is_not_written():
    assert not through_pack([1, 2]).flags.writeable


def test_objects_that_are_texts_become_texts():
    texts = np.array([["a", "bcd"], ["", "🎲"]], dtype=object)
    assert_same(through_pack(texts), texts.astype("U3"))
    assert through_pack(np.array([], dtype=object)).dtype.kind == "U"
    assert through_pack(np.array("abc", dtype=object)) == "abc"


def test_variable_width_texts_become_texts():
    string = getattr(np.dtypes, "StringDType", None)  # NumPy 2 has them
    if string is not None:
        texts = np.array(["a", "bcd"], dtype=string())
        assert_same(through_pack(texts), np.array(["a", "bcd"]))


def test_text_that_numpy_would_shorten_is_refused():
    with pytest.raises(ValueError, match="ends in a null character"):
        pack_array(np.array(["a\0"], dtype=object))


def test_python_objects_are_refused():
    with pytest.raises(TypeError, match="type dict"):
        pack_array(np.array(["a", {}], dtype=object))
    with pytest.raises(TypeError, match="Python objects"):
        pack_array(np.zeros(2, [("a", "f8"), ("b", object)]))


def test_masked_values_are_refused():
    array = np.ma.masked_array([1.0, 2.0], [False, True])
    with pytest.raises(ValueError, match="masked"):
        pack_array(array)
    assert_same(through_pack(array[:1]), np.array([1.0]))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (ndarray(), "dtype"),
        (ndarray(dtype="float65"), "float65"),
        (ndarray(dtype="object", data=b"12345678"), "Python objects"),
        (ndarray(dtype="[('a', 'O')]", data=b"12345678"), "Python objects"),
        (ndarray(dtype="float64", data=b"1234567"), "7 bytes"),
        (ndarray(dtype="float64", data=b"12345678", shape=[2]), r"shape \(2,\)"),
        (ndarray(dtype="float64", data=b"12345678", shape=[-1, -1]), r"shape \(-1, -1\)"),
        (ndarray(dtype="int8", data=b"", shape=[0, 2**62, 2**62]), "dimension|big"),
        (ndarray(dtype="int8", data=b"1", shape=[1] * 100), "dimension"),
        (ndarray(dtype="<U1", data=b"\xff\xff\xff\xff"), "characters"),
        (ndarray(dtype=">U1", data=b"\x00\x11\x00\x00"), "characters"),
        (ndarray(dtype="[('a', [('b', 'U1', (2,))])]", data=b"aaaa\0\0\0\0"), "characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages_that_are_no_arrays(message, words):
    with pytest.raises(ValueError, match=words):
        unpack_array(message)


@given(
    st.binary(max_size=40),
    st.sampled_from(["float64", "U2", "datetime64[s]", "O", "[('a', 'i4'), ('b', 'U1')]", "x"]),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 4), max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.text(max_size=2),
)
def test_any_other_message_is_a_value_error(data, dtype, shape, strides, order):
    message = ndarray(data=data, dtype=dtype, shape=shape, strides=strides, order=order)
    try:
        array = unpack_array(message)
    except ValueError:
        return
    array.tolist()
    assert array.shape == tuple(shape)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(PLAIN | st.datetimes(timezones=st.just(UTC)) | st.timedeltas())
def test_plain_values_come_back(value):
    back = unpack_value(through_the_wire(pack_value(value)))
    assert back == value
    assert type(back) is (float if type(value) is int else type(value))


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3),
        np.float32(1.5),
        np.int64(3),
        3 + 4j,
        2**53 + 1,
        np.datetime64("2026-01-01", "D"),
    ],
    ids=repr,
)
def test_values_that_are_kept_as_arrays(value):
    assert_same(unpack_value(through_the_wire(pack_value(value))), np.asarray(value))


def test_values_that_change_their_type():
    assert unpack_value(pack_value((1, "a"))) == [1.0, "a"]
    assert unpack_value(pack_value(np.bool_(True))) is True
    assert unpack_value(pack_value({"n": np.int8(3)})) == {"n": 3.0}
    assert math.isnan(unpack_value(pack_value([math.nan]))[0])
    east = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=3)))
    assert unpack_value(pack_value(east)).utcoffset() == timedelta()
    assert unpack_value(pack_value(east)) == east


def test_a_value_of_no_kind_is_none():
    assert unpack_value(ExtendedValue()) is None
    holed = ExtendedValue()
    holed.list_value.values.add()
    assert unpack_value(holed) == [None]


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (datetime(2026, 1, 1), ValueError, "time zone"),
        ([2**53 + 1], ValueError, "too big"),
        ({1: "a"}, TypeError, "type int"),
        ({"a": [object()]}, TypeError, "type object"),
        ([np.arange(3)], TypeError, "type ndarray"),
        (b"bytes", TypeError, "type bytes"),
        (2**2000, TypeError, "Python objects"),
        ("\ud800", ValueError, "utf-8|UTF-8"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_that_cannot_be_kept(value, error, words):
    with pytest.raises(error, match=words):
        pack_value(value)


@pytest.mark.parametrize("kind", ["timestamp_value", "duration_value"])
def test_times_that_python_has_not(kind):
    message = ExtendedValue()
    getattr(message, kind).seconds = 2**62
    with pytest.raises(ValueError, match="a time that Python has not"):
        unpack_value(message)


def described():
    return make_meta(
        variables={
            "slope": (float, ()),
            "effect": ("float32", (3,), "group"),
            "word": (str, (2,), None),
            "path": (np.dtype("i4"), (-1, 2), ("time", None)),
            "tree": ([("x", ">f8"), ("n", "U3")], None),
        },
        sample_stats={"tune": (bool, ())},
        coords={"group": ["a", "b", "c"]},
        constant_data={"x": (np.arange(3), "group")},
        observed_data={"y": ([1.5, 2.5], None)},
        attributes={"model": "line", "made": datetime(2026, 1, 1, tzinfo=UTC)},
        deterministics=["effect"],
        rid="one",
    )


def test_a_run_is_described():
    made = through_the_wire(described())
    assert [
        (v.name, v.dtype, list(v.shape), list(v.dims), v.is_deterministic, v.undefined_ndim)
        for v in (*made.variables, *made.sample_stats)
    ] == [
        ("slope", "float64", [], [], False, False),
        ("effect", "float32", [3], ["group"], True, False),
        ("word", "str", [2], [], False, False),
        ("path", "int32", [-1, 2], ["time", ""], False, False),
        ("tree", "[('x', '>f8'), ('n', '<U3')]", [], [], False, True),
        ("tune", "bool", [], [], False, False),
    ]
    assert made.rid == "one"
    assert [unpack_array(c.values).tolist() for c in made.coordinates] == [["a", "b", "c"]]
    assert [(d.name, list(d.dims), d.is_observed) for d in made.data] == [
        ("x", ["group"], False),
        ("y", [], True),
    ]
    assert {name: unpack_value(value) for name, value in made.attributes.items()} == {
        "model": "line",
        "made": datetime(2026, 1, 1, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        ({"variables": {"a": (float, (2, 3), ("x",))}}, ValueError, "'a' has 2 dimensions"),
        ({"variables": {"a": (object, ())}}, TypeError, "Python objects"),
        ({"variables": {"a": (float, ())}, "deterministics": "b"}, ValueError, "'b'.*'a'"),
        ({"variables": {}, "observed_data": {"y": ([1], ("x", "z"))}}, ValueError, "'y' has 1 dim"),
        ({"variables": {"a": (float, 2.5)}}, TypeError, "float"),
    ],
)
def test_a_run_that_cannot_be(words, error, match):
    with pytest.raises(error, match=match):
        make_meta(**words)


def test_messages_are_copied_and_pickled():
    made = described()
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert pickle.loads(pickle.dumps(made.variables[0])) == made.variables[0]
    assert type(made.variables[0]) is Variable


def test_messages_of_another_library_are_in_nobodys_way():
    program = """if True:
        from google.protobuf import descriptor_pb2, descriptor_pool
        theirs = descriptor_pb2.FileDescriptorProto(name="meta.proto", package="drawstore.meta")
        theirs.message_type.add(name="RunMeta").field.add(name="other", number=1, type=5, label=1)
        descriptor_pool.Default().AddSerializedFile(theirs.SerializeToString())
        from drawstore import RunMeta
        print(RunMeta(rid="ours").rid)
        print(*descriptor_pool.Default().FindMessageTypeByName("drawstore.meta.RunMeta").fields_by_name)
        """
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["ours", "other"]


def test_what_is_no_message():
    with pytest.raises(DecodeError):
        RunMeta.FromString(b"\x0a\x05ab")


def test_fields_that_are_not_known_are_kept():
    newer = described().SerializeToString() + b"\xfa\x3e\x03new"  # field 1007
    assert b"new" in RunMeta.FromString(newer).SerializeToString()
