"""What notebooks show of stores, runs, chains and results."""

import shutil
from datetime import UTC, datetime

import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.convert import convert
from drawstore.interface import RunInfo
from drawstore.text import escaped
from emcee_runs import run as run_emcee
from html_parsing import HOSTILE, names, parse, rows, words
from stan_data import DATA

HOW_LONG = 10_000


def fill(backend, rid="a run"):
    meta = drawstore.make_meta(
        {"x": (float, ()), "theta": ("float32", (2, 3), ("school", "kind")), "t": (str, ())},
        {"tune": (bool, ())},
        coords={"school": ["a", "b"], "kind": [1, 2, 3]},
        attributes={"inference_library": "mine", "seed": 7},
        rid=rid,
    )
    run = backend.init_run(meta)
    for number, n in enumerate((20, 30)):
        draws = {"x": np.zeros(n), "theta": np.zeros((n, 2, 3)), "t": ["a"] * n}
        with run.init_chain(number) as chain:
            chain.extend(draws, {"tune": np.zeros(n, bool)})
    return run


@pytest.fixture(params=["memory", "files", "hdf5", "clickhouse"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if request.param == "memory":
        return drawstore.MemoryBackend()
    if request.param == "files":
        return drawstore.FileBackend(tmp_path / "runs")
    if request.param == "hdf5":
        return drawstore.HDF5Backend(tmp_path / "runs.h5")
    server = request.getfixturevalue("clickhouse")
    server.query("DROP DATABASE IF EXISTS html")
    return drawstore.ClickHouseBackend(f"clickhouse://127.0.0.1:{server.http}/html")


class TestStores:
    def test_a_store(self, store):
        assert words(store._repr_html_()).endswith("0 runs")
        fill(store)
        fill(store, "another")
        heads, *listed = rows(store._repr_html_())
        assert heads == ["run", "made", "chains", "draws", "size"]
        assert [row[0] for row in listed] == ["a run", "another"]
        assert [row[2:4] for row in listed] == [["2", "20 to 30"]] * 2
        assert type(store).__name__ in words(store._repr_html_())
        store.close()
        assert len(rows(store._repr_html_())) == 3

    def test_a_run(self, store):
        run = fill(store)
        said = words(run._repr_html_())
        assert said.startswith("Run a run 2 chains of 20 to 30 draws · made ")
        assert f"made {run.created_at:%Y-%m-%d %H:%M} UTC · mine" in said
        for part in ("3 variables", "1 sampler stat", "2 coordinates", "2 attributes"):
            assert part in said
        shown = rows(run._repr_html_())
        assert ["x", "float64", "scalar", ""] in shown
        assert ["theta", "float32", "2 × 3", "school, kind"] in shown
        assert ["tune", "bool", "scalar", ""] in shown
        assert ["0", "20"] in shown
        assert ["school", "2"] in shown
        assert ["seed", "7.0"] in shown

    def test_a_chain(self, store):
        chains = fill(store).get_chains()
        assert words(chains[1]._repr_html_()) == "Chain 1 of run a run 30 draws"

    def test_a_chain_that_is_written(self, store):
        meta = drawstore.make_meta({"x": (float, ())}, rid="r")
        run = store.init_run(meta)
        with run.init_chain(0) as chain:
            chain.append({"x": 1.0})
            assert words(chain._repr_html_()) == "Chain 0 of run r 1 draw"
            assert "1 chain of 1 draw" in words(run._repr_html_())

    def test_a_run_without_chains(self, store):
        run = store.init_run(drawstore.make_meta({"x": (float, ())}))
        assert "no chains yet" in words(run._repr_html_())

    def test_no_draws_are_read(self, store, monkeypatch):
        run = fill(store)
        store.close()
        chains = run.get_chains()

        def refuse(*args):
            raise AssertionError("draws were read")

        for reading in ("get_draws", "get_stats", "get_draws_at", "get_stats_at"):
            monkeypatch.setattr(type(chains[0]), reading, refuse)
        for thing in (store, run, chains[0]):
            assert "cannot be read" not in words(thing._repr_html_())

    def test_names_are_text(self, store):
        variables = [name for name in HOSTILE if name]
        meta = drawstore.make_meta(
            {name: (float, (1,), (name,)) for name in variables},
            dict.fromkeys(variables, (float, ())),
            coords={name: [0] for name in variables},
            attributes={name: name for name in variables},
            rid=HOSTILE[0],
        )
        run = store.init_run(meta)
        shown = names(run._repr_html_())
        for name in variables:
            assert shown.count(escaped(name)) >= 4, name
        assert [escaped(name), escaped(name)] in rows(run._repr_html_())
        assert names(store._repr_html_())[-1] == HOSTILE[0]

    def test_ids_are_text(self, store):
        for name in HOSTILE:
            if name and "\x00" not in name:
                store.init_run(drawstore.make_meta({"x": (float, ())}, rid=name))
        shown = names(store._repr_html_())
        for info in store.get_runs():
            assert escaped(info.rid) in shown
            assert escaped(info.rid) in names(store.get_run(info.rid)._repr_html_())


def test_formulas_are_left_alone_and_directions_kept_apart():
    run = fill(drawstore.MemoryBackend(), "$x$")
    root = parse(run._repr_html_())
    assert "tex2jax_ignore" in root.get("class")
    isolated = [code for bdi in root.iter("bdi") for code in bdi.iter("code")]
    assert len(isolated) == len(list(root.iter("code"))) > 0


def test_no_more_than_so_much_is_shown():
    backend = drawstore.MemoryBackend()
    for i in range(120):
        backend.init_run(drawstore.make_meta({"x": (float, ())}, rid=f"run {i:03}"))
    assert len(rows(backend._repr_html_())) == 51
    assert "120 runs" in words(backend._repr_html_())
    assert "and 70 more runs" in words(backend._repr_html_())
    wide = {f"x{i}": (float, ()) for i in range(3000)}
    meta = drawstore.make_meta(
        wide, coords={"d": ["a" * 99] * 10_000}, attributes={f"a{i}": "v" * 5000 for i in range(99)}
    )
    run = backend.init_run(meta)
    assert "2,950 more variables" in words(run._repr_html_())
    assert "49 more attributes" in words(run._repr_html_())
    assert len(run._repr_html_()) < 100_000
    run = backend.init_run(drawstore.make_meta({"x": (float, ())}))
    for i in range(70):
        run.init_chain(i)
    assert "20 more chains" in words(run._repr_html_())


def test_long_names_are_cut():
    backend = drawstore.MemoryBackend()
    run = backend.init_run(drawstore.make_meta({"x" * HOW_LONG: (float, ())}, rid="r" * HOW_LONG))
    assert "x" * 200 + "…" in names(run._repr_html_())
    assert len(run._repr_html_() + backend._repr_html_()) < HOW_LONG


class TestFilesOfOthers:
    def test_emcee(self, tmp_path):
        backend = emcee.backends.HDFBackend(tmp_path / "chain.h5")
        run_emcee(backend)
        opened = drawstore.open(tmp_path / "chain.h5")
        assert rows(opened._repr_html_())[1][::3] == ["mcmc", "20"]
        run = opened.get_run("mcmc")
        assert "12 chains of 20 draws" in words(run._repr_html_())
        assert words(run.get_chains()[3]._repr_html_()) == "Chain 3 of run mcmc 20 draws"

    def test_both_kinds(self, tmp_path):
        run_emcee(emcee.backends.HDFBackend(tmp_path / "chain.h5"))
        with drawstore.HDF5Backend(tmp_path / "chain.h5") as backend:
            fill(backend)
        both = drawstore.open(tmp_path / "chain.h5")
        assert {row[0] for row in rows(both._repr_html_())[1:]} == {"mcmc", "a run"}

    def test_stan(self):
        opened = drawstore.open([DATA / "eight_1.csv", DATA / "eight_2.csv"])
        assert len(rows(opened._repr_html_())) == 2
        (info,) = opened.get_runs()
        run = opened.get_run(info.rid)
        assert "2 chains" in words(run._repr_html_())
        assert "diverging" in names(run._repr_html_())
        assert words(run.get_chains()[0]._repr_html_()).startswith("Chain 1 of run ")

    @pytest.mark.parametrize("name", ["run.nc", "run.zarr"])
    def test_arviz(self, tmp_path, name):
        with drawstore.FileBackend(tmp_path / "runs") as backend:
            meta = drawstore.make_meta({"x": (float, ())}, rid="r")
            with backend.init_run(meta).init_chain(0) as chain:
                chain.extend({"x": np.zeros(20)})
        convert(tmp_path / "runs", tmp_path / name)
        opened = drawstore.open(tmp_path / name)
        (info,) = opened.get_runs()
        run = opened.get_run(info.rid)
        assert "1 run" in words(opened._repr_html_())
        assert "1 chain of 20 draws" in words(run._repr_html_())
        opened.close()


class TestTrouble:
    """A repr says what is wrong, and raises nothing."""

    def test_a_run_that_was_deleted(self, store):
        run = fill(store)
        chain = run.get_chains()[0]
        store.close()
        store.delete_run("a run")
        parse(run._repr_html_())
        parse(chain._repr_html_())
        assert "0 runs" in words(store._repr_html_())

    def test_a_damaged_run(self, tmp_path):
        backend = drawstore.FileBackend(tmp_path / "runs")
        run = fill(backend)
        next((tmp_path / "runs").glob("*/run.meta")).write_bytes(b"junk")
        assert "cannot be read" in words(backend._repr_html_())
        assert "2 chains" in words(run._repr_html_())

    def test_a_damaged_file(self, tmp_path):
        backend = drawstore.HDF5Backend(tmp_path / "<b>.h5")
        run = fill(backend)
        backend.close()
        (tmp_path / "<b>.h5").write_bytes(b"junk" * 2000)
        for thing in (backend, run):
            said = words(thing._repr_html_())
            assert "cannot be read : '" in said
            assert "<b>.h5' is not an HDF5 file" in said

    def test_a_server_that_is_gone(self, tmp_path):
        backend = drawstore.ClickHouseBackend(
            "clickhouse://me:secret@127.0.0.1:1/db", journal=tmp_path, mode="r"
        )
        said = words(backend._repr_html_())
        assert "cannot be reached" in said
        assert "secret" not in said

    def test_a_file_that_is_gone(self, tmp_path):
        run_emcee(emcee.backends.HDFBackend(tmp_path / "chain.h5"))
        opened = drawstore.open(tmp_path / "chain.h5")
        run = opened.get_run("mcmc")
        (tmp_path / "chain.h5").unlink()
        for thing in (opened, run, run.get_chains()[0]):
            assert "cannot be read" in words(thing._repr_html_())


class TestEmcee:
    @pytest.mark.parametrize("kind", ["memory", "hdf5", "store"])
    def test_a_backend(self, tmp_path, kind):
        backend = {
            "memory": drawstore.emcee.Backend,
            "hdf5": lambda: drawstore.emcee.HDFBackend(tmp_path / "a&b.h5", name="<b>"),
            "store": lambda: drawstore.emcee.Backend(
                store=drawstore.FileBackend(tmp_path / "runs"), rid="<i>"
            ),
        }[kind]()
        assert "no ensemble yet" in words(backend._repr_html_())
        run_emcee(backend)
        said = words(backend._repr_html_())
        assert f"drawstore.emcee.{type(backend).__name__} " in said
        assert "20 steps of 12 walkers · 3 parameters · float64 · acceptance 0." in said
        if kind == "hdf5":
            assert ["file", str(tmp_path / "a&b.h5")] in rows(backend._repr_html_())
            assert ["group", "<b>"] in rows(backend._repr_html_())
            backend.close()
            shutil.copy(__file__, tmp_path / "a&b.h5")
            assert "cannot be read" in words(backend._repr_html_())
        if kind == "store":
            assert ["run", "<i>"] in rows(backend._repr_html_())

    def test_a_result(self):
        backend = drawstore.emcee.Backend()
        sampler = emcee.EnsembleSampler(8, 2, lambda x: -x @ x, backend=backend)
        start = np.random.default_rng(1).normal(size=(8, 2))
        result = drawstore.emcee.run(sampler, start, total=30)
        assert words(result._repr_html_()).startswith("● complete 8 walkers · 2 parameters")
        result = drawstore.emcee.run(sampler, None, converged=True, max_time=0)
        said = words(result._repr_html_())
        assert said.startswith("○ the time is up: start it again 8 walkers")
        assert "○ not converged yet" in said
        assert "30 steps of 8 walkers" in said
        result = drawstore.emcee.run(sampler, None, converged=lambda *_: True)
        said = words(result._repr_html_())
        assert said.startswith("Result 8 walkers")
        assert said.count("● converged") == 1


def test_a_summary():
    run = fill(drawstore.MemoryBackend())
    shown = rows(run.summary()._repr_html_())
    assert shown[0] == ["", "mean", "sd", "5%", "50%", "95%"]
    assert shown[1] == ["x", "0", "0", "0", "0", "0"]
    assert shown[2][0] == "theta[0,0]"
    assert "50 draws in 2 chains" in words(run.summary()._repr_html_())
    meta = drawstore.make_meta({"x": (float, (100,))})
    run = drawstore.MemoryBackend().init_run(meta)
    with run.init_chain(0) as chain:
        chain.extend({"x": np.zeros((5, 100))})
    assert "and 50 more rows" in words(run.summary()._repr_html_())


def test_a_listed_run():
    info = RunInfo("<b>", datetime(2026, 1, 2, tzinfo=UTC), {0: 5}, 2000)
    assert rows(info._repr_html_())[1] == ["<b>", "2026-01-02 00:00 UTC", "1", "5", "2.0 kB"]
