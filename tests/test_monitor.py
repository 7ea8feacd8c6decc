"""`drawstore.Monitor` on ensembles: the numbers, wherever the steps are, and what they cost."""

import arviz
import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.autocorr import integrated_time
from drawstore.emcee import Backend, HDFBackend
from drawstore.monitor import LongEnough
from emcee_runs import sampler_on, start_points

SHAPE = 16, 3


def log_prob(x):
    return -0.5 * np.sum(x**2, axis=-1)


def fresh(kind, folder):
    """Make a backend of emcee."""
    if kind == "memory":
        return Backend()
    if kind == "emcee's memory":
        return emcee.backends.Backend()
    if kind == "emcee's file":
        return emcee.backends.HDFBackend(folder / "chain.h5")
    if kind == "hdf":
        return HDFBackend(folder / "chain.h5")
    stores = {"files": drawstore.FileBackend, "hdf5": drawstore.HDF5Backend}
    return Backend(store=stores[kind](folder / "runs"), rid="job", parameter_names=["a", "b", "c"])


KINDS = ["memory", "emcee's memory", "emcee's file", "hdf", "files", "hdf5"]


def steps_of(backend, seed=1, n=10_000):
    """Sample a step at a time."""
    sampler = sampler_on(backend, log_prob, SHAPE, seed, vectorize=True)
    return sampler, sampler.sample(start_points(SHAPE, seed), iterations=n)


def place_in(folder):
    """Find the file or directory of the backend."""
    return next(path for path in folder.iterdir() if path.name in ("chain.h5", "runs"))


def check_ensemble(status, chain, acceptance):
    tau = integrated_time(chain, tol=0)
    np.testing.assert_allclose(status.tau, tau, rtol=1e-8)
    np.testing.assert_allclose(status.ess, chain.shape[0] * chain.shape[1] / tau, rtol=1e-8)
    assert status.rhat is None
    (progress,) = status.chains
    assert (progress.n_steps, progress.n_walkers) == chain.shape[:2]
    assert status.n_steps == len(chain)
    assert status.n_draws == chain.shape[0] * chain.shape[1]
    np.testing.assert_array_equal(progress.acceptance, acceptance)
    assert status.acceptance == pytest.approx(np.mean(acceptance))


