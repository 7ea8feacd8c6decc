"""Summaries of runs: blocks, emcee's runs, the table, and ClickHouse's word for quantiles."""

import subprocess
import sys
import tracemalloc

import emcee
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drawstore
import drawstore.emcee
from clickhouse_engines import engine
from drawstore import FileBackend, HDF5Backend, MemoryBackend, Summary, VariableSummary, make_meta
from drawstore import summary as module
from drawstore.testing.summaries import check

LEVELS = (0.0, 0.07, 0.29, 0.5, 0.57, 0.95, 1.0)
N_WALKERS, NDIM, N_STEPS = 8, 3, 40


@pytest.fixture(params=[1, 100, 10_000])
def small_blocks(request, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", request.param)
    monkeypatch.setattr(module, "_BLOCK_VALUES", request.param)


def test_blocks_leave_no_trace(small_blocks):
    rng = np.random.default_rng(1)
    variables = {"x": ("float64", (5, 2)), "n": ("int8", ()), "none": ("float32", (0,))}
    run = MemoryBackend().init_run(make_meta(variables, {"tune": ("bool", ())}))
    counted = {name: [] for name in variables}
    for number, n in enumerate((300, 41, 0, 1)):
        draws = {
            "x": 1e9 + rng.normal(size=(n, 5, 2)),
            "n": rng.integers(-128, 128, n, np.int8),
            "none": np.empty((n, 0), np.float32),
        }
        is_warmup = rng.random(n) < 0.4
        run.init_chain(number).extend(draws, {"tune": is_warmup})
        for name, values in draws.items():
            counted[name].append(values[~is_warmup])
    summary = run.summary(LEVELS)
    assert list(summary.chains.values()) == [len(values) for values in counted["n"]]
    for name, values in counted.items():
        check(summary, name, np.concatenate(values))


floats = st.lists(st.floats(width=32), max_size=30)
levels = st.lists(st.floats(0, 1), max_size=5)


@given(values=floats, levels=levels, dtype=st.sampled_from(["float32", "float64"]))
def test_quantiles_are_places_in_order(values, levels, dtype):
    draws = np.array(values, dtype)
    run = MemoryBackend().init_run(make_meta({"x": (dtype, ())}))
    run.init_chain(0).extend({"x": draws})
    quantiles = run.summary(levels).variables["x"].quantiles
    in_order = sorted(value for value in draws if value == value)
    n = len(in_order)
    expected = [in_order[min(int(q * n), n - 1)] if n else np.nan for q in levels]
    np.testing.assert_array_equal(quantiles, np.array(expected, dtype))


@pytest.mark.parametrize("which", ["server", "chdb"])
def test_quantiles_are_those_of_clickhouse(which, tmp_path):
    columns = ", ".join(f"quantileExact({level})(x)" for level in LEVELS)
    some_nan = "number % 3 ? number / 8 : nan"
    with engine(which, tmp_path / "nodes") as clickhouse:
        for n in (1, 2, 7, 100, 1000):
            for value, draws in (
                ("toInt32(number * 37 % 101)", np.arange(n) * 37 % 101),
                (some_nan, np.where(np.arange(n) % 3, np.arange(n) / 8, np.nan)),
            ):
                query = f"SELECT {columns} FROM (SELECT {value} AS x FROM numbers({n})) FORMAT TSV"
                theirs = [float(word) for word in clickhouse.query(query).split()]
                run = MemoryBackend().init_run(make_meta({"x": (draws.dtype, ())}))
                run.init_chain(0).extend({"x": draws})
                ours = run.summary(LEVELS).variables["x"].quantiles
                if not np.isnan(draws).all():  # of nothing theirs are NaN or 0, by version
                    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("store", [FileBackend, HDF5Backend])
def test_one_variable_at_a_time_is_in_memory(tmp_path, store):
    names = ["a", "b", "c", "d"]
    n, nbytes = 250_000, 4 * 2_000_000
    with store(tmp_path / "runs") as backend:
        run = backend.init_run(make_meta(dict.fromkeys(names, ("float64", (2,)))))
        for number in range(2):
            values = np.random.default_rng(number).normal(size=(n, 2))
            with run.init_chain(number) as chain:
                chain.extend(dict.fromkeys(names, values))
    run = drawstore.open(tmp_path / "runs").get_run(run.rid)
    run.summary()
    tracemalloc.start()
    try:
        run.summary()
        assert tracemalloc.get_traced_memory()[1] < nbytes + 4 * module._BLOCK_BYTES
    finally:
        tracemalloc.stop()


def test_arviz_and_xarray_are_not_needed():
    program = """
import sys
sys.modules["xarray"] = sys.modules["arviz"] = None
import drawstore
run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": (float, ())}))
run.init_chain(0).append({"x": 1.5})
print(run.summary().variables["x"].mean)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "1.5\n"


# emcee.


def log_prob(theta):
    return -0.5 * np.sum(theta**2), np.sum(theta)


def sample(backend):
    sampler = emcee.EnsembleSampler(N_WALKERS, NDIM, log_prob, backend=backend)
    sampler.run_mcmc(np.random.default_rng(1).normal(size=(N_WALKERS, NDIM)), N_STEPS)
    return sampler.get_chain(flat=True), sampler.get_blobs(flat=True)


@pytest.mark.parametrize(
    "small_blocks", [1_000, 10_000], indirect=True
)  # a file is opened for each
@pytest.mark.parametrize("kind", [drawstore.emcee.HDFBackend, emcee.backends.HDFBackend])
def test_walkers_of_a_file_count_together(tmp_path, kind, small_blocks):
    path = str(tmp_path / "chain.h5")
    backend = kind(path)
    chain, blobs = sample(backend)
    summary = drawstore.open(path).get_run("mcmc").summary(LEVELS)
    assert summary.chains == dict.fromkeys(range(N_WALKERS), N_STEPS)
    assert list(summary.variables) == ["var_0", "var_1", "var_2", "blobs"]
    for name, values in zip(summary.variables, [*chain.T, blobs], strict=True):
        check(summary, name, values)


@pytest.mark.parametrize("kind", ["memory", "files"])
def test_walkers_of_any_store_count_together(tmp_path, kind, small_blocks):
    store = MemoryBackend() if kind == "memory" else FileBackend(tmp_path)
    named = {"b": 2, "slope": [0, 1]}
    backend = drawstore.emcee.Backend(store=store, parameter_names=named)
    chain, _ = sample(backend)
    summary = backend.run.summary(LEVELS)
    assert summary.chains == dict.fromkeys(range(N_WALKERS), N_STEPS)
    assert list(summary.variables) == ["b", "slope"]
    check(summary, "b", chain[:, 2])
    check(summary, "slope", chain[:, :2])


def test_a_block_of_a_file_is_read_once_for_all_walkers(tmp_path, monkeypatch):
    path = str(tmp_path / "chain.h5")
    sample(emcee.backends.HDFBackend(path))
    run = drawstore.open(path).get_run("mcmc")
    monkeypatch.setattr(module, "_BLOCK_BYTES", N_WALKERS * 8 * 10)  # ten steps
    read, blocks = run.read, []

    def spied(opened, key, rows):
        known = run._kept.get(key, (None,))[0] == rows
        blocks.extend([] if known else [(key, rows)])
        return read(opened, key, rows)

    monkeypatch.setattr(run, "read", spied)
    run.summary()
    of_chain = [rows for key, rows in blocks if key == "chain"]
    assert of_chain == [range(i, i + 10) for i in range(0, N_STEPS, 10)] * NDIM


# The table.


def test_a_summary_prints_as_a_table():
    run = MemoryBackend().init_run(
        make_meta({"slope": ("float64", ()), "n": ("int32", (2, 1)), "none": ("bool", (0,))})
    )
    run.init_chain(3).extend(
        {"slope": [0.5, 1.5, 2.5], "n": [[[1], [-4]]] * 3, "none": np.empty((3, 0), bool)}
    )
    run.init_chain(4)
    expected = """\
3 draws in 2 chains
        mean  sd  2.5%  100%
slope    1.5   1   0.5   2.5
n[0,0]     1   0     1     1
n[1,0]    -4   0    -4    -4"""
    assert repr(run.summary([0.025, 1])) == str(run.summary([0.025, 1])) == expected


def test_a_long_table_is_cut():
    def summary(n):
        values = np.zeros(n)
        variable = VariableSummary(values, values, values[np.newaxis])
        return Summary({0: 1}, (0.5,), {"x": variable})

    lines = str(summary(50)).splitlines()
    assert len(lines) == 52
    assert lines[-1].startswith("x[49]")
    lines = str(summary(10_000_000)).splitlines()
    assert len(lines) == 53
    assert lines[-1] == "... and 9999950 more"
