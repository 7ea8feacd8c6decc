"""What other packages, and scripts around them, do with a backend."""

import arviz
import corner
import dill
import emcee
import matplotlib
import numpy as np
import pandas
import pytest

from drawstore.emcee import Backend, HDFBackend
from emcee_runs import SHAPE, assert_same_array, assert_same_backend, log_prob_blobs, run

matplotlib.use("Agg")


@pytest.fixture(params=["memory", "hdf"])
def backend(request, tmp_path):
    return Backend() if request.param == "memory" else HDFBackend(tmp_path / "a.h5")


@pytest.fixture
def theirs():
    backend = emcee.backends.Backend()
    return run(backend, 60, log_prob_blobs)


GROUPS = ["posterior", "sample_stats", "log_likelihood", "posterior_predictive"]


def from_emcee(sampler):
    """ArviZ's view of a sampler: InferenceData before version 1.0, then a DataTree."""
    return arviz.from_emcee(
        sampler,
        var_names=["a", "b", "c"],
        blob_names=["x", "y"],
        blob_groups=["log_likelihood", "posterior_predictive"],
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_arviz_reads_the_sampler(backend, theirs):
    ours = from_emcee(run(backend, 60, log_prob_blobs))
    expected = from_emcee(theirs)
    for group in GROUPS:
        assert list(ours[group].data_vars) == list(expected[group].data_vars)
        assert dict(ours[group].sizes) == dict(expected[group].sizes)
        for name, values in expected[group].data_vars.items():
            assert_same_array(ours[group][name].values, values.values)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_arviz_reads_a_file_through_a_reader(tmp_path, theirs):
    run(HDFBackend(tmp_path / "a.h5"), 60, log_prob_blobs)
    reader = HDFBackend(tmp_path / "a.h5", read_only=True)
    sampler = emcee.EnsembleSampler(*SHAPE, log_prob_blobs, backend=reader)
    ours, expected = from_emcee(sampler), from_emcee(theirs)
    for name, values in expected.posterior.data_vars.items():
        assert_same_array(ours.posterior[name].values, values.values)


def test_corner_draws_the_flat_chain(backend):
    run(backend, 60)
    flat = backend.get_chain(flat=True, discard=10, thin=2)
    figure = corner.corner(flat, labels=["a", "b", "c"], truths=flat.mean(axis=0))
    assert len(figure.axes) == 9
    matplotlib.pyplot.close(figure)


def test_pandas_takes_the_flat_chain(backend):
    run(backend, 30)
    frame = pandas.DataFrame(backend.get_chain(flat=True), columns=["a", "b", "c"])
    frame["log_prob"] = backend.get_log_prob(flat=True)
    frame["a"] += 1.0
    assert len(frame) == 30 * SHAPE[0]
    assert np.isclose(frame["a"].mean(), 1.0 + backend.get_chain()[..., 0].mean())


def test_a_reader_watches_while_it_runs(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=60.0)
    sampler = emcee.EnsembleSampler(*SHAPE, log_prob_blobs, backend=backend)
    reader = HDFBackend(tmp_path / "a.h5", read_only=True)
    start = np.random.RandomState(1).randn(*SHAPE)
    for i, state in enumerate(sampler.sample(start, iterations=25)):
        assert reader.iteration == i + 1
        assert_same_array(reader.get_chain()[-1], state.coords)
        assert_same_array(reader.get_last_sample().log_prob, state.log_prob)
    assert_same_backend(reader, backend)


def test_a_whole_sampler_goes_through_dill(backend):
    sampler = run(backend, 15, log_prob_blobs)
    copied = dill.loads(dill.dumps(sampler))
    assert_same_backend(copied.backend, backend)
    expected = emcee.backends.Backend()
    run(expected, 15, log_prob_blobs)
    continued = emcee.EnsembleSampler(*SHAPE, log_prob_blobs, backend=expected)
    continued.run_mcmc(None, 10)
    copied.run_mcmc(None, 10)
    assert_same_array(copied.get_chain(), continued.get_chain())
