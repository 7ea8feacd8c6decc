"""A run to fill an HDF5 file with, and to find in it again."""

import h5py
import numpy as np

from drawstore import HDF5Backend, make_meta

META = make_meta(
    {"x": (np.float64, (2,)), "r": (np.int32, (-1,)), "t": ("str", ())},
    {"s": (np.int64, ())},
    rid="ours",
)


def fill(chain, first, n):
    for i in range(first, first + n):
        chain.append(
            {"x": [i, -i], "r": np.full(i % 4, i, np.int32), "t": f"{i}"},
            {"s": i} if i % 2 else None,
        )


def check(chain, n):
    """Check the first n draws that `fill` made."""
    rows = np.arange(n)
    np.testing.assert_array_equal(
        chain.get_draws("x", slice(n)), np.stack([rows, -rows], axis=1).astype(float)
    )
    assert chain.get_draws("t", slice(n)).tolist() == [f"{i}" for i in rows]
    assert [r.tolist() for r in chain.get_draws("r", slice(n))] == [[i] * (i % 4) for i in rows]
    masked = np.ma.getmaskarray(chain.get_stats("s", slice(n)))
    assert masked.tolist() == [i % 2 == 0 for i in rows]


def stored(path, number=0, rid="ours"):
    """A chain as another process sees it."""
    return HDF5Backend(path, mode="r").get_run(rid).get_chains()[number]


def draws_in(path, name="drawstore/ours/chains/0"):
    with h5py.File(path) as file:
        return int(file[name].attrs["draws"])
