"""Journals for tests: their rows carry their numbers."""

import numpy as np

X = ("x", "float64", [3], [], False, False)
N = ("n", "int64", [], [], False, False)
TEXT = ("text", "str", [], [], False, False)
STAT = ("stat", "float32", [], [], False, False)
META = ("run", [N, X], [STAT], b"")
RAGGED_META = ("run", [N, TEXT, X], [STAT], b"")
ID = bytes(range(16))


def draw_of(row, meta=META):
    """Make the draw of that number."""
    draw = {"n": row, "x": np.arange(3.0) + row}
    if meta is RAGGED_META:
        draw["text"] = text_of(row)
    return draw


def text_of(row):
    """Make a text whose length differs between rows."""
    return f"{row}:" + "ä" * (row * 7 % 40)


def append_rows(chain, start, stop, meta=META):
    """Append rows one by one; every third lacks its stat."""
    for row in range(start, stop):
        chain.append(draw_of(row, meta), {"stat": row} if row % 3 else {})


def check_rows(chain, start, stop, meta=META, first=0):
    """Check rows of a chain whose row 0 has the number ``first``."""
    rows = slice(start - first, stop - first)
    numbers = np.arange(start, stop)
    np.testing.assert_array_equal(chain.get_draws("n", rows), numbers)
    np.testing.assert_array_equal(chain.get_draws("x", rows), numbers[:, None] + np.arange(3.0))
    stats = chain.get_stats("stat", rows)
    np.testing.assert_array_equal(np.ma.getmaskarray(stats), numbers % 3 == 0)
    np.testing.assert_array_equal(stats[numbers % 3 != 0], numbers[numbers % 3 != 0])
    if meta is RAGGED_META:
        assert list(chain.get_draws("text", rows)) == [text_of(row) for row in numbers]
