"""`drawstore.Monitor` on chains: warm-up, R-hat, and chains that other processes write."""

import sys
from itertools import pairwise

import arviz
import numpy as np
import pytest

import drawstore
from drawstore.autocorr import integrated_time
from drawstore.monitor import LongEnough
from drawstore.monitor.agreement import RunningRhat
from growing_chains import DRAWS, META, extend
from scripting import finish, start, wait_for

STORES = {
    "memory": lambda folder: drawstore.MemoryBackend(),
    "files": lambda folder: drawstore.FileBackend(folder / "runs"),
    "hdf5": lambda folder: drawstore.HDF5Backend(folder / "runs.h5"),
}


@pytest.fixture(params=[*STORES, "clickhouse"])
def store(request, tmp_path):
    if request.param == "clickhouse":
        server = request.getfixturevalue("clickhouse")
        server.query("DROP DATABASE IF EXISTS monitored")
        url = f"clickhouse://127.0.0.1:{server.http}/monitored"
        with drawstore.ClickHouseBackend(url, journal=tmp_path / "journals") as backend:
            yield backend
        return
    with STORES[request.param](tmp_path) as backend:
        yield backend


def as_kept(draws):
    """The parameters as they are read, shape (n, 3)."""
    return np.concatenate([draws[:, :1], draws[:, 1:].astype(np.float32)], axis=1)


def check_chains(status, posteriors):
    """Compare with the posterior draws of each chain."""
    shortest = min(map(len, posteriors))
    joint = np.stack([as_kept(draws[:shortest]) for draws in posteriors], axis=1)
    tau = integrated_time(joint, tol=0)
    np.testing.assert_allclose(status.tau, tau, rtol=1e-8)
    np.testing.assert_allclose(status.ess, sum(map(len, posteriors)) / tau, rtol=1e-8)
    assert [chain.n_steps for chain in status.chains] == [len(draws) for draws in posteriors]
    assert status.n_steps == shortest
    return joint


