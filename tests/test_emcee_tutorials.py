"""What emcee's tutorials do with a backend, as short scripts; only the import line is ours."""

import multiprocessing
import os

import emcee
import h5py
import numpy as np
import pytest

import drawstore.emcee

NWALKERS, NDIM = 16, 3


def log_prob(theta):
    return -0.5 * np.sum(theta**2)


def start(seed=42):
    np.random.seed(seed)  # noqa: NPY002 - where emcee takes its random state from
    return np.random.randn(NWALKERS, NDIM)  # noqa: NPY002


@pytest.fixture(params=[emcee.backends, drawstore.emcee], ids=["emcee", "ours"])
def backends(request):
    """The module that the script takes its backends from: both have to do the same."""
    return request.param


def test_default_backend(backends):
    for backend in (None, backends.Backend()):
        coords = start()
        sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend)
        state = sampler.run_mcmc(coords, 30)
        sampler.reset()
        sampler.run_mcmc(state, 50)
        assert sampler.get_chain(discard=10, thin=5, flat=True).shape == (8 * NWALKERS, NDIM)
        assert sampler.get_log_prob().shape == (50, NWALKERS)
        assert 0 < np.mean(sampler.acceptance_fraction) < 1


def test_save_and_read_after_the_sampler_is_gone(tmp_path, backends):
    filename = tmp_path / "tutorial.h5"
    backend = backends.HDFBackend(filename)
    backend.reset(NWALKERS, NDIM)
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend)
    sampler.run_mcmc(start(), 60)
    chain = sampler.get_chain()
    del sampler, backend

    reader = backends.HDFBackend(filename)
    tau = reader.get_autocorr_time(tol=0)
    burn_in, thin = int(np.max(tau)), max(1, int(0.5 * np.min(tau)))
    np.testing.assert_array_equal(
        reader.get_chain(discard=burn_in, thin=thin), chain[burn_in + thin - 1 :: thin]
    )
    assert reader.get_blobs(discard=burn_in, flat=True, thin=thin) is None


def test_monitor_convergence_and_stop(tmp_path, backends):
    backend = backends.HDFBackend(tmp_path / "tutorial.h5")
    backend.reset(NWALKERS, NDIM)
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend)
    taus, old_tau = [], np.inf
    for _ in sampler.sample(start(), iterations=1000):
        if sampler.iteration % 50:
            continue
        tau = sampler.get_autocorr_time(tol=0)
        taus.append(np.mean(tau))
        converged = np.all(tau * 10 < sampler.iteration)
        if converged and np.all(np.abs(old_tau - tau) / tau < 0.2):
            break
        old_tau = tau
    assert 100 <= backend.iteration == sampler.iteration < 1000
    assert len(taus) == sampler.iteration // 50
    assert sampler.get_chain().shape[0] == backend.iteration


def test_resume_with_a_new_backend_and_a_new_sampler(tmp_path, backends):
    filename = tmp_path / "tutorial.h5"
    backend = backends.HDFBackend(filename)
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend)
    sampler.run_mcmc(start(), 20)

    new_backend = backends.HDFBackend(filename)
    assert new_backend.iteration == 20
    new_sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=new_backend)
    new_sampler.run_mcmc(None, 30)
    assert new_backend.iteration == 50
    assert backend.iteration == 50

    coords = start()
    whole = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob)
    whole.run_mcmc(coords, 50)
    np.testing.assert_array_equal(backend.get_chain(), whole.get_chain())


def test_a_second_prior_in_the_same_file(tmp_path, backends):
    filename = tmp_path / "tutorial.h5"
    run = backends.HDFBackend(filename)
    emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=run).run_mcmc(start(), 15)

    other = backends.HDFBackend(filename, name="wide prior")
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, lambda x: log_prob(x / 3), backend=other)
    sampler.run_mcmc(start(7), 25)
    with h5py.File(filename) as file:
        assert sorted(file) == ["mcmc", "wide prior"]
    assert backends.HDFBackend(filename).iteration == 15
    assert backends.HDFBackend(filename, name="wide prior").iteration == 25


def test_temporary_file(backends):
    with backends.TempHDFBackend(dtype=np.float32, compression="gzip") as backend:
        sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend)
        sampler.run_mcmc(start(), 10)
        filename = backend.filename
        assert h5py.is_hdf5(filename)
        assert backend.get_chain().dtype == np.float32
    assert not os.path.exists(filename)


