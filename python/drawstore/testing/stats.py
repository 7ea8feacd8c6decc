"""Sampler stats that some draws miss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drawstore.interface import Backend

from .base import ContractBase, assert_same, begin
from .values import made_up

__all__ = ["StatsContract"]

X = {"x": (np.float64, ())}


def is_masked(values: NDArray[Any]) -> list[bool]:
    """Tell which rows are masked; all of a row is, or nothing."""
    mask: NDArray[Any] = np.ma.getmaskarray(values)
    if mask.size == 0:
        return [False] * len(values)
    flat = np.ascontiguousarray(mask).reshape(-1).view(bool)  # of records, each field
    rows = flat.reshape(len(values), -1)
    masked: list[int] = rows.sum(axis=1).tolist()
    assert set(masked) <= {0, rows.shape[1]}
    return [n > 0 for n in masked]


class StatsContract(ContractBase):
    """A stat that a draw leaves out is missing in that row, and changes nothing else."""

    @pytest.mark.parametrize("shape", [(), (2, 3)])
    @pytest.mark.parametrize(
        "dtype", ["bool", "int64", "uint8", "float32", "float64", "longdouble", "U4", "M8[ns]"]
    )
    def test_a_missing_stat_is_masked(
        self, backend: Backend, dtype: str, shape: tuple[int, ...]
    ) -> None:
        chain = begin(backend, X, {"s": (dtype, shape), "t": (np.int64, ())})
        values = made_up(dtype, (9, *shape))
        present = [True, True, False, True, False, False, True, True, True]
        for i, value in enumerate(values):
            chain.append({"x": i}, {"s": value, "t": i} if present[i] else {"t": i})
        for handle in self.stored(backend, chain):
            got = handle.get_stats("s")
            assert isinstance(got, np.ma.MaskedArray)
            assert got.dtype == np.dtype(dtype)
            assert got.shape == (9, *shape)
            assert is_masked(got) == [not one for one in present]
            assert_same(np.asarray(got[present]), values[present])
            if dtype in ("float32", "float64"):
                assert np.isnan(got.data[[2, 4, 5]]).all()
            for slc in (slice(2), slice(6, None), slice(1, None, -1), slice(1, 4, 2), slice(0)):
                plain = handle.get_stats("s", slc)
                assert type(plain) is np.ndarray
                assert_same(plain, values[slc])
            for slc in (slice(None, None, -1), slice(2, 6), slice(8, 1, -3), slice(-4, None)):
                assert is_masked(handle.get_stats("s", slc)) == is_masked(got[slc])
            assert_same(handle.get_stats("t"), np.arange(9))

    def test_a_missing_stat_of_one_draw_is_fully_masked(self, backend: Backend) -> None:
        chain = begin(backend, X, {"a": (np.int32, ()), "b": (np.bool_, (2,)), "t": ("str", ())})
        chain.append({"x": 0}, {"a": 5})
        chain.append({"x": 1}, {"b": [True, False], "t": "here"})
        for handle in self.stored(backend, chain):
            first, second = handle.get_stats_at(0), handle.get_stats_at(-1)
            assert list(first) == ["a", "b", "t"]
            assert first["a"].shape == ()
            assert not np.ma.is_masked(first["a"])
            for name, values, dtype, shape in (
                ("b", first, np.bool_, (2,)),
                ("t", first, np.object_, ()),
                ("a", second, np.int32, ()),
            ):
                assert isinstance(values[name], np.ma.MaskedArray)
                assert values[name].dtype == dtype
                assert values[name].shape == shape
                assert np.ma.getmaskarray(values[name]).all()
            assert second["t"].item() == "here"
            assert_same(np.asarray(second["b"]), np.array([True, False]))

    def test_stats_may_be_left_out_altogether(self, backend: Backend) -> None:
        chain = begin(backend, X, {"s": (np.int64, ()), "t": ("str", (2,))})
        chain.append({"x": 0})
        chain.append({"x": 1}, {})
        chain.append({"x": 2}, None)
        chain.extend({"x": [3, 4]})
        chain.extend({"x": [5, 6]}, {"s": [5, 6]})
        for handle in self.stored(backend, chain):
            assert is_masked(handle.get_stats("s")) == [True] * 5 + [False] * 2
            assert is_masked(handle.get_stats("t")) == [True] * 7
            assert handle.get_stats("s").dtype == np.int64

    @pytest.mark.parametrize("shape", [(), (3,)])
    @pytest.mark.parametrize("dtype", ["bool", "int16", "float64", "M8[s]", "i1,f4", "str"])
    def test_what_is_read_can_be_extended_by(
        self, backend: Backend, dtype: str, shape: tuple[int, ...]
    ) -> None:
        chain = begin(backend, X, {"s": (dtype, shape)})
        values = made_up("U3" if dtype == "str" else dtype, (6, *shape))
        for i, value in enumerate(values):
            chain.append({"x": i}, {"s": value} if i % 3 else {})
        chain.extend({"x": np.arange(6)}, {"s": chain.get_stats("s")})
        for handle in self.stored(backend, chain):
            got = handle.get_stats("s")
            assert is_masked(got) == [i % 3 == 0 for i in range(6)] * 2
            for i in (1, 2, 4, 5):
                np.testing.assert_array_equal(got.data[i], values[i].astype(got.dtype))
                np.testing.assert_array_equal(got.data[6 + i], got.data[i])

    def test_stats_whose_shape_differs_may_be_missing(self, backend: Backend) -> None:
        chain = begin(backend, X, {"r": (np.float64, (-1,)), "t": ("str", (-1,))})
        chain.append({"x": 0}, {"r": [1.0, 2.0]})
        chain.append({"x": 1}, {"t": np.array(["a", "b"], dtype=object)})
        chain.extend({"x": [2, 3]}, {"r": [[], [3.0]]})
        for handle in self.stored(backend, chain):
            got = handle.get_stats("r")
            assert is_masked(got) == [False, True, False, False]
            assert [np.asarray(got.data[i]).tolist() for i in (0, 2, 3)] == [[1.0, 2.0], [], [3.0]]
            assert is_masked(handle.get_stats("t")) == [True, False, True, True]
            assert np.asarray(handle.get_stats("t", slice(1, 2))[0]).tolist() == ["a", "b"]
            assert np.ma.getmaskarray(handle.get_stats_at(1)["r"]).all()

    def test_a_mask_without_masked_rows_is_fine(self, backend: Backend) -> None:
        chain = begin(backend, X, {"s": (np.float64, (2,))})
        chain.extend({"x": [0, 1]}, {"s": np.ma.array([[1.0, 2], [3, 4]], mask=False)})
        chain.append({"x": 2}, {"s": np.ma.array([5.0, 6.0])})
        for handle in self.stored(backend, chain):
            assert_same(handle.get_stats("s"), np.array([[1.0, 2], [3, 4], [5, 6]]))

    def test_many_stats_are_missing_each_in_its_rows(self, backend: Backend) -> None:
        names = [f"s{i}" for i in range(70)]  # more than fit into one word of a bitmap
        chain = begin(backend, X, dict.fromkeys(names, (np.int8, ())))
        present = np.random.default_rng(4).random((50, 70)) < 0.5
        for i, row in enumerate(present):
            chain.append({"x": i}, {name: 1 for name, here in zip(names, row, strict=True) if here})
        for handle in self.stored(backend, chain):
            for column, name in enumerate(names):
                assert is_masked(handle.get_stats(name)) == (~present[:, column]).tolist()