class TestChains:
    def test_as_they_grow(self, store):
        run = store.init_run(drawstore.make_meta(**META))
        chains = [run.init_chain(number) for number in range(3)]
        monitor = drawstore.Monitor(store)
        for draws, chain in zip(DRAWS, chains, strict=True):
            extend(chain, 5 + draws[:60], tune=True, accept=0.1)
        status = monitor.update()
        assert status.n_steps == 0
        assert status.names == ("x", "y[0]", "y[1]")
        assert np.isnan(status.tau).all()
        assert status.acceptance is None
        for end in (10, 320, 512, 1000):
            for draws, chain in zip(DRAWS, chains, strict=True):
                extend(chain, draws[len(chain) - 60 : end + chain.chain_number], tune=False)
            status = monitor.update()
            posteriors = [draws[: end + number] for number, draws in enumerate(DRAWS)]
            joint = check_chains(status, posteriors)
            assert [chain.n_left_out for chain in status.chains] == [60] * 3
            assert [chain.label for chain in status.chains] == ["0", "1", "2"]
            assert status.acceptance == pytest.approx(0.8)
            exact = end in (320, 512)  # else the halves meet near the middle
            for i in range(3):
                expected = float(arviz.rhat(joint[:, :, i].T, method="split"))
                assert status.rhat[i] == pytest.approx(expected, rel=1e-10 if exact else 2e-2)
        assert repr(status).startswith("chain 0: 1000 steps and 60 left out; chain 1: 1001 ")

    def test_warm_up_again(self, store):
        run = store.init_run(drawstore.make_meta(**META))
        chain = run.init_chain(0)
        monitor = drawstore.Monitor(run, discard=10)
        posterior = []
        for (begin, end), tune in zip(
            pairwise((0, 30, 200, 220, 221, 400, 600)), (1, 0, 1, 0, 0, 0), strict=True
        ):
            extend(chain, DRAWS[0][begin:end], tune=bool(tune))
            if not tune:
                posterior.append(DRAWS[0][begin:end])
                check_chains(monitor.update(), [np.concatenate(posterior)[10:]])
        status = monitor.update()
        assert status.rhat is None
        assert status.chains[0].n_left_out == 30 + 20 + 10

    def test_chains_that_begin_later(self, store):
        """As where one process draws them one after the other."""
        run = store.init_run(drawstore.make_meta(**META))
        rule = LongEnough(n_taus=1, change=1, rhat=2)
        monitor = drawstore.Monitor(run, rule=rule, every=50)
        assert monitor.update().chains == ()
        first, second = run.init_chain(0), run.init_chain(1)
        extend(first, DRAWS[0][:400], tune=False)
        status = monitor.update()
        check = integrated_time(as_kept(DRAWS[0][:400])[:, np.newaxis], tol=0)
        np.testing.assert_allclose(status.tau, check, rtol=1e-8)
        assert (status.n_steps, status.converged, status.rhat) == (0, False, None)
        extend(second, DRAWS[1][:60], tune=False)
        assert not monitor.converged()
        extend(second, DRAWS[1][60:300], tune=False)
        assert monitor.converged()
        check_chains(monitor.update(), [DRAWS[0][:400], DRAWS[1][:300]])
        extend(run.init_chain(2), DRAWS[2][:100], tune=False)
        status = monitor.update()
        check_chains(status, [DRAWS[0][:400], DRAWS[1][:300], DRAWS[2][:100]])
        assert status.n_steps == 100

    def test_names(self, store):
        run = store.init_run(drawstore.make_meta(**META))
        extend(run.init_chain(0), DRAWS[0][:50], tune=False)
        status = drawstore.Monitor(run, names=["y"]).update()
        assert status.names == ("y[0]", "y[1]")
        for names in (["z"], ["x", "note"], [], "x"):
            with pytest.raises(ValueError, match=r"variables to follow, of \['x', 'y'\]; got"):
                drawstore.Monitor(run, names=names)

    def test_chains_apart_do_not_converge(self):
        run = drawstore.MemoryBackend().init_run(drawstore.make_meta(**META))
        for number, draws in enumerate(DRAWS):
            extend(run.init_chain(number), draws + number, tune=False)
        rule = LongEnough(n_taus=100, change=0.5)
        assert not drawstore.Monitor(run, rule=rule).update().converged
        assert drawstore.Monitor(run, rule=LongEnough(100, 0.5, rhat=2)).update().converged

    def test_one_run_of_several(self, store):
        for rid in ("one", "two"):
            run = store.init_run(drawstore.make_meta(**META, rid=rid))
            extend(run.init_chain(0), DRAWS[0][:50], tune=False)
        with pytest.raises(ValueError, match="or the id of one as rid=; there are 'one', 'two'"):
            drawstore.Monitor(store)
        with pytest.raises(KeyError):
            drawstore.Monitor(store, rid="three")
        assert drawstore.Monitor(store, rid="two").update().n_steps == 50
        status = drawstore.Monitor([store.get_run("one"), store.get_run("two")]).update()
        assert [chain.label for chain in status.chains] == ["one/0", "two/0"]
        assert status.rhat.shape == (3,)

    def test_nothing_to_follow(self):
        store = drawstore.MemoryBackend()
        with pytest.raises(ValueError, match="there is no run yet"):
            drawstore.Monitor(store)
        run = store.init_run(drawstore.make_meta({"note": ("str", ())}))
        with pytest.raises(ValueError, match="has no numeric variable of a fixed shape"):
            drawstore.Monitor(run)

    def test_walkers_that_are_chains(self):
        """As in a file of emcee that was converted."""
        meta = {**META, "attributes": {"inference_library": "emcee"}}
        run = drawstore.MemoryBackend().init_run(drawstore.make_meta(**meta, rid="walkers"))
        for number, draws in enumerate(DRAWS):
            extend(run.init_chain(number), draws[:500], tune=False)
        status = drawstore.Monitor(run).update()
        joint = np.stack([as_kept(draws[:500]) for draws in DRAWS], axis=1)
        np.testing.assert_allclose(status.tau, integrated_time(joint, tol=0), rtol=1e-8)
        assert status.rhat is None
        (progress,) = status.chains
        assert (progress.label, progress.n_walkers, progress.n_steps) == ("walkers", 3, 500)


