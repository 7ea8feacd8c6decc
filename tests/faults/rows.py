"""Rows that carry their number in every value, so that one of another place is seen."""

import numpy as np

from drawstore import make_meta

RID = "run"


def meta(width):
    """Describe a run; ``width`` is the number of float64 in its widest variable."""
    return make_meta(
        {
            "i": ("int64", ()),
            "x": ("float64", (width,)),
            "r": ("int32", (-1,)),
            "t": ("str", ()),
        },
        {"s": ("int64", ())},
        rid=RID,
    )


def draw(i, width):
    values = np.arange(width, dtype=float)
    values += i
    return {"i": i, "x": values, "r": np.full(i % 4, i, np.int32), "t": f"row {i}"}


def stats(i):
    return {"s": i} if i % 2 else None


def append(chain, i, width):
    chain.append(draw(i, width), stats(i))


def extend(chain, i, n, width):
    """Append n rows at once."""
    numbers = np.arange(i, i + n)
    ragged = np.empty(n, object)
    ragged[:] = [np.full(k % 4, k, np.int32) for k in numbers]
    chain.extend(
        {
            "i": numbers,
            "x": numbers[:, None] + np.arange(float(width)),
            "r": ragged,
            "t": np.array([f"row {k}" for k in numbers]),
        },
        {"s": np.ma.MaskedArray(numbers, numbers % 2 == 0)},
    )


def check(chain, width, first=0):
    """Every row from ``first`` on is whole and in its place; returns how many rows there are."""
    n = len(chain)
    some = slice(first, n)
    numbers = np.arange(first, n)
    np.testing.assert_array_equal(chain.get_draws("i", some), numbers)
    expected = numbers[:, None] + np.arange(float(width))
    np.testing.assert_array_equal(chain.get_draws("x", some), expected)
    assert chain.get_draws("t", some).tolist() == [f"row {i}" for i in numbers]
    found = [r.tolist() for r in chain.get_draws("r", some)]
    assert found == [[i] * (i % 4) for i in numbers]
    found = np.ma.MaskedArray(chain.get_stats("s", some)).tolist()
    assert found == [int(i) if i % 2 else None for i in numbers]
    return n
