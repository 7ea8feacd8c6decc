"""What is refused leaves the chain as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from drawstore.interface import Backend, Chain
from drawstore.meta import RunMeta, Variable

from .base import ContractBase, assert_same, assert_same_items, begin

__all__ = ["ErrorsContract"]

VARIABLES: dict[str, Any] = {
    "first": (np.int64, ()),
    "matrix": (np.float32, (2, 3)),
    "ragged": (np.int16, (-1, 2)),
    "text": ("str", ()),
    "fixed": ("U4", ()),
    "yes": (np.bool_, ()),
}
STATS: dict[str, Any] = {"energy": (np.float64, ()), "when": ("datetime64[s]", (2,))}
DRAW: dict[str, Any] = {
    "first": 1,
    "matrix": np.ones((2, 3), np.float32),
    "ragged": np.zeros((3, 2), np.int16),
    "text": "fine",
    "fixed": "four",
    "yes": True,
}
STAT: dict[str, Any] = {"energy": 0.5, "when": np.zeros(2, "datetime64[s]")}


class Unconvertible:
    """Nothing that NumPy knows."""


# An error, what it has to say, and the values that lead to it, in place of the good ones.
BAD_DRAWS: list[tuple[type[Exception], list[str], dict[str, Any]]] = [
    (KeyError, ["extra", "first", "matrix"], {"extra": 1}),
    (KeyError, ["energy"], {"energy": 1.0}),
    (ValueError, ["matrix", "(2, 3)", "3, 2)"], {"matrix": np.ones((3, 2))}),
    (ValueError, ["matrix", "(2, 3)"], {"matrix": 1.0}),
    (ValueError, ["first"], {"first": [1, 2]}),
    (ValueError, ["ragged"], {"ragged": np.zeros((2, 3), np.int16)}),
    (ValueError, ["ragged"], {"ragged": np.zeros(4, np.int16)}),
    (ValueError, ["text"], {"text": np.array(["two", "texts"], dtype=object)}),
    (TypeError, ["first", "int64", "float64"], {"first": 1.5}),
    (TypeError, ["matrix", "float32", "complex"], {"matrix": np.ones((2, 3), complex)}),
    (TypeError, ["yes", "bool", "int64"], {"yes": np.int64(1)}),
    (TypeError, ["ragged", "int16"], {"ragged": np.zeros((1, 2))}),
    (TypeError, ["text"], {"text": 1.5}),
    (TypeError, ["text"], {"text": b"bytes"}),
    (TypeError, ["first"], {"first": None}),
    (TypeError, ["first"], {"first": "one"}),
    (TypeError, ["first"], {"first": Unconvertible()}),
]
BAD_STATS: list[tuple[type[Exception], list[str], dict[str, Any]]] = [
    (KeyError, ["depth", "energy", "when"], {"depth": 3}),
    (KeyError, ["first"], {"first": 3}),
    (ValueError, ["energy"], {"energy": [1.0, 2.0]}),
    (ValueError, ["when"], {"when": np.zeros(3, "datetime64[s]")}),
    (TypeError, ["energy", "float64"], {"energy": 1j}),
    (TypeError, ["energy"], {"energy": Unconvertible()}),
]


def block(values: Mapping[str, Any], n: int = 4) -> dict[str, Any]:
    """Give the values of one draw n times."""
    return {name: [value] * n for name, value in values.items()}


def put(chain: Chain, draw: dict[str, Any], stats: dict[str, Any], many: bool) -> None:
    """Append a draw, or the same four times as a block."""
    if many:
        chain.extend(block(draw), block(stats))
    else:
        chain.append(draw, stats)


class ErrorsContract(ContractBase):
    """Errors name what is wrong, and nothing is stored."""

    @pytest.fixture
    def chain(self, backend: Backend) -> Chain:
        """A chain of three draws."""
        chain = begin(backend, VARIABLES, STATS)
        for _ in range(3):
            chain.append(DRAW, STAT)
        return chain

    def check_unchanged(self, backend: Backend, chain: Chain) -> None:
        """Check that there are three draws, and that more can be appended."""
        assert len(chain) == 3
        chain.append(DRAW, STAT)
        chain.extend(block(DRAW), block(STAT))
        for handle in self.stored(backend, chain):
            assert len(handle) == 8
            assert_same(handle.get_draws("first"), np.ones(8, np.int64))
            assert_same(handle.get_draws("matrix"), np.ones((8, 2, 3), np.float32))
            assert_same_items(handle.get_draws("ragged"), [DRAW["ragged"]] * 8)
            assert handle.get_draws("text").tolist() == ["fine"] * 8
            assert_same(handle.get_draws("fixed"), np.array(["four"] * 8))
            assert_same(handle.get_stats("energy"), np.full(8, 0.5))

    @pytest.mark.parametrize(("error", "words", "values"), BAD_DRAWS)
    @pytest.mark.parametrize("many", [False, True], ids=["append", "extend"])
    def test_bad_draws(
        self,
        backend: Backend,
        chain: Chain,
        error: type[Exception],
        words: list[str],
        values: dict[str, Any],
        many: bool,
    ) -> None:
        draw = {**DRAW, **values}
        with pytest.raises(error) as raised:
            put(chain, draw, STAT, many)
        for word in words:
            assert word in str(raised.value)
        self.check_unchanged(backend, chain)

    @pytest.mark.parametrize(("error", "words", "values"), BAD_STATS)
    @pytest.mark.parametrize("many", [False, True], ids=["append", "extend"])
    def test_bad_stats(
        self,
        backend: Backend,
        chain: Chain,
        error: type[Exception],
        words: list[str],
        values: dict[str, Any],
        many: bool,
    ) -> None:
        stats = {**STAT, **values}
        with pytest.raises(error) as raised:
            put(chain, DRAW, stats, many)
        for word in words:
            assert word in str(raised.value)
        self.check_unchanged(backend, chain)

    @pytest.mark.parametrize("name", list(DRAW))
    def test_a_missing_variable_is_named(self, backend: Backend, chain: Chain, name: str) -> None:
        draw = {key: value for key, value in DRAW.items() if key != name}
        with pytest.raises(ValueError, match=name):
            chain.append(draw, STAT)
        with pytest.raises(ValueError, match=name):
            chain.extend(block(draw), block(STAT))
        self.check_unchanged(backend, chain)

    def test_what_is_no_mapping_is_refused(self, backend: Backend, chain: Chain) -> None:
        values: Any
        for values in (3, None, [1.0, 2.0], np.ones(3)):
            with pytest.raises(TypeError):
                chain.append(values)
            with pytest.raises(TypeError):
                chain.extend(values)
        self.check_unchanged(backend, chain)

    def test_blocks_have_as_many_draws_of_each_variable(
        self, backend: Backend, chain: Chain
    ) -> None:
        for name in DRAW:
            with pytest.raises(ValueError, match=r"[34] "):
                chain.extend({**block(DRAW), name: [DRAW[name]] * 3}, block(STAT))
        with pytest.raises(ValueError, match="energy"):
            chain.extend(block(DRAW), {"energy": np.zeros(5)})
        self.check_unchanged(backend, chain)

    def test_one_bad_row_refuses_the_block(self, backend: Backend, chain: Chain) -> None:
        for name, bad in (
            ("ragged", np.zeros((2, 3), np.int16)),
            ("ragged", np.zeros((2, 2))),
            ("text", 3),
        ):
            draws = block(DRAW)
            draws[name] = [*draws[name][:-1], bad]
            with pytest.raises((TypeError, ValueError), match=name):
                chain.extend(draws, block(STAT))
        self.check_unchanged(backend, chain)

    def test_rows_are_masked_whole_or_not_at_all(self, backend: Backend, chain: Chain) -> None:
        when = np.ma.array(np.zeros((4, 2), "datetime64[s]"), mask=[[True, False]] * 4)
        with pytest.raises(ValueError, match="when"):
            chain.extend(block(DRAW), {"when": when})
        self.check_unchanged(backend, chain)

    def test_unknown_names_are_not_read(self, chain: Chain) -> None:
        with pytest.raises(KeyError) as raised:
            chain.get_draws("energy")
        assert "matrix" in str(raised.value)
        with pytest.raises(KeyError) as raised:
            chain.get_stats("matrix")
        assert "energy" in str(raised.value)
        with pytest.raises(KeyError):
            chain.get_draws_at(0, ["first", "nothing"])
        with pytest.raises(KeyError):
            chain.get_stats_at(0, ["nothing"])

    @pytest.mark.parametrize("dtype", ["object", "O", "no such type", "[('a', 'O')]", "", "[(1"])
    def test_dtypes_that_cannot_be_stored_are_refused(self, backend: Backend, dtype: str) -> None:
        meta = RunMeta(variables=[Variable(name="bad one", dtype=dtype)])
        with pytest.raises((TypeError, ValueError), match="bad one"):
            backend.init_run(meta)
        assert backend.get_runs() == []

    def test_impossible_shapes_are_refused(self, backend: Backend) -> None:
        for shape in ([-2], [2**62, 2**62], [3, -5]):
            meta = RunMeta(variables=[Variable(name="bad one", dtype="float64", shape=shape)])
            with pytest.raises(ValueError, match="bad one"):
                backend.init_run(meta)
        assert backend.get_runs() == []

    def test_names_are_not_empty(self, backend: Backend) -> None:
        with pytest.raises(ValueError, match="name"):
            backend.init_run(RunMeta(variables=[Variable(dtype="float64")]))

    def test_two_of_one_name_are_refused(self, backend: Backend) -> None:
        twice = [Variable(name="twice", dtype="float64"), Variable(name="twice", dtype="int8")]
        for meta in (RunMeta(variables=twice), RunMeta(sample_stats=twice)):
            with pytest.raises(ValueError, match="twice"):
                backend.init_run(meta)
        assert backend.get_runs() == []