class TestDiagnostics:
    def test_of_all_draws(self):
        run = drawstore.MemoryBackend().init_run(drawstore.make_meta(**META))
        for number, draws in enumerate(DRAWS):
            extend(run.init_chain(number), 7 * draws[:50], tune=True)
            extend(run.get_chains()[number], (1 + number) * draws[: 500 + number], tune=False)
        found = drawstore.Monitor(run).diagnostics()
        joint = np.stack([(1 + i) * as_kept(draws[:500]) for i, draws in enumerate(DRAWS)])
        assert (found.names, found.n_steps) == (("x", "y[0]", "y[1]"), 500)
        for i in range(3):
            values = joint[:, :, i].copy()
            assert found.rhat[i] == pytest.approx(float(arviz.rhat(values)), rel=1e-5)
            assert found.ess_bulk[i] == pytest.approx(float(arviz.ess(values)), rel=1e-4)
            tail = float(arviz.ess(values, method="tail", prob=(0.05, 0.95)))
            assert found.ess_tail[i] == pytest.approx(tail, rel=1e-2)
        # It sees what moments of the halves do not: chains that differ in spread.
        assert np.all(drawstore.Monitor(run).update().rhat < 1.05)
        assert np.all(found.rhat > 1.1)

    def test_one_chain(self):
        run = drawstore.MemoryBackend().init_run(drawstore.make_meta(**META))
        chain = run.init_chain(0)
        monitor = drawstore.Monitor(run)
        with pytest.raises(ValueError, match="there are 0 draws of each chain yet"):
            monitor.diagnostics()
        extend(chain, DRAWS[0], tune=False)
        found = monitor.diagnostics()
        assert found.rhat is None
        assert np.all(found.ess_bulk > 100)

    def test_without_arviz(self, monkeypatch):
        run = drawstore.MemoryBackend().init_run(drawstore.make_meta(**META))
        extend(run.init_chain(0), DRAWS[0], tune=False)
        for name in ("arviz", "arviz_stats"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match="needs arviz-stats, or ArviZ"):
            drawstore.Monitor(run).diagnostics()


def test_rhat_of_any_length_and_in_any_portions():
    draws = np.stack(DRAWS, axis=1)
    draws = np.concatenate([draws] * 20)[:20_000] + np.arange(3)[:, np.newaxis] / 10
    kept = RunningRhat([1, 1, 1], 3)
    assert np.isnan(kept.rhat()).all()
    done = 0
    for n in (1, 2, 30, 7, 1000, 15_000, 3960):
        kept.add(draws[done : done + n])
        done += n
        assert kept.n_steps == done
        if done < 33:
            continue
        for i in range(3):
            expected = float(arviz.rhat(draws[:done, :, i].T.copy(), method="split"))
            assert kept.rhat()[i] == pytest.approx(expected, rel=5e-3 if done > 100 else 0.2)
    assert done == 20_000


WRITER = """
import sys
import numpy as np, drawstore
store = drawstore.FileBackend(sys.argv[1])
run = store.init_run(drawstore.make_meta({"x": ("float64", (3,))}))
chain = run.init_chain(0)
draws = np.load(sys.argv[2])
for n in (300, 700):
    chain.extend({"x": draws[len(chain):n]})
    print(n, flush=True)
    sys.stdin.readline()
"""


def test_another_process_writes(tmp_path):
    np.save(tmp_path / "draws.npy", DRAWS[0])
    writer = start(WRITER, tmp_path / "runs", tmp_path / "draws.npy")
    wait_for(writer, "300")
    monitor = drawstore.Monitor(tmp_path / "runs")
    for n in (300, 700):
        status = monitor.update()
        tau = integrated_time(DRAWS[0][:n, np.newaxis], tol=0)
        np.testing.assert_allclose(status.tau, tau, rtol=1e-8)
        assert status.n_steps == n
        if n == 300:
            writer.stdin.write("go on\n")
            writer.stdin.flush()
            wait_for(writer, "700")
    finish(writer)
