"""How a model describes the run of its draws."""

from datetime import datetime

import numpy as np
import pymc as pm
import pytest

import drawstore
from drawstore.meta import unpack_value
from drawstore.pymc import TraceBackend
from pymc_runs import QUIET, line_model, mixed_model, sample

pytestmark = [pytest.mark.filterwarnings(line) for line in QUIET]


def run_of(model, **options):
    with model:
        trace = TraceBackend(drawstore.MemoryBackend())
        sample(trace, chains=1, draws=1, tune=1, **options)
    return trace.run


def test_variables():
    run = run_of(line_model())
    found = {
        name: (v.dtype, list(v.shape), list(v.dims), v.is_deterministic)
        for name, v in run.variables.items()
    }
    assert found == {
        "slope": ("float64", [2], ["side"], False),
        "sigma_log__": ("float64", [], [], False),
        "sigma": ("float64", [], [], False),
        "mean": ("float64", [3], ["group"], True),
    }


def test_coordinates_and_data():
    model = line_model()
    run = run_of(model)
    assert {name: values.tolist() for name, values in run.coords.items()} == {
        "group": ["a", "b", "c"],
        "side": [1, 2],
    }
    assert run.dims["x"] == ["group", "side"]
    assert run.dims["y"] == ["group"]
    np.testing.assert_array_equal(run.constant_data["x"], model["x"].get_value())
    assert list(run.constant_data) == ["x"]
    np.testing.assert_array_equal(run.observed_data["y"], model.rvs_to_values[model["y"]].data)
    assert list(run.observed_data) == ["y"]


def test_stats_of_each_sampler():
    run = run_of(mixed_model())
    found = {name: v.dtype for name, v in run.sample_stats.items()}
    with mixed_model():
        own = sample(chains=1, draws=1, tune=1)._straces[0].sampler_vars
    assert len(own) == 3
    expected = {
        f"sampler_{i}__{name}": "str" if name == "warning" else np.dtype(dtype).name
        for i, sampler in enumerate(own)
        for name, dtype in sampler.items()
    }
    assert found == {**expected, "in_warmup": "bool"}
    assert all(not v.shape and not v.undefined_ndim for v in run.sample_stats.values())
    assert run.variables["count"].dtype == "int64"


def test_attributes():
    attributes = {k: unpack_value(v) for k, v in run_of(mixed_model()).meta.attributes.items()}
    assert attributes == {
        "inference_library": "pymc",
        "inference_library_version": pm.__version__,
    }


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0.5, 1.5], np.array([0.5, 1.5])),
        (["", "ü"], np.array(["", "ü"])),
        (
            [datetime(2020, 1, 1), datetime(2021, 6, 1)],
            np.array(["2020-01-01", "2021-06-01"], dtype="datetime64[ns]"),
        ),
        ([("a", 1), ("b", 2)], np.array(["('a', 1)", "('b', 2)"])),
        ([None, 3], np.array(["None", "3"])),
    ],
)
def test_labels_of_any_kind(labels, expected):
    with pm.Model(coords={"where": labels}) as model:
        pm.Normal("x", dims="where")
    found = run_of(model, step=None).coords["where"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_dimensions_without_labels():
    with pm.Model() as model:
        model.add_coord("where", length=2)
        pm.Normal("x", dims="where")
    run = run_of(model)
    assert run.coords == {}
    assert run.dims == {"x": ["where"]}


@pytest.mark.filterwarnings("ignore:Data in y contains missing values")
def test_missing_observations():
    with pm.Model() as model:
        pm.Normal("y", observed=np.ma.masked_invalid([1.0, np.nan, 3.0]))
    run = run_of(model)
    assert run.observed_data["y_observed"].tolist() == [1, 3]
    assert set(run.variables) == {"y_unobserved", "y"}


def test_masked_data_are_nan():
    with pm.Model() as model:
        data = pm.Data("data", [1, 2, 3])
        pm.Poisson("y", pm.Normal("x") ** 2, observed=data[[1]].set(4))
    np.testing.assert_array_equal(run_of(model).observed_data["y"], [1, np.nan, 3])
