"""What `Run.summary` says of the draws, against NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drawstore.interface import Backend, Run
from drawstore.meta import make_meta
from drawstore.summary import Summary

from .base import ContractBase, assert_same

__all__ = ["SummariesContract"]

LEVELS = (0.5, 0.0, 1.0, 0.05, 0.29, 0.5)
LENGTHS = {0: 400, 3: 1, 4: 0, 7: 99}
DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", ">i2", ">u8", ">f4", ">f8"),
]


def numbers(dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Make up finite values, of integers over the whole range."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(1)
    if dtype.kind == "f":
        return rng.normal(3, 2, shape).astype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype.newbyteorder("=")).astype(dtype)


def check(summary: Summary, name: str, draws: NDArray[Any]) -> None:
    """Check what is said of a variable."""
    got = summary.variables[name]
    n, shape = len(draws), draws.shape[1:]
    wide = draws.astype(np.longdouble)
    nothing = np.full(shape, np.nan)
    with np.errstate(all="ignore"):
        mean = wide.mean(axis=0) if n else nothing
        sd = wide.std(axis=0, ddof=1) if n > 1 else nothing
    for moment, expected in ((got.mean, mean), (got.sd, sd)):
        assert isinstance(moment, np.ndarray)
        assert moment.dtype == np.float64
        assert moment.shape == shape
        np.testing.assert_allclose(moment, expected.astype(float), rtol=1e-10, atol=1e-300)
    native = draws.dtype.newbyteorder("=")
    assert got.quantiles.dtype == (native if n or native.kind == "f" else np.float64)
    assert got.quantiles.shape == (len(summary.levels), *shape)
    for i in np.ndindex(shape):
        column = draws[(slice(None), *i)]
        in_order = np.sort(column[column == column])
        for level, quantile in zip(summary.levels, got.quantiles[(slice(None), *i)], strict=True):
            place = min(int(level * len(in_order)), len(in_order) - 1)
            np.testing.assert_array_equal(quantile, in_order[place] if place >= 0 else np.nan)


class SummariesContract(ContractBase):
    """Moments and quantiles are those of all draws that count."""

    def summaries(
        self,
        backend: Backend,
        variables: Mapping[str, Any],
        chains: Mapping[int, Mapping[str, Any]],
        levels: Sequence[float] = LEVELS,
    ) -> list[Summary]:
        """Summarize a run of these chains, while it is written and as others see it later."""
        run = backend.init_run(make_meta(variables))
        handles: list[Run] = [run]
        for number, draws in chains.items():
            run.init_chain(number).extend(draws)
        run.flush()
        found = [run.summary(levels)]
        run.close()
        if (reopened := self.reopen(backend)) is not None:
            handles.append(reopened.get_run(run.rid))
        return found + [handle.summary(levels) for handle in handles]

    def test_chains_of_any_length_count_together(self, backend: Backend) -> None:
        shapes: list[tuple[int, ...]] = [(), (2, 3), (0, 2)]
        variables = {f"{dtype} {shape}": (dtype, shape) for dtype in DTYPES for shape in shapes}
        n = sum(LENGTHS.values())
        values = {name: numbers(dtype, (n, *shape)) for name, (dtype, shape) in variables.items()}
        chains, begin = {}, 0
        for number, length in LENGTHS.items():
            chains[number] = {name: v[begin : begin + length] for name, v in values.items()}
            begin += length
        for summary in self.summaries(backend, variables, chains):
            assert summary.chains == LENGTHS
            assert list(summary.chains) == sorted(LENGTHS)
            assert summary.levels == LEVELS
            assert list(summary.variables) == list(variables)
            for name, draws in values.items():
                check(summary, name, draws)

    def test_small_noise_on_a_large_offset_is_seen(self, backend: Backend) -> None:
        noise = np.random.default_rng(1).normal(size=(2, 5000, 2))
        values = 1e9 + noise * [1, 1e-3]
        chains = {number: {"x": draws} for number, draws in enumerate(values)}
        for summary in self.summaries(backend, {"x": (np.float64, (2,))}, chains):
            check(summary, "x", values.reshape(-1, 2))

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_nan_makes_moments_nan_and_is_no_quantile(self, backend: Backend, dtype: str) -> None:
        values = numbers(dtype, (60, 6))
        values[::7, 1] = np.nan
        values[:, 2] = np.nan
        values[5, 3] = np.inf
        values[6:8, 4] = [-np.inf, np.inf]
        values[1:, 5] = np.nan
        chains = {0: {"x": values[:20]}, 1: {"x": values[20:]}}
        for summary in self.summaries(backend, {"x": (dtype, (6,))}, chains):
            check(summary, "x", values)
            assert np.isnan(summary.variables["x"].mean).tolist() == [0, 1, 1, 0, 1, 1]

    @pytest.mark.parametrize("lengths", [{}, {0: 0}, {0: 0, 1: 0}, {2: 1}, {0: 1, 1: 1}], ids=str)
    def test_few_draws_have_no_spread(self, backend: Backend, lengths: dict[int, int]) -> None:
        variables: dict[str, Any] = {
            **{"x": ("float64", ()), "y": ("float32", (2, 2)), "i": ("int16", (3,))},
            **{"b": ("bool", ()), "none": ("float64", (0,))},
        }
        n = sum(lengths.values())
        values = {name: numbers(dtype, (2, *shape)) for name, (dtype, shape) in variables.items()}
        chains = {
            number: {name: v[number % 2 :][:length] for name, v in values.items()}
            for number, length in lengths.items()
        }
        for summary in self.summaries(backend, variables, chains):
            assert summary.chains == lengths
            for name, draws in values.items():
                check(summary, name, draws[:n])

    def test_warmup_does_not_count(self, backend: Backend) -> None:
        marks = {
            "tune": (np.bool_, ()),
            "sampler_0__in_warmup": (np.int8, (2,)),
            "tuned": (np.bool_, ()),
        }
        run = backend.init_run(make_meta({"x": (np.float64, ())}, marks))
        is_warmup = np.arange(20) % 10 < 4
        first = run.init_chain(0)
        first.extend({"x": np.arange(20)}, {"tune": is_warmup, "tuned": np.ones(20, bool)})
        second = run.init_chain(1)
        second.append({"x": 1e6}, {"sampler_0__in_warmup": [0, 1]})
        second.append({"x": 50}, {"sampler_0__in_warmup": [0, 0], "tune": False})
        second.append({"x": 60})
        third = run.init_chain(2)
        third.append({"x": 1e6}, {"tune": True})
        run.flush()
        summary = run.summary(LEVELS)
        assert summary.chains == {0: 12, 1: 2, 2: 0}
        check(summary, "x", np.array([*np.arange(20.0)[~is_warmup], 50, 60]))

    def test_what_has_no_moments_is_left_out(self, backend: Backend) -> None:
        variables: dict[str, Any] = {
            "text": ("str", ()),
            "ragged": (np.float64, (-1, 2)),
            "complex": (np.complex128, ()),
            "when": ("datetime64[s]", ()),
            "long": ("timedelta64[s]", ()),
            "fixed": ("U3", ()),
            "record": ([("a", "f8")], ()),
            "n": (np.int64, ()),
        }
        draw = {
            **{"text": "a", "ragged": np.ones((1, 2)), "complex": 1j, "fixed": "abc", "n": 5},
            **{"when": np.datetime64(1, "s"), "long": np.timedelta64(1, "s")},
            "record": np.zeros((), [("a", "f8")]),
        }
        chain = {name: [value] * 3 for name, value in draw.items()}
        for summary in self.summaries(backend, variables, {0: chain}):
            assert list(summary.variables) == ["n"]
            check(summary, "n", np.full(3, 5))

    def test_draws_may_be_added_afterwards(self, backend: Backend) -> None:
        run = backend.init_run(make_meta({"x": (np.float64, ())}))
        chain = run.init_chain(0)
        for n in (3, 5, 8):
            chain.extend({"x": np.arange(len(chain), n)})
            chain.flush()
            summary = run.summary()
            assert summary.chains == {0: n}
            assert summary.levels == (0.05, 0.5, 0.95)
            check(summary, "x", np.arange(float(n)))
        assert_same(chain.get_draws("x"), np.arange(8.0))

    def test_levels_lie_between_0_and_1(self, backend: Backend) -> None:
        run = backend.init_run(make_meta({"x": (np.float64, (2,))}))
        run.init_chain(0).append({"x": [1, 2]})
        for levels in ([-0.1], [0.5, 1.0000001], [np.nan], [50]):
            with pytest.raises(ValueError, match="levels"):
                run.summary(levels)
        assert run.summary([]).variables["x"].quantiles.shape == (0, 2)
