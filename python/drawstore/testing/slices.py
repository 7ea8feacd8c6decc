"""Which draws are read, and that reading changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from drawstore.interface import Backend, Chain

from .base import ContractBase, assert_same, assert_same_items, begin
from .values import made_up

__all__ = ["SlicesContract"]

N = 300
BOUNDS = (None, 0, 1, 220, 299, 300, 10**12, -1, -150, -300, -301, -(10**12))
STEPS = (None, 1, 7, 299, 1000, -1, -7, -1000)


def filled(backend: Backend) -> Chain:
    """A chain of 300 draws of every kind of variable."""
    chain = begin(
        backend,
        {"x": (np.float64, ()), "m": (np.int16, (2, 3)), "t": ("str", ()), "r": (np.int8, (-1,))},
        {"s": (np.float64, ())},
    )
    x, m, t, r, s = expected()
    chain.extend({"x": x[:200], "m": m[:200], "t": t[:200], "r": r[:200]}, {"s": s[:200]})
    for i in range(200, N):
        chain.append({"x": x[i], "m": m[i], "t": t[i], "r": r[i]}, {"s": s[i]})
    return chain


def expected() -> tuple[NDArray[Any], ...]:
    """What is in it."""
    r = np.empty(N, dtype=object)
    r[:] = [np.arange(i % 4, dtype=np.int8) for i in range(N)]
    t = np.array([f"text {i}" for i in range(N)], dtype=object)
    return np.arange(N) / 7, made_up(np.int16, (N, 2, 3)), t, r, -np.arange(N, dtype=float)


class SlicesContract(ContractBase):
    """Slices are those of NumPy.

    Attributes
    ----------
    bounds : sequence of int or None
        Where slices begin and end. Where each of them is a question to a server, fewer will do.
    """

    bounds: ClassVar[Sequence[int | None]] = BOUNDS

    def test_all_slices(self, backend: Backend) -> None:
        x, m, t, r, s = expected()
        for handle in self.stored(backend, filled(backend)):
            assert_same(handle.get_draws("x"), x)
            for start in self.bounds:
                for stop in self.bounds:
                    for step in STEPS:
                        slc = slice(start, stop, step)
                        assert_same(handle.get_draws("x", slc), x[slc])
            for slc in (slice(5), slice(None, None, -1), slice(290, 3, -41), slice(9, 9)):
                assert_same(handle.get_draws("m", slc), m[slc])
                assert_same(handle.get_draws("t", slc), t[slc])
                assert_same_items(handle.get_draws("r", slc), r[slc])
                assert_same(handle.get_stats("s", slc), s[slc])

    def test_a_step_of_zero_is_refused(self, backend: Backend) -> None:
        for handle in self.stored(backend, filled(backend)):
            with pytest.raises(ValueError, match="zero"):
                handle.get_draws("x", slice(None, None, 0))

    def test_an_empty_chain_gives_empty_arrays(self, backend: Backend) -> None:
        chain = begin(
            backend,
            {"m": (">f4", (2, 3)), "t": ("str", (4,)), "r": ("i1", (-1,))},
            {"s": ("?", (2,))},
        )
        for handle in self.stored(backend, chain):
            assert len(handle) == 0
            assert_same(handle.get_draws("m"), np.empty((0, 2, 3), dtype=">f4"))
            assert_same(handle.get_draws("t"), np.empty((0, 4), dtype=object))
            assert_same_items(handle.get_draws("r"), [])
            assert_same(handle.get_stats("s"), np.empty((0, 2), dtype=bool))
            with pytest.raises(IndexError):
                handle.get_draws_at(0)
            with pytest.raises(IndexError):
                handle.get_stats_at(-1)

    def test_single_draws(self, backend: Backend) -> None:
        x, m, t, r, s = expected()
        for handle in self.stored(backend, filled(backend)):
            for i in (0, 1, 199, 200, 299, -1, -300):
                draw = handle.get_draws_at(i)
                assert list(draw) == ["x", "m", "t", "r"]
                assert_same(draw["x"], x[i, ...])
                assert_same(draw["m"], m[i])
                assert draw["t"].shape == ()
                assert draw["t"].item() == t[i]
                assert_same(draw["r"], r[i])
                assert_same(handle.get_stats_at(i)["s"], s[i, ...])
            assert list(handle.get_draws_at(0, ["r", "x"])) == ["r", "x"]
            assert handle.get_draws_at(0, []) == {}
            assert list(handle.get_stats_at(0, ["s"])) == ["s"]
            for i in (300, -301, 10**12, -(10**12)):
                with pytest.raises(IndexError):
                    handle.get_draws_at(i)
                with pytest.raises(IndexError):
                    handle.get_stats_at(i)

    def test_what_is_read_cannot_change_what_is_stored(self, backend: Backend) -> None:
        x, m, t, _, s = expected()
        chain = filled(backend)
        for handle in (chain, *self.stored(backend, chain)):
            read = [handle.get_draws(name) for name in ("x", "m", "t", "r")]
            read += [handle.get_stats("s"), handle.get_draws("m", slice(250, 10, -3))]
            assert not any(values.flags.writeable for values in read)
            single = [*handle.get_draws_at(3).values(), *handle.get_stats_at(3).values()]
            for values in (*read, *single):
                with contextlib.suppress(ValueError):  # where it is a copy it may be changed
                    values.setflags(write=True)
                    values[...] = np.zeros((), values.dtype)
            assert_same(handle.get_draws("x"), x)
            assert_same(handle.get_draws("m"), m)
            assert_same(handle.get_draws("t"), t)
            assert_same(handle.get_stats("s"), s)

    def test_what_was_read_stays_as_it_was(self, backend: Backend) -> None:
        x, m, _, r, _ = expected()
        chain = filled(backend)
        early = chain.get_draws("x", slice(10)), chain.get_draws("m", slice(None, None, -1))
        for _ in range(20):
            chain.extend({"x": x, "m": m, "t": ["new"] * N, "r": r})
        chain.close()
        assert_same(early[0], x[:10])
        assert_same(early[1], m[::-1])
        assert len(chain) == 21 * N
        assert_same(chain.get_draws("x", slice(N * 20, None)), x)
