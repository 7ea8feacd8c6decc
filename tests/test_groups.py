"""Groups as npz files: every value comes back, and nothing is unpickled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drawstore import Group
from drawstore.groups import from_npz, to_npz_bytes, write_npz

STRUCTURE = np.dtype([("a", "i4"), ("b", "f8", (2,))])
TEXT = np.array([["", "a\0", "\0"], ["é😀", "\ud800", "a/b"]], dtype=object)


def assert_same(group: Group, other: Group) -> None:
    assert list(other.values) == list(group.values)
    assert list(other.coords) == list(group.coords)
    assert other.dims == group.dims
    for arrays, others in ((group.values, other.values), (group.coords, other.coords)):
        for name, array in arrays.items():
            assert others[name].dtype == array.dtype
            assert others[name].shape == array.shape
            if array.dtype == object:
                assert others[name].tolist() == array.tolist()
            else:
                assert others[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "dtype",
    [*"?bBhHiIqQefdgFDG", ">f8", ">i2", "M8[ns]", "m8[s]", "S3", "U4", "V5", STRUCTURE],
)
def test_every_dtype_comes_back(dtype):
    rng = np.random.default_rng(1)
    size = np.dtype(dtype).itemsize
    if np.dtype(dtype).kind == "U":
        array = np.array([["a", "bcd", "é"]], dtype)
    elif np.dtype(dtype).kind == "b":
        array = np.array([[True, False, True]])
    else:
        array = np.frombuffer(rng.bytes(6 * size), dtype).reshape(2, 3)
    group = Group({"x": array, "0-d": array[:1, :1].reshape(())}, {"x": ("a", "b"), "0-d": ()})
    assert_same(group, from_npz(to_npz_bytes(group)))


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(object, hnp.array_shapes(min_dims=0, min_side=0, max_side=4), elements=st.text()),
    st.text(),
)
def test_text_of_any_shape_under_any_name(array, name):
    dims = tuple(str(axis) for axis in range(array.ndim))
    group = Group({name: array}, {name: dims})
    assert_same(group, from_npz(to_npz_bytes(group)))


def test_text_dims_coords_and_attributes(tmp_path):
    attrs = {"library": "é", "n": np.int64(3), "list": np.arange(2.0), "none": None, "x": {"y": 1}}
    group = Group(
        {"text": TEXT, "index": np.arange(3)},
        {"text": ("chain", "draw"), "index": ("draw",)},
        {"chain": np.array(["a", "b"]), "draw": np.arange(3)},
        attrs,
    )
    path = tmp_path / "log likelihood.npz"
    write_npz(group, path)
    back = from_npz(path)
    assert_same(group, back)
    assert back.attrs == {**attrs, "n": 3, "list": [0.0, 1.0]}
    assert path.read_bytes() == to_npz_bytes(group)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_objects_are_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "group.npz"
    good = Group({"x": np.arange(3)}, {"x": ("draw",)})
    write_npz(good, path)
    for bad in (np.array([1, "a"], dtype=object), np.zeros(2, [("o", object)])):
        with pytest.raises(TypeError, match="'x' holds Python objects"):
            write_npz(Group({"x": bad}, {"x": ("draw",)}), path)
    with pytest.raises(TypeError, match="an attribute is a set"):
        write_npz(Group({}, {}, {}, {"a": {1}}), path)
    assert_same(good, from_npz(path))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_damaged_and_foreign_files_say_so(tmp_path):
    data = to_npz_bytes(Group({"x": np.arange(300)}, {"x": ("draw",)}))
    for bad in (b"", data[:100], data[:-30], data.replace(b"draw", b"\xff\xff\xff\xff")):
        with pytest.raises(ValueError, match="no group that drawstore can read"):
            from_npz(bad)
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="no group"):
        from_npz(bytes(flipped))
    np.savez(tmp_path / "foreign.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"foreign.npz holds no group"):
        from_npz(tmp_path / "foreign.npz")
    with pytest.raises(FileNotFoundError):
        from_npz(tmp_path / "none.npz")
