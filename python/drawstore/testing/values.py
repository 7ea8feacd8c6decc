"""What goes in comes out: dtypes, shapes, text, names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drawstore.interface import Backend, Chain
from drawstore.meta import RunMeta, Variable, make_meta

from .base import ContractBase, assert_same, assert_same_items, begin

__all__ = ["ValuesContract"]

DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128", "longdouble", "clongdouble"),
    *(">i2", ">u4", ">f4", ">f8", ">c16", "datetime64[ns]", "datetime64[D]", "timedelta64[25s]"),
    *("S1", "S5", "U1", "U7", "V3"),
    [("a", "i1"), ("b", ">f8", (2, 3)), ("c", "S3"), ("d", "U2"), ("e", "?")],
    [("when", "datetime64[us]"), ("inner", [("x", "f4"), ("y", "c16")])],
    np.dtype([("small", "i1"), ("large", "f8")], align=True),
]
SHAPES: list[tuple[int, ...]] = [
    *((), (1,), (3,), (0,), (2, 3), (2, 0, 3), (2, 1, 3), (1, 2, 3, 2), (2, 1, 2, 3, 2)),
]
TEXTS = [
    *("", "a", "plain text", "é", "日本語", "\U0001f600 astral", "e\u0301 combining"),
    *("ends with NUL\0", "\0", "a\0b\0\0", "two\nlines\r\n", "\ufeff", "\U0010ffff", "x" * 5000),
]
NAMES = [
    *(" ", "a b", "a/b", "/", ".", "..", "../up", "a.b", "~", "'", '"', 'it\'s "so"', "\\"),
    *("two\nlines", "tab\t", "\0", "nul\0inside", "μ", "日本語", "\U0001f600", "e\u0301", "é"),
    *("%2F", "%", "*", "?", "a:b", "CON", "-n", "1", "__class__", "sampler_0__tune", "n" * 5000),
]


def made_up(dtype: Any, shape: tuple[int, ...], seed: int = 1) -> NDArray[Any]:
    """Values of any dtype, floats of any bits: also NaNs with payloads, infinities, -0.0."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    out = np.zeros(shape, dtype=dtype)
    if dtype.names is not None:
        for i, name in enumerate(dtype.names):
            part = dtype[name]
            out[name] = made_up(part.base, shape + part.shape, seed + i)
    elif dtype.kind == "b":
        out[...] = rng.integers(0, 2, shape)
    elif dtype.kind == "U":
        letters = np.array(["", "a", "é", "日本", "\U0001f600", "a\0b"])
        out[...] = letters[rng.integers(0, len(letters), shape)]
    elif dtype.char in "gG":
        out[...] = rng.normal(size=shape) / 3
        out.flat[:3] = [np.nan, -np.inf, -0.0][: out.size]
    else:
        n_bytes = out.size * dtype.itemsize
        raw = np.frombuffer(rng.bytes(n_bytes), np.uint8)
        out = raw.view(dtype).reshape(shape) if n_bytes else out
    return out


