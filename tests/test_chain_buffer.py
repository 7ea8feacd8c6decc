"""The chain buffer: dtypes, views, errors, and threads."""

import gc
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from drawstore._core import ChainBuffer, StepRecorder

STRUCTURED = np.dtype([("a", "f4"), ("b", "i8", (2,)), ("c", "S3")])
DTYPES = [
    "bool",
    "int8",
    "uint16",
    "int32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "longdouble",
    "complex64",
    "complex128",
    "clongdouble",
    ">f8",
    "<U5",
    "S7",
    "V3",
    "datetime64[ms]",
    "timedelta64[s]",
    STRUCTURED,
    np.dtype([("x", "f8"), ("y", "u1")], align=True),
]


def values_of(dtype, shape):
    """Make values of any dtype: random bytes where every pattern of bits is a value."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(7)
    if dtype.kind in "USV" and dtype.names is None:
        return rng.integers(0, 99999, shape).astype("U5").astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.names is not None:
        out = np.zeros(shape, dtype)
        for name in dtype.names:
            out[name] = values_of(dtype[name].base, (*shape, *dtype[name].shape))
        return out
    return (rng.standard_normal(shape) * 100).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (4, 5)], ids=str)
def test_dtypes_come_back_exactly_through_growth(dtype, shape):
    buffer = ChainBuffer([("x", dtype, shape)])
    draws = values_of(dtype, (50, *shape))
    for draw in draws[:10]:
        buffer.append({"x": draw})
    buffer.extend({"x": draws[10:]})
    found = buffer.get_draws("x")
    assert found.dtype == np.dtype(dtype)
    assert found.shape == draws.shape
    np.testing.assert_array_equal(found, draws)
    assert buffer.variables == [("x", np.dtype(dtype), shape)]


def test_a_subarray_dtype_adds_to_the_shape():
    buffer = ChainBuffer([("x", np.dtype(("f4", (2, 3))), (5,))])
    buffer.append({"x": np.ones((5, 2, 3), "f4")})
    assert buffer.get_draws("x").shape == (1, 5, 2, 3)


@pytest.mark.parametrize(
    "dtype", [object, [("a", "f8"), ("b", object)], np.dtypes.StringDType()], ids=str
)
def test_python_objects_are_refused(dtype):
    with pytest.raises(TypeError, match=r"'x'.*Python objects"):
        ChainBuffer([("x", dtype, ())])


def test_declarations_are_checked():
    with pytest.raises(ValueError, match="two variables have the name 'x'"):
        ChainBuffer([("x", "f8", ()), ("x", "f4", ())])
    with pytest.raises(ValueError, match="needs a name"):
        ChainBuffer([("", "f8", ())])
    with pytest.raises(ValueError, match="negative"):
        ChainBuffer([("x", "f8", (-1,))])
    with pytest.raises(ValueError, match="larger than the address space"):
        ChainBuffer([("x", "f8", (2**40, 2**40))])
    with pytest.raises(ValueError, match="at least one row"):
        ChainBuffer([("x", "f8", ())], segment_rows=0)
    with pytest.raises(ValueError, match="more dimensions"):
        ChainBuffer([("x", "f8", (1,) * 100)])


@pytest.mark.parametrize("kind", [ChainBuffer, StepRecorder])
def test_no_object_exists_that_was_not_constructed(kind):
    with pytest.raises(TypeError, match="__init__"):
        kind.__new__(kind)
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Derived", (kind,), {})
    with pytest.raises(TypeError, match=r"needs a ChainBuffer or a Chain, got .*int"):
        StepRecorder(5, None)


def test_constructing_twice_changes_nothing(buffer):
    buffer.__init__([("other", "f8", ())])
    assert buffer.variables[0][0] == "x"


@pytest.fixture
def buffer():
    buffer = ChainBuffer([("x", "f4", (3,)), ("n", "i8", ())])
    buffer.append({"x": [1, 2, 3], "n": 7})
    return buffer


REJECTED = [
    ({"x": np.zeros(3)}, ValueError, r"no value for 'n' \(int64, shape \(\)\)"),
    ({"x": np.zeros(4), "n": 1}, ValueError, r"expected 'x' \(float32, shape \(3,\)\).*\(4,\)"),
    ({"x": np.zeros((1, 3)), "n": 1}, ValueError, r"got shape \(1, 3\)"),
    ({"x": 1.0, "n": 1}, ValueError, r"got shape \(\)"),
    ({"x": np.zeros(3, complex), "n": 1}, TypeError, "dtype complex128.*'x'.*convert it first"),
    ({"x": np.zeros(3), "n": 1.5}, TypeError, r"dtype float64, shape \(\) in 'n'"),
    ({"x": np.zeros(3), "n": "a"}, TypeError, "'n'"),
    ({"x": [None, 1, 2], "n": 1}, TypeError, "dtype object"),
    ({"x": [[1], [2, 3]], "n": 1}, ValueError, "inhomogeneous"),
    ({"x": np.zeros(3), "n": 1, "y": 2}, KeyError, "no variable 'y'; there are 'x', 'n'"),
]


@pytest.mark.parametrize(("draw", "error", "match"), REJECTED)
def test_a_rejected_append_leaves_everything_as_it_was(buffer, draw, error, match):
    before = buffer.get_draws("x").tobytes()
    with pytest.raises(error, match=match):
        buffer.append(draw)
    assert len(buffer) == 1
    assert buffer.get_draws("x").tobytes() == before
    buffer.append({"x": [4, 5, 6], "n": 8})
    assert buffer.get_draws("n").tolist() == [7, 8]


@pytest.mark.parametrize(
    ("draws", "error"),
    [
        ({"x": np.zeros((2, 3)), "n": np.zeros(3, int)}, ValueError),
        ({"x": np.zeros((2, 3)), "n": np.zeros(2)}, TypeError),
        ({"x": np.zeros(3), "n": np.zeros(3, int)}, ValueError),
        ({"n": np.zeros(3, int)}, ValueError),
        ({"x": 5, "n": 6}, TypeError),
    ],
)
def test_extend_takes_all_rows_or_none(buffer, draws, error):
    with pytest.raises(error):
        buffer.extend(draws)
    assert len(buffer) == 1
    buffer.extend({"x": np.zeros((0, 3)), "n": np.zeros(0, int)})
    assert len(buffer) == 1


@pytest.mark.parametrize("draw", [None, 5, [("x", 1)], np.zeros(3)])
def test_what_is_not_a_dict_is_a_type_error(buffer, draw):
    with pytest.raises(TypeError):
        buffer.append(draw)
    with pytest.raises(TypeError):
        buffer.extend(draw)


def test_same_kind_values_are_converted(buffer):
    buffer.append({"x": np.array([0.1, np.nan, -np.inf]), "n": np.int8(-3)})
    assert buffer.get_draws("n")[-1] == -3
    expected = np.array([0.1, np.nan, -np.inf], "f4")
    np.testing.assert_array_equal(buffer.get_draws("x")[-1], expected)


def test_strings_that_do_not_fit_are_refused_not_cut():
    buffer = ChainBuffer([("s", "U3", ())])
    buffer.append({"s": "abc"})
    with pytest.raises(TypeError, match="without loss"):
        buffer.append({"s": "abcd"})
    assert buffer.get_draws("s").tolist() == ["abc"]


def test_views_are_read_only_and_share_memory(buffer):
    view = buffer.get_draws("x")
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        view.flags.writeable = True
    for slc in (slice(None, None, 2), slice(None, None, -1), slice(5), slice(-1, None)):
        assert np.shares_memory(buffer.get_draws("x", slc), view)


def test_views_outlive_growth_reset_and_the_buffer():
    buffer = ChainBuffer([("x", "f8", (100,))])
    buffer.extend({"x": np.full((10, 100), 1.0)})
    views = [buffer.get_draws("x"), buffer.get_room("x")]
    for value in (2.0, 3.0, 4.0):
        buffer.extend({"x": np.full((20_000, 100), value)})
        views.append(buffer.get_draws("x", slice(-20_000, None)))
        buffer.reset()
    buffer.extend({"x": np.full((20_000, 100), 5.0)})
    views.append(buffer.get_draws("x"))
    del buffer
    gc.collect()
    other = ChainBuffer([("x", "f8", (100,))])
    other.extend({"x": np.full((50_000, 100), 6.0)})  # may take memory that is free again
    assert [float(view.min()) for view in views] == [1, 1, 2, 3, 4, 5]
    assert [float(view.max()) for view in views] == [1, 1, 2, 3, 4, 5]


def test_large_buffers_do_not_move_when_they_grow():
    buffer = ChainBuffer([("x", "f8", (1000,)), ("y", "f8", (1000,))])
    rows = {"x": np.zeros((1000, 1000)), "y": np.ones((1000, 1000))}
    buffer.extend(rows)
    first = buffer.get_draws("y").ctypes.data
    for _ in range(5):
        buffer.extend(rows)
    assert buffer.get_draws("y").ctypes.data == first


def test_announced_room_can_be_filled_in_place():
    buffer = ChainBuffer([("x", "f8", (2,))])
    buffer.announce(5)
    room = buffer.get_room("x")
    assert room.shape == (5, 2)
    room[:3] = [[1, 2], [3, 4], [5, 6]]
    buffer.commit_room(3)
    assert buffer.get_draws("x").tolist() == [[1, 2], [3, 4], [5, 6]]
    buffer.append({"x": [7, 8]})
    assert room[3].tolist() == [7, 8]


@pytest.mark.parametrize("n_rows", [-1, 1.5, "5", None, 2**64])
def test_announce_takes_numbers_of_rows_only(buffer, n_rows):
    with pytest.raises(TypeError):
        buffer.announce(n_rows)
    assert len(buffer) == 1


def test_announcing_what_will_never_fit_harms_nothing(buffer):
    buffer.announce(2**60)
    buffer.append({"x": np.zeros(3), "n": 8})
    assert len(buffer) == 2


def test_a_full_ring_says_so():
    ring = ChainBuffer([("x", "f8", ())], segment_rows=2, max_segments=2)
    ring.extend({"x": np.arange(4.0)})
    with pytest.raises(RuntimeError, match="ring is full"):
        ring.append({"x": 4.0})
    with pytest.raises(RuntimeError, match="a ring has no array"):
        ring.get_room("x")
    ring.confirm(2)
    ring.append({"x": 4.0})
    assert ring.get_draws("x", slice(2, None)).tolist() == [2, 3, 4]
    with pytest.raises(ValueError, match="not held"):
        ring.get_draws("x")
    with pytest.raises(ValueError, match="cannot be confirmed"):
        ring.confirm(100)
    with pytest.raises(RuntimeError, match="only a ring"):
        ChainBuffer([("x", "f8", ())]).confirm(0)


class Appends:
    """An array-like that appends to a buffer while it is being appended to it."""

    def __init__(self, buffer):
        self.buffer = buffer
        self.error = None

    def __array__(self, dtype=None, copy=None):
        try:
            self.buffer.append({"x": 1.0})
        except RuntimeError as error:
            self.error = error
        return np.array(2.0)


def test_appending_from_within_an_append_is_refused():
    buffer = ChainBuffer([("x", "f8", ())])
    value = Appends(buffer)
    buffer.append({"x": value})
    assert "another thread is appending" in str(value.error)
    assert buffer.get_draws("x").tolist() == [2.0]


def test_one_writer_at_a_time_and_readers_see_whole_rows():
    buffer = ChainBuffer([("x", "f8", (64, 1024))])
    block = np.repeat(np.arange(40.0), 64 * 1024).reshape(40, 64, 1024)
    refused, torn = [], []
    stop = threading.Event()

    def write():
        for _ in range(30):
            try:
                buffer.extend({"x": block})
            except RuntimeError as error:
                refused.append(str(error))

    def read():
        while not stop.is_set():
            rows = buffer.get_draws("x", slice(-40, None))
            torn.extend(row for row in rows[:, ::63, ::1023] if row.min() != row.max())

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write) for _ in range(3)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert not torn
    assert all("one writer at a time" in error for error in refused)
    assert len(buffer) == 40 * (90 - len(refused))
    expected = np.tile(np.arange(40.0), len(buffer) // 40)
    np.testing.assert_array_equal(buffer.get_draws("x")[:, 5, 7], expected)


def run(code, prefix=""):
    """Run Python code under a shell prefix, and give what it prints."""
    done = subprocess.run(
        ["bash", "-c", f'{prefix} exec "$0" -c "$1"', sys.executable, textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


GROW = """
    import numpy as np
    from drawstore._core import ChainBuffer, StepRecorder
    buffer = ChainBuffer([("x", "f8", (1000,))])
    view = None
    for value in range(10):
        buffer.extend({"x": np.full((1000, 1000), float(value))})
        view = view if view is not None else buffer.get_draws("x")
    assert view.max() == 0
    assert buffer.get_draws("x")[::1000, 0].tolist() == list(range(10))
    try:
        buffer.extend({"x": np.broadcast_to(np.zeros(1000), (2_000_000, 1000))})
    except MemoryError:
        assert len(buffer) == 10_000
        buffer.append({"x": np.ones(1000)})
        print("refused and alive")
"""


def test_limited_address_space_is_lived_with():
    assert run(GROW, "ulimit -v 1500000;") == "refused and alive"


def test_thousands_of_buffers_do_not_run_into_the_limit_of_mappings():
    code = """
        import numpy as np
        from drawstore._core import ChainBuffer, StepRecorder
        draw = {name: np.zeros(2) for name in "abc"}
        buffers = []
        for i in range(40_000):
            buffers.append(ChainBuffer([(name, "f8", (2,)) for name in "abc"]))
            buffers[-1].append(draw)
        big = [ChainBuffer([("x", "f8", (1000,))]) for _ in range(500)]
        for buffer in big:
            buffer.extend({"x": np.zeros((600, 1000))[:1]})
            buffer.announce(1000)
            buffer.append({"x": np.zeros(1000)})
        with open("/proc/self/maps") as maps:
            print(len(maps.readlines()) < 5000)
    """
    assert run(code) == "True"
