"""Runs of PyMC's samplers, against what PyMC makes of the same trace."""

import warnings

import arviz
import matplotlib as mpl
import numpy as np
import pymc
import pytest
import xarray as xr

from drawstore import MemoryBackend
from drawstore.pymc import TraceBackend
from drawstore.pymc.describe import text_of

mpl.use("agg")

DATATREE = int(arviz.__version__.split(".")[0]) >= 1


def sample(model, **options):
    """Sample into a run; give PyMC's trace, and the run."""
    with model, warnings.catch_warnings():
        # Of few draws, of the warm-up that is kept, and that PyMC 6 prefers other results.
        warnings.simplefilter("ignore")
        backend = TraceBackend(MemoryBackend())
        trace = pymc.sample(
            draws=30,
            tune=20,
            chains=2,
            cores=1,
            random_seed=1,
            trace=backend,
            progressbar=False,
            compute_convergence_checks=False,
            discard_tuned_samples=False,
            return_inferencedata=False,
            **options,
        )
    return trace, backend.run


def show(run, **options):
    return run.to_datatree(**options) if DATATREE else run.to_inferencedata(**options)


def groups(result):
    """Give the datasets by name."""
    if isinstance(result, xr.DataTree):
        return {name: node.to_dataset() for name, node in result.children.items()}
    return {name: result[name].copy() for name in [*result._groups, *result._groups_warmup]}


def assert_same(run, trace, model):
    """Compare all groups, but for times; the samplers' warnings are text with us."""
    with model:
        theirs = groups(pymc.to_inference_data(trace, save_warmup=True))
    ours = groups(show(run))
    assert ours.keys() == theirs.keys()
    for name, group in theirs.items():
        for dataset in (ours[name], group):
            assert dataset.attrs.pop("created_at")
            dataset.attrs.pop("sampling_time", None)
        if "warning" in group:
            values = group["warning"].values
            for index, value in np.ndenumerate(values):
                values[index] = None if value is None else text_of(value)
        xr.testing.assert_identical(ours[name], group)


@pytest.fixture(scope="module")
def model():
    with pymc.Model(coords={"group": ["a", "b", "c"], "year": [2001, 2002]}) as model:
        pymc.Data("x", np.arange(6.0).reshape(3, 2), dims=("group", "k"))
        pymc.Data("offset", 0.5)
        mean = pymc.Normal("mean", 0, 1, dims="group")
        scale = pymc.HalfNormal("scale")
        pair = pymc.Normal("pair", 0, 1, shape=(2,))
        count = pymc.Poisson("count", 3)
        pymc.Bernoulli("switch", 0.5)
        pymc.Deterministic("twice", 2 * mean, dims="group")
        pymc.Deterministic("sum", pair[0] + count)
        pymc.Normal("y", mean, scale, observed=[1.0, 2.0, 3.0], dims="group")
        pymc.Normal("z", pair[1], 1, observed=0.5)
    return model


def test_a_compound_step_gives_what_pymc_gives(model):
    trace, run = sample(model)
    assert_same(run, trace, model)
    assert "scale_log__" not in groups(show(run))["posterior"]
    assert "scale_log__" in groups(show(run, include_transformed=True))["posterior"]


def test_several_samplers_of_one_kind_are_stacked(model):
    with model:
        steps = [pymc.Metropolis([model["mean"]]), pymc.NUTS([model["scale"], model["pair"]])]
        steps += [pymc.Metropolis([model["count"]])]
    trace, run = sample(model, step=steps)
    assert_same(run, trace, model)
    stats = groups(show(run))["sample_stats"]
    assert stats["scaling"].shape == (2, 30, 2)
    assert stats["accept"].dims == ("chain", "draw", "accept_dim_0")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of ArviZ and Matplotlib
def test_nuts_alone_and_its_plots():
    with pymc.Model() as model:
        center = pymc.Normal("center")
        pymc.HalfNormal("scale")
        pymc.Normal("y", center, 1, observed=np.zeros(4))
    trace, run = sample(model)
    assert_same(run, trace, model)
    result = show(run)
    arviz.plot_energy(result)
    mpl.pyplot.close("all")
    assert list(arviz.summary(result).index) == ["center", "scale"]
    assert np.isfinite(arviz.ess(result)["center"])
    lp = trace.get_sampler_stats("model_logp", combine=False)
    np.testing.assert_array_equal(groups(result)["sample_stats"]["lp"], np.array(lp)[:, 20:])