class ValuesContract(ContractBase):
    """Values come back to the bit, whatever the chain has grown by."""

    def check(self, backend: Backend, dtype: Any, shape: tuple[int, ...]) -> None:
        """Append and extend in pieces that make every store grow several times."""
        chain = begin(backend, {"x": (dtype, shape)}, {"s": (dtype, shape)})
        assert isinstance(chain, Chain)
        values = made_up(dtype, (2000, *shape))
        done = 0
        for n in (1, 3, 0, 500, 1400):
            block = values[done : done + n]
            chain.extend({"x": block}, {"s": block})
            done += n
        for value in values[done:]:
            chain.append({"x": value}, {"s": value})
        for handle in self.stored(backend, chain):
            assert len(handle) == 2000
            assert_same(handle.get_draws("x"), values)
            assert_same(handle.get_stats("s"), values)
            assert_same(handle.get_draws_at(1950)["x"], values[1950, ...])
            assert_same(handle.get_stats_at(3)["s"], values[3, ...])

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_every_dtype_comes_back_to_the_bit(self, backend: Backend, dtype: Any) -> None:
        self.check(backend, dtype, (2,))

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_every_dtype_comes_back_as_a_scalar(self, backend: Backend, dtype: Any) -> None:
        self.check(backend, dtype, ())

    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_every_shape_comes_back(self, backend: Backend, shape: tuple[int, ...]) -> None:
        self.check(backend, np.float32, shape)

    def test_rows_larger_than_a_page_come_back(self, backend: Backend) -> None:
        chain = begin(backend, {"big": (np.float64, (300, 700)), "small": (np.int8, ())})
        values = made_up(np.float64, (6, 300, 700))
        for i, value in enumerate(values):
            chain.append({"big": value, "small": i})
        for handle in self.stored(backend, chain):
            assert_same(handle.get_draws("big"), values)
            assert_same(handle.get_draws("small"), np.arange(6, dtype=np.int8))

    def test_values_may_lie_in_memory_in_any_order(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.float64, (3, 4))})
        values = made_up(np.float64, (40, 3, 4))
        chain.extend({"x": np.asfortranarray(values[:10])})
        chain.extend({"x": np.repeat(values[10:20], 2, axis=0)[::2]})
        chain.extend({"x": values[29:19:-1][::-1].astype(">f8")})
        for value in values[30:]:
            chain.append({"x": np.asfortranarray(value)})
        for handle in self.stored(backend, chain):
            assert_same(handle.get_draws("x"), values)

    def test_numbers_are_converted_where_the_same_kind_allows_it(self, backend: Backend) -> None:
        chain = begin(
            backend, {"f4": (np.float32, (2,)), "i8": (np.int64, ()), "c8": (np.complex64, ())}
        )
        chain.append({"f4": [1, 2.5], "i8": True, "c8": 3})
        chain.append({"f4": np.array([1e-3, 7]), "i8": np.int8(-5), "c8": np.float64(0.5)})
        for handle in self.stored(backend, chain):
            expected = np.array([[1, 2.5], [1e-3, 7]], dtype=np.float32)
            assert_same(handle.get_draws("f4"), expected)
            assert_same(handle.get_draws("i8"), np.array([1, -5]))
            assert_same(handle.get_draws("c8"), np.array([3, 0.5], dtype=np.complex64))

    def test_the_chain_keeps_copies(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.float64, (2,)), "r": (np.float64, (-1,))})
        one, block = np.zeros(2), np.ones((3, 2))
        chain.append({"x": one, "r": one})
        chain.extend({"x": block, "r": list(block)})
        one += 5
        block += 5
        for handle in self.stored(backend, chain):
            assert_same(handle.get_draws("x"), np.array([[0.0, 0], [1, 1], [1, 1], [1, 1]]))
            assert_same_items(handle.get_draws("r"), [np.zeros(2), *np.ones((3, 2))])

    # Text.

    def test_any_text_comes_back(self, backend: Backend) -> None:
        chain = begin(backend, {"t": ("str", ())}, {"s": ("str", ())})
        for text in TEXTS:
            chain.append({"t": text}, {"s": np.array(text, dtype=object)})
        chain.extend({"t": TEXTS}, {"s": np.array(TEXTS, dtype=object)})
        for handle in self.stored(backend, chain):
            for values in (handle.get_draws("t"), handle.get_stats("s")):
                assert values.dtype == object
                assert values.tolist() == TEXTS * 2
                assert {type(value) for value in values} == {str}
            assert handle.get_draws_at(1)["t"].item() == TEXTS[1]

    def test_text_of_a_fixed_shape_comes_back(self, backend: Backend) -> None:
        chain = begin(backend, {"t": ("str", (2, 3)), "none": ("str", (0,))})
        rng = np.random.default_rng(1)
        values = np.array(TEXTS, dtype=object)[rng.integers(0, len(TEXTS), (30, 2, 3))]
        none = np.empty((30, 0), dtype=object)
        chain.extend({"t": values[:20], "none": none[:20]})
        for i in range(20, 30):
            chain.append({"t": values[i], "none": none[i]})
        for handle in self.stored(backend, chain):
            assert_same(handle.get_draws("t"), values)
            assert handle.get_draws("none").shape == (30, 0)

    def test_numpys_own_text_is_taken(self, backend: Backend) -> None:
        chain = begin(backend, {"t": ("str", (2,))})
        chain.append({"t": np.array(["a", "日本語"])})
        chain.extend({"t": np.array([["b", ""], ["", "é"]])})
        for handle in self.stored(backend, chain):
            assert handle.get_draws("t").tolist() == [["a", "日本語"], ["b", ""], ["", "é"]]

    def test_text_of_no_fixed_shape_comes_back(self, backend: Backend) -> None:
        chain = begin(backend, {"t": ("str", (-1,))})
        rows = [TEXTS[:3], [], TEXTS, [""], ["\0"]]
        for row in rows:
            chain.append({"t": np.array(row, dtype=object)})
        chain.extend({"t": rows})
        for handle in self.stored(backend, chain):
            values = handle.get_draws("t")
            assert values.shape == (10,)
            assert [list(value) for value in values] == rows * 2
            assert all(value.dtype == object for value in values)

    # Shapes that differ between draws.

    @pytest.mark.parametrize("dtype", ["bool", "float32", ">i4", "longdouble", "U3", "M8[s]"])
    def test_lengths_may_differ(self, backend: Backend, dtype: str) -> None:
        chain = begin(backend, {"r": (dtype, (-1,)), "x": (np.int64, ())})
        rows = [made_up(dtype, (n,), n) for n in (3, 0, 1, 1000, 0, 2)]
        for i, row in enumerate(rows):
            chain.append({"r": row, "x": i})
        chain.extend({"r": rows, "x": np.arange(6)})
        for handle in self.stored(backend, chain):
            got = handle.get_draws("r")
            assert_same_items(got, rows * 2)
            assert not any(row.flags.writeable for row in got)
            assert_same_items(handle.get_draws("r", slice(4, None, -2)), rows[4::-2])
            assert_same(handle.get_draws_at(3)["r"], rows[3])
            assert_same(handle.get_draws("x"), np.tile(np.arange(6), 2))

    @pytest.mark.parametrize(
        ("shape", "lengths"),
        [
            ((-1, 2), [(3, 2), (0, 2), (1, 2)]),
            ((2, -1), [(2, 4), (2, 0), (2, 1)]),
            ((-1, 2, -1), [(3, 2, 1), (0, 2, 5), (2, 2, 2)]),
        ],
    )
    def test_some_dimensions_may_differ(
        self, backend: Backend, shape: tuple[int, ...], lengths: list[tuple[int, ...]]
    ) -> None:
        chain = begin(backend, {"r": (np.float64, shape)})
        rows = [made_up(np.float64, length) for length in lengths]
        chain.append({"r": rows[0]})
        chain.extend({"r": rows[1:]})
        for handle in self.stored(backend, chain):
            assert_same_items(handle.get_draws("r"), rows)

    @pytest.mark.parametrize("dtype", ["int16", "str"])
    def test_the_number_of_dimensions_may_differ(self, backend: Backend, dtype: str) -> None:
        variable = Variable(name="r", dtype=dtype, undefined_ndim=True)
        chain = backend.init_run(RunMeta(variables=[variable])).init_chain(0)
        rows: list[NDArray[Any]] = [
            made_up("U3" if dtype == "str" else dtype, shape)
            for shape in [(), (3,), (0,), (2, 2), (1, 0, 2), (2, 1, 1, 1)]
        ]
        for row in rows:
            chain.append({"r": row})
        if dtype == "str":
            rows = [row.astype(object) for row in rows]
        for handle in self.stored(backend, chain):
            assert_same_items(handle.get_draws("r"), rows)

    # Many variables, odd names.

    def test_a_thousand_variables(self, backend: Backend) -> None:
        variables = {f"v{i}": (("f8", "i4", "?")[i % 3], ((), (2,))[i % 2]) for i in range(1000)}
        chain = begin(backend, variables)
        values = {
            name: made_up(dtype, (5, *shape), i)
            for i, (name, (dtype, shape)) in enumerate(variables.items())
        }
        chain.append({name: value[0] for name, value in values.items()})
        chain.extend({name: value[1:] for name, value in values.items()})
        for handle in self.stored(backend, chain):
            for name in ("v0", "v1", "v2", "v500", "v999"):
                assert_same(handle.get_draws(name), values[name])
            last = handle.get_draws_at(-1)
            assert list(last) == list(variables)
            for name in values:
                assert_same(last[name], np.asarray(values[name][-1]))

    def test_names_may_have_any_characters(self, backend: Backend) -> None:
        chain = begin(
            backend,
            dict.fromkeys(NAMES, (np.int64, ())),
            dict.fromkeys(NAMES, (np.int64, ())),
        )
        chain.append(
            {name: i for i, name in enumerate(NAMES)},
            {name: -i for i, name in enumerate(NAMES)},
        )
        for handle in self.stored(backend, chain):
            for i, name in enumerate(NAMES):
                assert_same(handle.get_draws(name), np.array([i]))
                assert_same(handle.get_stats(name), np.array([-i]))

    def test_a_run_may_have_only_stats(self, backend: Backend) -> None:
        run = backend.init_run(make_meta({}, {"s": (np.float64, ())}))
        chain = run.init_chain(0)
        chain.append({}, {"s": 1.5})
        chain.extend({}, {"s": [2.5, 3.5]})
        for handle in self.stored(backend, chain):
            assert len(handle) == 3
            assert_same(handle.get_stats("s"), np.array([1.5, 2.5, 3.5]))
            assert handle.get_draws_at(0) == {}