@pytest.mark.parametrize("store", ["memory", "file"])
def test_blobs(tmp_path, backends, store):
    def with_priors(theta):
        return log_prob(theta), -np.sum(theta**2), float(np.mean(theta))

    dtype = [("log_prior", float), ("mean", float)]
    backend = backends.Backend() if store == "memory" else backends.HDFBackend(tmp_path / "b.h5")
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, with_priors, blobs_dtype=dtype, backend=backend)
    sampler.run_mcmc(start(), 12)
    blobs = sampler.get_blobs()
    assert blobs["log_prior"].shape == (12, NWALKERS)
    np.testing.assert_allclose(blobs["mean"], sampler.get_chain().mean(axis=2))
    assert sampler.get_blobs(flat=True).dtype.names == ("log_prior", "mean")


def test_blobs_of_different_kinds(tmp_path, backends):
    def labelled(theta):
        return log_prob(theta), "inside" if np.all(np.abs(theta) < 1) else "out", theta[:2].copy()

    dtype = [("where", "S6"), ("part", np.float32, (2,))]
    sampler = emcee.EnsembleSampler(
        NWALKERS,
        NDIM,
        labelled,
        blobs_dtype=dtype,
        backend=backends.HDFBackend(tmp_path / "b.h5", compression="gzip"),
    )
    sampler.run_mcmc(start(), 8)
    inside = np.all(np.abs(sampler.get_chain()) < 1, axis=2)
    np.testing.assert_array_equal(sampler.get_blobs()["where"] == b"inside", inside)
    np.testing.assert_array_equal(
        sampler.get_blobs()["part"], sampler.get_chain()[..., :2].astype("f4")
    )


def test_strings_as_blobs_need_no_dtype_here(tmp_path):
    """emcee's own file backend refuses these."""

    def labelled(theta):
        return log_prob(theta), "inside" if np.all(np.abs(theta) < 1) else "far outside"

    backend = drawstore.emcee.HDFBackend(tmp_path / "b.h5")
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, labelled, backend=backend)
    sampler.run_mcmc(start(), 8)
    expected = np.where(np.all(np.abs(sampler.get_chain()) < 1, axis=2), "inside", "far outside")
    blobs = drawstore.emcee.HDFBackend(tmp_path / "b.h5").get_blobs()
    assert [list(map(str, row)) for row in blobs] == [list(row) for row in expected]


@pytest.mark.parametrize("options", [{"dtype": np.float32}, {"compression": "gzip"}], ids=str)
def test_inspect_the_file_with_h5py(tmp_path, backends, options):
    backend = backends.HDFBackend(tmp_path / "tutorial.h5", **options)
    emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend).run_mcmc(start(), 10)
    with h5py.File(tmp_path / "tutorial.h5", "r") as file:
        group = file["mcmc"]
        assert sorted(group) == ["accepted", "chain", "log_prob"]
        assert group["chain"].shape == (10, NWALKERS, NDIM)
        assert group.attrs["nwalkers"] == NWALKERS
        assert group["accepted"][...].sum() <= 10 * NWALKERS
        assert group["chain"].dtype == options.get("dtype", np.float64)
    with backend.open() as file:
        np.testing.assert_array_equal(file["mcmc/log_prob"][...], backend.get_log_prob())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes(tmp_path, method):
    """Python warns where a process with threads forks, and warnings are errors here."""
    backend = drawstore.emcee.HDFBackend(tmp_path / "pool.h5", flush_interval=0.01)
    coords = start()
    with multiprocessing.get_context(method).Pool(2) as pool:
        sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, pool=pool, backend=backend)
        sampler.run_mcmc(coords, 20)
    coords = start()
    serial = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob)
    serial.run_mcmc(coords, 20)
    np.testing.assert_array_equal(backend.get_chain(), serial.get_chain())
    assert emcee.backends.HDFBackend(tmp_path / "pool.h5").iteration == 20


def test_a_pool_that_forks_while_steps_wait(tmp_path):
    backend = drawstore.emcee.HDFBackend(tmp_path / "pool.h5", flush_interval=0.001)
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, log_prob, backend=backend)
    for i, _ in enumerate(sampler.sample(start(), iterations=30)):
        if i % 10 == 5:
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert len(pool.map(log_prob, np.zeros((4, NDIM)))) == 4
    assert emcee.backends.HDFBackend(tmp_path / "pool.h5").iteration == 30
