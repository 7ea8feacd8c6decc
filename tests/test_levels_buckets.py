"""The buckets of which levels are made, held against naive ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drawstore import _core
from drawstore.levels.level import Extremes, Means
from naive_levels import naive

DTYPES = [
    "?",
    "i1",
    "i2",
    "<i4",
    ">i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "<f4",
    ">f8",
    "f8",
    "g",
]


@given(st.data(), st.sampled_from(DTYPES), st.integers(1, 40), st.sampled_from([1, 2, -1, -3]))
def test_extremes_are_those_of_their_definition(data, dtype, bucket, step):
    kind = np.dtype(dtype)
    made = kind if kind.char != "g" else np.dtype("f8")
    values = data.draw(arrays.arrays(made, st.integers(0, 300))).astype(kind)[::step]
    np.testing.assert_array_equal(_core.extremes(values, bucket), naive(values, bucket))


def test_extremes_of_what_is_no_series_of_real_numbers():
    for dtype in ("c16", "S3", "M8[s]", "O", [("a", "f8")]):
        with pytest.raises(TypeError, match="real numbers"):
            _core.extremes(np.zeros(3, dtype), 2)
    with pytest.raises(ValueError, match="one series"):
        _core.extremes(np.zeros((3, 2)), 2)
    for bucket in (0, -1):
        with pytest.raises(ValueError, match="at least one value"):
            _core.extremes(np.zeros(3), bucket)
    assert _core.extremes(np.zeros(0), 2**62).shape == (0, 2)
    unaligned = np.zeros(17, "u1")[1:].view("f8")
    assert _core.extremes(unaligned, 2**62).tolist() == [[0, 0]]


@given(
    arrays.arrays("f8", st.integers(1, 200), elements=st.floats(-5, 5) | st.just(np.nan)),
    st.lists(st.integers(0, 60), max_size=8),
    st.integers(0, 3),
)
def test_a_level_that_grows_is_that_of_all(values, cuts, n_coarser):
    extremes, means = Extremes(3), Means(3)
    for part in np.split(values, np.minimum(np.cumsum(cuts), len(values)).astype(int)):
        extremes.append(part)
        means.append(part)
    for level in (extremes, means):
        for _ in range(n_coarser):
            level.coarsen()
        assert (level.n_draws, level.bucket) == (len(values), 3 * 2**n_coarser)
        assert level.n_buckets == -(-len(values) // level.bucket)
    found = extremes.pairs(0, extremes.n_buckets, 2)
    np.testing.assert_array_equal(found, naive(values, 2 * extremes.bucket))
    sums = means.pairs(0, means.n_buckets, 1)
    for i, (total, count) in enumerate(sums):
        part = values[i * means.bucket : (i + 1) * means.bucket]
        assert count == np.count_nonzero(~np.isnan(part))
        assert total == pytest.approx(np.nansum(part), abs=1e-9)


def test_a_long_series_has_a_bounded_number_of_buckets():
    level = Extremes()
    values = np.random.default_rng(1).normal(size=2**20)
    for _ in range(5):
        level.append(values)
    assert level.n_draws == 5 * 2**20
    assert level.n_buckets <= 2**18
    assert level.nbytes < 2**23
    np.testing.assert_array_equal(
        level.pairs(0, 7, 1), naive(values[: 7 * level.bucket], level.bucket)
    )
