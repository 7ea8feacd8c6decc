"""Draws through ClickHouse and back, to the bit: on a server of 2018, and on chDB, of today."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drawstore
from clickhouse_engines import create, engine, select
from drawstore._core import ClickHouseTable, Journal
from drawstore.backends.core import core_meta
from drawstore.testing.base import assert_same
from drawstore.testing.values import DTYPES, NAMES, SHAPES, TEXTS, made_up
from journals import ID

RAGGED = [(-1,), (-1, 2), (2, -1, -1), None]


@pytest.fixture(scope="module", params=["server", "chdb"])
def clickhouse(request, tmp_path_factory):
    with engine(request.param, tmp_path_factory.mktemp("clickhouse") / "nodes") as running:
        yield running


def made_up_value(dtype, shape, row):
    """Make the value of one row; where the shape is not fixed, it has one of its own."""
    if shape is None:
        shape = (2,) * (row % 4)
    shape = tuple((row * 7 + i) % 4 if extent < 0 else extent for i, extent in enumerate(shape))
    if dtype != "str":
        return made_up(dtype, shape, row)
    texts = np.array(TEXTS, dtype=object)
    value = texts[np.arange(row, row + int(np.prod(shape))) % len(texts)]
    return value.reshape(shape) if shape else value[0]


def made_up_chain(variables, n, lacks=lambda row, stat: False, chain_number=0):
    """Make a chain, with stats as the variables are."""
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta(variables, variables))
    chain = run.init_chain(chain_number)
    for row in range(n):
        draw = {name: made_up_value(*spec, row) for name, spec in variables.items()}
        chain.append(draw, {k: v for i, (k, v) in enumerate(draw.items()) if not lacks(row, i)})
    return run, chain


def assert_alike(got, expected):
    """Compare what two chains give, also what is behind a mask."""
    assert np.ma.isMaskedArray(got) == np.ma.isMaskedArray(expected)
    if np.ma.isMaskedArray(got):
        np.testing.assert_array_equal(got.mask, expected.mask)
        got, expected = got.data, expected.data
    is_ragged = got.dtype == object and any(isinstance(x, np.ndarray) for x in expected.flat)
    if not is_ragged:
        return assert_same(got, expected)
    assert got.shape == expected.shape
    for one, other in zip(got.flat, expected.flat, strict=True):
        assert_same(one, other)


def check_through(clickhouse, run, chain, max_bytes=16_000_000, settings=""):
    """Insert all rows, read them back, and compare."""
    table = ClickHouseTable(core_meta(run.meta))
    create(clickhouse, "run", table.columns)
    row = 0
    while row < len(chain):
        stop = row + table.rows_fitting(chain, row, len(chain), max_bytes)
        clickhouse.insert("run", table.encode(chain, row, stop))
        row = stop
    names = list(run.variables)
    columns = table.columns_of(names, names)
    answer = clickhouse.query(select(columns, "run FINAL", f"ORDER BY draw {settings}"))
    numbers, draws, stats = table.decode(answer, names, names)
    np.testing.assert_array_equal(numbers, np.arange(len(chain), dtype=np.uint64))
    for name in names:
        assert_alike(draws[name], chain.get_draws(name))
        assert_alike(stats[name], chain.get_stats(name))
    chains = clickhouse.query("SELECT DISTINCT chain FROM run FORMAT TSV")
    assert chains.split() == [str(chain.chain_number).encode()] * (len(chain) > 0)


@pytest.mark.parametrize("dtype", [*DTYPES, "V0", "V256", "V257", "U65", "str"], ids=str)
def test_every_dtype_comes_back_to_the_bit(clickhouse, dtype):
    shapes = [(), (1,), (2, 3), (0,), (2, 0, 3), *RAGGED]
    run, chain = made_up_chain(
        {f"x{shape}": (dtype, shape) for shape in shapes},
        30,
        lambda row, stat: row % 3 == 1 and (row + stat) % 2 == 0,
        chain_number=2**32 - 1,
    )
    check_through(clickhouse, run, chain)
    check_through(clickhouse, run, chain, max_bytes=5000, settings="SETTINGS max_block_size = 7")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_comes_back(clickhouse, shape):
    run, chain = made_up_chain({"x": ("float32", shape)}, 20)
    check_through(clickhouse, run, chain)


def test_any_name_is_only_a_name(clickhouse):
    names = [*NAMES, "chain", "draw", "missing", "_part", "x`; DROP TABLE run", "a_b", "a.b.size0"]
    run, chain = made_up_chain(dict.fromkeys(names, ("int16", ())), 3)
    check_through(clickhouse, run, chain)
    run, chain = made_up_chain(dict.fromkeys(names, ("int16", (-1, 2))), 3)
    check_through(clickhouse, run, chain)


def test_arrays_of_like_names_may_differ_in_length(clickhouse):
    specs = {"a.x": ("float64", (2,)), "a.y": ("float64", (3,)), "a": ("float64", (-1,))}
    run, chain = made_up_chain(specs, 5)
    check_through(clickhouse, run, chain)


def test_a_thousand_columns(clickhouse):
    variables = {f"x[{i}]": ("float64", ()) for i in range(500)}
    run, chain = made_up_chain(variables, 3, lambda row, stat: row == 1)
    check_through(clickhouse, run, chain)


def test_rows_of_a_journal(clickhouse, tmp_path):
    variables = {"x": ("float64", (3,)), "t": ("str", ()), "h": ("float16", ())}
    run, chain = made_up_chain(variables, 700, lambda row, stat: row == 500)
    journal = Journal(str(tmp_path / "journal"), segment_bytes=8192)
    meta = core_meta(run.meta)
    waiting = journal.begin_chain(ID, "chain", meta, 0, 100, 0)
    for row in range(100, 700):
        waiting.append(chain.get_draws_at(row), chain.get_stats_at(row))
    table = ClickHouseTable(meta)
    create(clickhouse, "run", table.columns)
    clickhouse.insert("run", table.encode(chain, 0, 100))
    clickhouse.insert("run", table.encode(waiting, 100, 700))
    columns = table.columns_of(["x", "t", "h"], ["x"])
    answer = clickhouse.query(select(columns, "run FINAL", "ORDER BY draw"))
    numbers, draws, stats = table.decode(answer, ["x", "t", "h"], ["x"])
    np.testing.assert_array_equal(numbers, np.arange(700))
    for name in draws:
        assert_alike(draws[name], chain.get_draws(name))
    assert_alike(stats["x"], chain.get_stats("x"))
    journal.close(True)


def test_what_is_inserted_twice_is_there_once(clickhouse):
    run, chain = made_up_chain({"x": ("float64", ())}, 50)
    table = ClickHouseTable(core_meta(run.meta))
    create(clickhouse, "run", table.columns)
    for _ in range(3):
        clickhouse.insert("run", table.encode(chain, 0, 50))
    answer = clickhouse.query(select(table.columns_of(["x"]), "run FINAL", "ORDER BY draw"))
    numbers, draws, _ = table.decode(answer, ["x"])
    np.testing.assert_array_equal(numbers, np.arange(50))
    assert_same(draws["x"], chain.get_draws("x"))


def test_sql_sees_numbers_and_what_is_missing(clickhouse):
    variables = {"h": ("float16", ()), "c": ("complex128", ())}
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta(variables, variables))
    chain = run.init_chain(0)
    chain.append({"h": 1.5, "c": 1 + 2j}, {"h": 8})
    chain.append({"h": 2.5, "c": 3 + 4j}, {"c": 1})
    table = ClickHouseTable(core_meta(run.meta))
    create(clickhouse, "run", table.columns)
    clickhouse.insert("run", table.encode(chain, 0, 2))
    sql = "SELECT sum(h), sum(c[2]), sumIf(h_2, NOT has(missing, 0)), count() FROM run FORMAT TSV"
    assert clickhouse.query(sql) == b"4\t6\t8\t2\n"


def test_an_answer_without_rows(clickhouse):
    variables = {"x": ("float64", (2,)), "t": ("str", ()), "r": ("int8", (-1,))}
    run, chain = made_up_chain(variables, 1)
    table = ClickHouseTable(core_meta(run.meta))
    create(clickhouse, "run", table.columns)
    names = list(variables)
    answer = clickhouse.query(select(table.columns_of(names, names), "run"))
    numbers, draws, stats = table.decode(answer, names, names)
    assert_same(numbers, np.empty(0, np.uint64))
    for name in names:
        assert_same(draws[name], chain.get_draws(name, slice(0, 0)))
        assert_same(stats[name], chain.get_stats(name, slice(0, 0)))


@st.composite
def runs(draw):
    """Variables of any dtype and shape, and which rows lack which stats."""
    extents = st.lists(st.integers(-1, 3), max_size=3).map(tuple)
    dtypes = st.sampled_from([*DTYPES, "V0", "U80", "str"])
    specs = draw(st.lists(st.tuples(dtypes, extents | st.none()), min_size=1, max_size=5))
    names = draw(
        st.lists(
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
            min_size=len(specs),
            max_size=len(specs),
            unique=True,
        )
    )
    n = draw(st.integers(0, 30))
    seed = draw(st.integers(0, 2**32 - 1))
    share = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return dict(zip(names, specs, strict=True)), n, seed, share


@settings(max_examples=40, deadline=None)
@given(made=runs(), max_bytes=st.sampled_from([1, 3000, 16_000_000]))
def test_any_run_comes_back(clickhouse, made, max_bytes):
    variables, n, seed, share = made
    missing = np.random.default_rng(seed).random((n, len(variables))) < share
    run, chain = made_up_chain(variables, n, lambda row, stat: missing[row, stat])
    check_through(clickhouse, run, chain, max_bytes)


# Without an engine.


@pytest.fixture
def example():
    run, chain = made_up_chain({"x": ("float64", (2,)), "t": ("str", ())}, 10)
    return ClickHouseTable(core_meta(run.meta)), chain


def test_a_block_is_bytes(example):
    table, chain = example
    block = table.encode(chain, 2, 7)
    assert (block.format, block.ndim, block.readonly) == ("B", 1, True)
    assert block[:2] == bytes([len(table.columns) - 1, 5])
    kept = bytes(block)
    for _ in range(10):
        table.encode(chain, 0, 10)
    assert block == kept


def test_errors(example):
    table, chain = example
    with pytest.raises(ValueError, match="has 10 draws, and not those from 5 to 11"):
        table.encode(chain, 5, 11)
    other, _ = made_up_chain({"x": ("float32", (2,)), "t": ("str", ())}, 1)
    with pytest.raises(ValueError, match="other variables"):
        ClickHouseTable(core_meta(other.meta)).encode(chain, 0, 1)
    with pytest.raises(KeyError, match="there is no variable 'y'"):
        table.decode(b"", ["y"])
    with pytest.raises(KeyError, match="there is no sampler stat 'y'"):
        table.columns_of(["x"], ["y"])
    with pytest.raises(ValueError, match="cut off"):
        table.decode(b"\x02\x01\x04dra", ["x"])
    with pytest.raises(ValueError, match="expected 2 columns in an answer of ClickHouse, got 67"):
        table.decode(b"Code: 241. DB::Exception: Memory limit exceeded", ["x"])
    with pytest.raises(ValueError, match="gaps"):
        table.decode(memoryview(b"1234")[::2], ["x"])


def test_blocks_are_made_while_the_sampler_appends():
    run, _ = made_up_chain({"x": ("float64", (5,)), "t": ("str", ())}, 0)
    table = ClickHouseTable(core_meta(run.meta))
    journal = Journal(None)
    waiting = journal.begin_chain(ID, "chain", core_meta(run.meta), 0, 0, 0)
    n = 3000

    def sample():
        for i in range(n):
            waiting.append({"x": np.full(5, i), "t": str(i)}, {"x": np.full(5, -i)})

    sampler = threading.Thread(target=sample)
    sampler.start()
    done = 0
    while done < n:
        stop = min(len(waiting), done + 100)
        block = bytes(table.encode(waiting, done, stop))
        for row in range(done, stop):
            assert np.full(5, float(row)).tobytes() in block
        waiting.release(stop)
        done = stop
    sampler.join()
