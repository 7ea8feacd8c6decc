"""Runs of emcee, against what ArviZ makes of the sampler."""

import arviz
import emcee
import numpy as np
import pytest
import xarray as xr

import drawstore
import drawstore.emcee
from drawstore.warmup import split

DATATREE = int(arviz.__version__.split(".")[0]) >= 1
N_WALKERS, NDIM = 10, 4

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def log_prob(theta):
    return -0.5 * np.sum(theta**2)


def sample(backend, n_steps=30, log_prob=log_prob):
    sampler = emcee.EnsembleSampler(N_WALKERS, NDIM, log_prob, backend=backend)
    sampler.random_state = np.random.RandomState(1).get_state()
    start = np.random.default_rng(1).normal(size=(N_WALKERS, NDIM))
    sampler.run_mcmc(start, n_steps)
    return sampler


def groups(result):
    if isinstance(result, xr.DataTree):
        return {name: node.to_dataset() for name, node in result.children.items()}
    return {name: result[name].copy() for name in result.groups()}


def assert_same(run, sampler, lazy=None, **options):
    expected = groups(arviz.from_emcee(sampler, **options))
    shown = groups(run.to_datatree(lazy=lazy) if DATATREE else run.to_inferencedata(lazy=lazy))
    assert shown.keys() == expected.keys()
    for name, group in expected.items():
        for dataset in (shown[name], group):
            assert dataset.attrs.pop("created_at")
        xr.testing.assert_identical(shown[name], group)


@pytest.mark.parametrize("lazy", [None, True, False])
@pytest.mark.parametrize("ours", [True, False])
def test_files_of_emcee(tmp_path, ours, lazy):
    path = str(tmp_path / "chain.h5")
    backend = drawstore.emcee.HDFBackend(path) if ours else emcee.backends.HDFBackend(path)
    sampler = sample(backend)
    if ours:
        backend.close()
    assert_same(drawstore.open(path).get_run("mcmc"), sampler, lazy)


@pytest.mark.parametrize("lazy", [None, True, False])
@pytest.mark.parametrize("kind", ["memory", "files"])
def test_named_parameters_in_any_store(tmp_path, kind, lazy):
    store = drawstore.MemoryBackend() if kind == "memory" else drawstore.FileBackend(tmp_path)
    named = {"b": 2, "slope": [0, 1], "last": slice(3, 4)}
    dims, coords = {"slope": ["side"]}, {"side": ["left", "right"]}
    backend = drawstore.emcee.Backend(store=store, parameter_names=named, dims=dims, coords=coords)
    sampler = sample(backend)
    options = {"var_names": list(named), "slices": list(named.values())}
    (info,) = store.get_runs()
    assert_same(store.get_run(info.rid), sampler, lazy, **options, dims=dims, coords=coords)


def test_blobs_are_variables(tmp_path):
    def with_blob(theta):
        return log_prob(theta), theta[0] * 2

    backend = drawstore.emcee.HDFBackend(tmp_path / "chain.h5")
    sample(backend, log_prob=with_blob)
    backend.close()
    posterior = drawstore.open(tmp_path / "chain.h5").get_run("mcmc").to_datatree()["posterior"]
    np.testing.assert_array_equal(posterior["blobs"], 2 * posterior["var_0"])


def test_walkers_that_step_on_while_they_are_counted_are_not_uneven():
    walkers = [range(30), range(30), range(31)]  # all that counts here is how long they are
    posterior, warmup = split(walkers, [], ensemble=True)
    assert [len(part) for part in posterior] == [30, 30, 30]
    assert [len(part) for part in warmup] == [0, 0, 0]
    assert [len(part) for part in split(walkers, [])[0]] == [30, 30, 31]