class TestEnsemble:
    @pytest.mark.parametrize("kind", KINDS)
    def test_at_any_point(self, tmp_path, kind):
        backend = fresh(kind, tmp_path)
        sampler, steps = steps_of(backend)
        monitors = [drawstore.Monitor(sampler), drawstore.Monitor(backend)]
        # emcee takes some milliseconds a step into a file.
        for n in (1, 2, 1, 96, *([] if kind == "emcee's file" else [300, 1, 699])):
            for _ in range(n):
                next(steps)
            for monitor in monitors:
                check_ensemble(monitor.update(), sampler.get_chain(), sampler.acceptance_fraction)
        named = ("a", "b", "c") if kind in ("files", "hdf5") else ("var_0", "var_1", "var_2")
        assert monitors[0].update().names == named

    @pytest.mark.parametrize("kind", ["emcee's file", "hdf", "files", "hdf5"])
    def test_read_where_it_is_kept(self, tmp_path, kind):
        """Also while it grows: some steps are in journals then."""
        backend = fresh(kind, tmp_path)
        sampler, steps = steps_of(backend)
        next(steps)
        path = place_in(tmp_path)
        store = drawstore.open(path)
        (info,) = store.get_runs()
        monitors = [drawstore.Monitor(path), drawstore.Monitor(store.get_run(info.rid))]
        for _ in range(3):
            for _ in range(40):
                next(steps)
            for monitor in monitors:
                check_ensemble(monitor.update(), sampler.get_chain(), sampler.acceptance_fraction)

    def test_discard_and_names(self, tmp_path):
        sampler, steps = steps_of(Backend(), n=300)
        monitor = drawstore.Monitor(sampler, names=["m", "n", "o"], discard=120)
        for _ in range(100):
            next(steps)
        status = monitor.update()
        assert (status.n_steps, status.chains[0].n_left_out) == (0, 100)
        assert np.isnan(status.tau).all()
        for _ in steps:
            pass
        status = monitor.update()
        assert (status.n_steps, status.chains[0].n_left_out) == (180, 120)
        assert status.names == ("m", "n", "o")
        np.testing.assert_allclose(
            status.tau, integrated_time(sampler.get_chain(discard=120), tol=0), rtol=1e-8
        )

    def test_parameters_of_several_coordinates(self, tmp_path):
        names = {"x": slice(0, 2), "y": 2}
        store = drawstore.MemoryBackend()
        backend = Backend(store=store, rid="job", parameter_names=names, dims={"x": ["side"]})
        sampler, steps = steps_of(backend, n=50)
        for _ in steps:
            pass
        tau = integrated_time(sampler.get_chain(), tol=0)
        for watched in (backend, store, backend.run):
            status = drawstore.Monitor(watched).update()
            assert status.names == ("x[0]", "x[1]", "y")
            np.testing.assert_allclose(status.tau, tau, rtol=1e-8)
            status = drawstore.Monitor(watched, names=["y"]).update()
            assert status.names == ("y",)
            np.testing.assert_allclose(status.tau, tau[2:], rtol=1e-8)
        # emcee's own way of naming them.
        sampler = emcee.EnsembleSampler(
            *SHAPE, lambda p: -(p["y"] ** 2), parameter_names={"x": [0, 1], "y": 2}
        )
        sampler.run_mcmc(start_points(SHAPE), 10)
        assert drawstore.Monitor(sampler).update().names == ("x[0]", "x[1]", "y")

    @pytest.mark.parametrize("kind", ["memory", "emcee's memory", "hdf", "files"])
    def test_reset(self, tmp_path, kind):
        backend = fresh(kind, tmp_path)
        sampler, steps = steps_of(backend)
        monitor = drawstore.Monitor(backend)
        for n in (200, 100, 250):  # shorter than before, and longer
            backend.reset(*SHAPE)
            sampler, steps = steps_of(backend, seed=n)
            for _ in range(n):
                next(steps)
            check_ensemble(monitor.update(), sampler.get_chain(), sampler.acceptance_fraction)

    @pytest.mark.parametrize("kind", ["hdf", "files", "hdf5"])
    def test_reset_by_who_writes_it(self, tmp_path, kind):
        backend = fresh(kind, tmp_path)
        sampler, steps = steps_of(backend)
        next(steps)
        monitor = drawstore.Monitor(place_in(tmp_path))
        for n in (150, 100, 200):
            backend.reset(*SHAPE)
            if kind == "hdf":
                assert monitor.update().n_steps == 0
            else:
                with pytest.raises(KeyError, match="there is no run 'job'"):
                    monitor.update()
            sampler, steps = steps_of(backend, seed=n)
            for _ in range(n):
                next(steps)
            check_ensemble(monitor.update(), sampler.get_chain(), sampler.acceptance_fraction)

    def test_only_new_steps_are_read(self, tmp_path, monkeypatch):
        backend = fresh("files", tmp_path)
        sampler, steps = steps_of(backend)
        for _ in range(2000):
            next(steps)
        monitor = drawstore.Monitor(backend)
        monitor.update()
        for _ in range(100):
            next(steps)
        monitor.update()
        read = []
        get_draws = type(backend.run.get_chains()[0]).get_draws

        def counting(chain, name, slc=slice(None)):
            values = get_draws(chain, name, slc)
            read.append(len(values))
            return values

        monkeypatch.setattr(type(backend.run.get_chains()[0]), "get_draws", counting)
        for _ in range(50):
            next(steps)
        monitor.update()
        assert 50 <= sum(read) < 60
        check_ensemble(monitor.update(), sampler.get_chain(), sampler.acceptance_fraction)


class TestConverged:
    def test_the_loop(self):
        sampler, steps = steps_of(Backend())
        monitor = drawstore.Monitor(sampler, rule=LongEnough(n_taus=30, change=0.03))
        old_tau = np.inf
        for _ in steps:
            over = monitor.converged()
            if sampler.iteration % 100 == 0:
                tau = sampler.get_autocorr_time(tol=0)
                as_in_the_tutorial = np.all(tau * 30 < sampler.iteration) and np.all(
                    np.abs(old_tau - tau) / tau < 0.03
                )
                assert over == as_in_the_tutorial
                old_tau = tau
            if over:
                break
        assert 100 < sampler.iteration < 10_000
        assert sampler.iteration % 100 == 0

    @pytest.mark.parametrize("more", [0, 1, 57])
    def test_looked_at_now_and_then(self, more):
        sampler, steps = steps_of(Backend())
        often = drawstore.Monitor(sampler, rule=LongEnough(n_taus=30, change=0.05))
        while not often.converged():
            next(steps)
        for _ in range(more):
            next(steps)
        rarely = drawstore.Monitor(sampler, rule=LongEnough(n_taus=30, change=0.05))
        assert rarely.update().converged
        assert rarely.converged()

    def test_a_rule(self):
        seen = []

        def rule(status, previous):
            seen.append((status, previous))
            return status.n_steps >= 80

        sampler, steps = steps_of(Backend())
        monitor = drawstore.Monitor(sampler, rule=rule, every=20)
        for n in (10, 30, 5, 25, 50):  # 10, 40, 45, 70, 120
            for _ in range(n):
                next(steps)
            monitor.update()
        lengths = [(s.n_steps, p and p.n_steps) for s, p in seen]
        assert lengths == [(40, 20), (60, 40), (120, 100)]
        for status, _ in seen:
            chain = sampler.get_chain()[: status.n_steps]
            check_ensemble(status, chain, status.chains[0].acceptance)
        assert monitor.converged()
        status = monitor.update()
        assert status.converged
        assert (status.n_needed, status.expected) == (None, None)

    def test_when(self):
        sampler, steps = steps_of(Backend())
        monitor = drawstore.Monitor(sampler, rule=LongEnough(n_taus=1000), every=50)
        for _ in range(200):
            next(steps)
        status = monitor.update()
        assert status.n_needed % 50 == 0
        assert 0 < status.n_needed - 1000 * np.max(status.tau) <= 50
        seconds = (status.expected - status.time).total_seconds()
        assert seconds * status.mean_rate == pytest.approx(status.n_needed - 200, rel=1e-3)
        assert status.rate > 0

    def test_nan_is_not_converged(self):
        backend = Backend()
        backend.reset(4, 1)
        backend.grow(400, None)
        for i in range(400):
            state = emcee.State(np.arange(4.0)[:, np.newaxis], np.zeros(4))
            backend.save_step(state, np.zeros(4, dtype=bool))
        status = drawstore.Monitor(backend).update()
        assert np.isnan(status.tau).all()
        assert (status.converged, status.n_needed, status.acceptance) == (False, None, 0)


