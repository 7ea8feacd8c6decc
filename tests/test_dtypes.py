"""Dtypes as text, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from drawstore.dtypes import dtype_text, parse_dtype

PLAIN = (
    npst.scalar_dtypes()
    | npst.byte_string_dtypes(endianness="?")
    | npst.unicode_string_dtypes()
    | npst.datetime64_dtypes()
    | npst.timedelta64_dtypes()
)
ANY = npst.nested_dtypes(PLAIN).filter(lambda dtype: dtype.subdtype is None)


@given(ANY)
def test_every_dtype_comes_back(dtype):
    assert parse_dtype(dtype_text(dtype)) == dtype


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype(">f8"),
        np.dtype("longdouble"),
        np.dtype("V7"),
        np.dtype([]),
        np.dtype("datetime64"),
        np.dtype([("a", "i1"), ("b", "f8")], align=True),
        np.dtype({"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 16}),
        np.dtype([(("a title", "a"), "f8"), ("é\n'", "U3", (2,))]),
        np.dtype((np.record, [("a", "f8"), (("title", "b"), (np.record, [("c", "i2")]))])),
        np.dtype([("a", (np.record, [("c", "i2")]), (2, 2))]),
    ],
    ids=str,
)
def test_unusual_dtypes_come_back(dtype):
    back = parse_dtype(dtype_text(dtype))
    assert back == dtype
    assert back.itemsize == dtype.itemsize


def test_other_names_that_numpy_knows():
    assert parse_dtype("int") == np.dtype(int)
    assert dtype_text("f4") == "float32"


@pytest.mark.parametrize("dtype", [object, [("a", "f8"), ("b", object)], "O"])
def test_python_objects_have_no_text(dtype):
    with pytest.raises(TypeError, match="Python objects"):
        dtype_text(dtype)


@pytest.mark.parametrize("text", ["object", "[('a', '<f8'), ('b', 'O')]", "|O"])
def test_text_of_python_objects_is_refused(text):
    with pytest.raises(TypeError, match="Python objects"):
        parse_dtype(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "str",
        "bytes",
        "<U",
        "S0",
        "<U0",
        "float65",
        "(3,)f8",
        "('<f8', (3,))",
        "[('a', '<f8')",
        "[('a', __import__('os').system('true'))]",
        "{'names': ['a', 'b'], 'formats': ['f8']}",
        "{'names': ['a', 'b'], 'formats': ['i4', 'i4'], 'offsets': [0, 8], 'itemsize': 4}",
        "[" * 1000 + "]" * 1000,
        "V99999999999999999999",
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="dtype"):
        parse_dtype(text)


@pytest.mark.filterwarnings("ignore:Data type alias")
@given(st.text("[](){}',:<>=|fiuOUSVMm0123456789 ab"))
def test_no_text_gives_another_error(text):
    try:
        dtype = parse_dtype(text)
    except (TypeError, ValueError):
        return
    assert not dtype.hasobject
