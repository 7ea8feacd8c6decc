"""Whatever stands in a file of Stan: its numbers as Python reads them, or one clear error."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drawstore
from drawstore._core import StanCsv
from drawstore.backends.stan_csv import StanCSV

_HEAD = b"""\
# stan_version_major = 2
# stan_version_minor = 36
# stan_version_patch = 0
# model = m
# method = sample (Default)
#   sample
#     save_warmup = 0
lp__,treedepth__,divergent__,a,b.1,b.2
"""
_ROWS = [b"%d,%d,%d,%.8g,%.18g,-1e-05\n" % (-i, i, i % 2, i / 7, i / 3) for i in range(6)]
_WHOLE = _HEAD + b"# Adaptation terminated\n# Step size = 0.5\n" + b"".join(_ROWS) + b"#\n# end\n"


def numbers(path, columns):
    """All numbers of a file, a row a row."""
    file = StanCsv(str(path))
    n = file.refresh()
    into = np.full(n * columns, 7.0)
    places = np.arange(columns), np.full(columns, columns)
    file.read(0, n, 1, *places, into)
    return into.reshape(n, columns)


def same(one, other):
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or struct.pack("d", one) == struct.pack("d", other)


_texts = st.one_of(
    st.floats().map(repr),
    st.floats().map(lambda x: f"{x:.8g}"),
    st.floats().map(lambda x: f"{x:.18g}"),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: f"{x:+.30e}"),
    st.from_regex(
        r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})([eE][+-]?[0-9]{1,4})?", fullmatch=True
    ),
    st.sampled_from(
        ["nan", "NaN", "-nan", "inf", "+inf", "-inf", "Inf", "-Infinity", "1e400", "-1e-400"]
    ),
)


@settings(deadline=None)
@given(st.lists(_texts, min_size=1, max_size=30), st.integers(1, 5))
def test_numbers_are_those_of_python(tmp_path_factory, texts, columns):
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    texts = texts[: len(texts) // columns * columns]
    rows = [texts[i : i + columns] for i in range(0, len(texts), columns)]
    lines = [",".join(f"x.{i}" for i in range(columns)), *map(",".join, rows)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    read = numbers(path, columns)
    assert read.shape == (len(rows), columns)
    for one, text in zip(read.ravel(), texts, strict=True):
        assert same(one, float(text)), text


def whole_run(path):
    run = StanCSV([path]).get_run("damaged")
    (chain,) = run.get_chains()
    values = [chain.get_draws(name) for name in run.variables]
    return values + [chain.get_stats(name) for name in run.sample_stats]


def plainly(path):
    """The numbers of a file that has no fault."""
    lines = path.read_bytes().split(b"\n")[:-1]
    _, *rows = (line for line in lines if line.rstrip(b"\r") and not line.startswith(b"#"))
    return [float(cell) for row in rows for cell in row.split(b",")]


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, len(_WHOLE)),
    length=st.integers(0, 40),
    instead=st.binary(max_size=30)
    | st.sampled_from([b"\n", b"#", b",", b"\0", b"\r\n", _HEAD, _WHOLE]),
)
def test_damage_is_a_clear_error_or_the_right_data(tmp_path_factory, at, length, instead):
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_bytes(_WHOLE[:at] + instead + _WHOLE[at + length :])
    try:
        values = whole_run(path)
    except ValueError as error:
        message = str(error)
    else:
        read = [x for value in values for x in value.ravel().tolist()]
        np.testing.assert_array_equal(np.sort(read), np.sort(plainly(path)))
        return
    assert str(path) in message


@settings(deadline=None)
@given(st.integers(0, len(_WHOLE)))
def test_a_file_that_was_cut_off_has_its_whole_rows(tmp_path_factory, end):
    path = tmp_path_factory.getbasetemp() / "cut.csv"
    path.write_bytes(_WHOLE[:end])
    if end < len(_HEAD):
        with pytest.raises(ValueError, match=r"cut\.csv has no header row"):
            StanCsv(str(path))
        return
    n = sum(line.endswith(b"\n") for line in _WHOLE[:end].splitlines(True) if line in _ROWS)
    read = numbers(path, 6)
    assert read[:, 3].tolist() == [float(b"%.8g" % (i / 7)) for i in range(n)]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (b"0,1.5,0,1,2,3\n", "treedepth__ is an integer, but 1.5 in draw 6"),
        (b"0,nan,0,1,2,3\n", "treedepth__ is an integer, but nan in draw 6"),
        (b"0,1e30,0,1,2,3\n", "treedepth__ is an integer, but 1e\\+30 in draw 6"),
        (b"0,1,2,1,2,3\n", "divergent__ is 0 or 1, but 2 in draw 6"),
        (b"0,1,0,1,2\n", "line 19 has 5 cells, and the header 6"),
        (b"0,1,0,one,2,3\n", r"line 19, column 4 \('a'\): 'one' is no number"),
    ],
)
def test_errors_name_file_and_place(tmp_path, row, error):
    path = tmp_path / "damaged.csv"
    path.write_bytes(_WHOLE + row)
    with pytest.raises(ValueError, match=rf"damaged\.csv: {error}"):
        whole_run(path)


def test_two_files_in_one_are_told_apart(tmp_path):
    path = tmp_path / "damaged.csv"
    path.write_bytes(_WHOLE + _WHOLE)
    with pytest.raises(ValueError, match="line 26 is a second header row"):
        whole_run(path)


@pytest.mark.parametrize(
    ("header", "error"),
    [(b"a,a", "two columns are named 'a'"), (b"a,,b", "column 2 has no name")],
)
def test_headers_without_names_are_refused(tmp_path, header, error):
    path = tmp_path / "damaged.csv"
    path.write_bytes(header + b"\n1,2,3\n")
    with pytest.raises(ValueError, match=rf"header row of .*damaged\.csv: {error}"):
        whole_run(path)


def test_settings_may_be_anything(tmp_path):
    path = tmp_path / "odd.csv"
    odd = {"huge": "9" * 400, "large": str(2**60), "not": "nan", "none": "", "sum": "a = b"}
    lines = "".join(f"# {name} = {value}\n" for name, value in odd.items())
    path.write_bytes(_WHOLE.replace(b"# model = m\n", lines.encode()))
    attributes = drawstore.open(path).get_run("odd").attributes
    assert attributes["huge"] == np.inf
    assert attributes["large"] == 2.0**60
    assert np.isnan(attributes["not"])
    assert attributes["none"] == ""
    assert attributes["sum"] == "a = b"


def test_comments_may_be_of_any_encoding(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes(_WHOLE.replace(b"= m\n", b"= m\xfcller\n"))
    assert drawstore.open(path).get_run("latin").attributes["model"] == "m\\xfcller"


def test_the_core_minds_its_arguments(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(_WHOLE)
    file = StanCsv(str(path))
    offsets, strides = np.arange(6), np.full(6, 6)
    for args in (
        (0, 7, 1, offsets, strides, np.empty(42)),
        (0, 6, 1, offsets, strides, np.empty(35)),
        (0, 6, 1, offsets[:5], strides, np.empty(36)),
        (0, 6, 1, offsets[:5], strides[:5], np.empty(36)),
        (0, 6, 1, offsets, strides, np.empty((6, 6))),
        (0, 6, 1, offsets, strides, np.empty(72)[::2]),
        (0, 6, 1, offsets, -strides, np.empty(36)),
        (0, 6, 0, offsets, strides, np.empty(36)),
    ):
        with pytest.raises(ValueError, match=r"."):
            file.read(*args)
    locked = np.empty(36)
    locked.flags.writeable = False
    with pytest.raises(ValueError, match="not writeable"):
        file.read(0, 6, 1, offsets, strides, locked)
    with pytest.raises(TypeError):
        file.read(0, 6, 1, offsets, strides, np.empty(36, np.float32))
    with pytest.raises(OSError, match=r"nothing\.csv"):
        StanCsv(str(tmp_path / "nothing.csv"))
    with pytest.raises(OSError, match=r"."):
        StanCsv(str(tmp_path))