class TestSeveral:
    def test_ensembles_are_compared_as_a_whole(self, tmp_path):
        samplers = []
        for seed, kind in enumerate(("memory", "emcee's memory", "hdf")):
            sampler, steps = steps_of(fresh(kind, tmp_path), seed)
            for _ in range(320 + 10 * seed):
                next(steps)
            samplers.append(sampler)
        monitor = drawstore.Monitor(samplers)
        status = monitor.update()
        chains = [sampler.get_chain()[:320] for sampler in samplers]
        pooled = np.array([chain.reshape(-1, SHAPE[1]) for chain in chains])
        for i in range(SHAPE[1]):
            expected = float(arviz.rhat(pooled[:, :, i], method="split"))
            assert status.rhat[i] == pytest.approx(expected, rel=1e-10)
            expected = float(arviz.rhat(pooled[:, :, i]))
            assert monitor.diagnostics().rhat[i] == pytest.approx(expected, rel=1e-10)
        assert monitor.diagnostics().ess_bulk is None
        tau = integrated_time(np.concatenate(chains, axis=1), tol=0)
        np.testing.assert_allclose(status.tau, tau, rtol=1e-8)
        np.testing.assert_allclose(status.ess, (320 + 330 + 340) * 16 / tau, rtol=1e-8)
        assert status.n_steps == 320
        assert "rhat" in repr(status)

    def test_one_ensemble_has_none(self):
        sampler, steps = steps_of(Backend(), n=10)
        for _ in steps:
            pass
        with pytest.raises(ValueError, match="the walkers of one ensemble are not independent"):
            drawstore.Monitor(sampler).diagnostics()

    def test_other_parameters(self):
        one, other = Backend(), Backend()
        one.reset(8, 2)
        other.reset(8, 3)
        with pytest.raises(ValueError, match="the runs do not have the same parameters"):
            drawstore.Monitor([one, other])


def test_it_prints_as_a_table():
    sampler, steps = steps_of(Backend())
    monitor = drawstore.Monitor(sampler, names=["m", "b", "ln V"])
    assert repr(monitor.update()).startswith("ensemble: 0 steps of 16 walkers\nnot converged yet")
    for _ in range(120):
        next(steps)
    lines = repr(monitor.update()).splitlines()
    assert lines[0] == "ensemble: 120 steps of 16 walkers"
    assert lines[1].startswith("not converged yet, long enough at ")
    assert ", expected 2" in lines[1]
    assert "acceptance 0." in lines[1]
    assert lines[2].split() == ["tau", "ess"]
    assert [line[:4].strip() for line in lines[3:]] == ["m", "b", "ln V"]


class TestErrors:
    def test_not_reset(self):
        with pytest.raises(ValueError, match="make the sampler with it before"):
            drawstore.Monitor(Backend())

    @pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "b"]])
    def test_names_for_each(self, names):
        backend = Backend()
        backend.reset(*SHAPE)
        with pytest.raises(ValueError, match="has 3 parameters and no names for them"):
            drawstore.Monitor(backend, names=names)

    def test_options(self):
        backend = Backend()
        backend.reset(*SHAPE)
        with pytest.raises(ValueError, match="every=0: expected"):
            drawstore.Monitor(backend, every=0)
        with pytest.raises(ValueError, match="discard=-1: expected"):
            drawstore.Monitor(backend, discard=-1)
        with pytest.raises(TypeError, match="rid= says which run"):
            drawstore.Monitor(backend, rid="mcmc")

    def test_what_it_is_not(self, tmp_path):
        with pytest.raises(TypeError, match=r"expected a drawstore\.Run, .*; got builtins\.int"):
            drawstore.Monitor(5)
        with pytest.raises(FileNotFoundError):
            drawstore.Monitor(tmp_path / "nothing.h5")
