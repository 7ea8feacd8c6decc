"""`drawstore.pymc.StopWhen`: `pm.sample` ends when the run has converged, or the time is up."""

import numpy as np
import pymc as pm
import pytest

import drawstore
from drawstore.autocorr import integrated_time
from drawstore.pymc import StopWhen, TraceBackend
from pymc_runs import QUIET, sample

pytestmark = pytest.mark.filterwarnings(*QUIET)


def at(n_draws):
    """A rule."""
    return lambda status, previous: status.n_steps >= n_draws


@pytest.fixture
def trace(tmp_path):
    with pm.Model():
        pm.HalfNormal("sigma", shape=2)
        yield TraceBackend(drawstore.FileBackend(tmp_path))


def draw(trace, stop, **options):
    return sample(trace, draws=400, tune=20, step=pm.Metropolis(), callback=stop, **options)


@pytest.mark.parametrize("cores", [1, 2])
def test_converged(tmp_path, trace, cores):
    stop = StopWhen(trace, converged=at(60), every=20)
    results = draw(trace, stop, cores=cores)
    assert stop.outcome == "converged"
    lengths = [len(chain) - 20 for chain in trace.run.get_chains()]
    assert min(lengths) == 60
    # PyMC returns what is most: the draws that both have, or all of the longer chain.
    assert len(results) * results.nchains == max(2 * 60, max(lengths))
    if cores == 1:
        assert lengths == [400, 60]  # the first was over when the last began
    status = stop.monitor.update()
    assert status.names == ("sigma[0]", "sigma[1]")  # and not those of the space of the sampler
    assert [chain.n_left_out for chain in status.chains] == [20, 20]
    assert 0 < status.acceptance < 1
    # Any process sees the same.
    chains = drawstore.FileBackend(tmp_path, mode="r").get_run(trace.run_id).get_chains()
    joint = np.stack([chain.get_draws("sigma")[20:80] for chain in chains], axis=1)
    np.testing.assert_allclose(status.tau, integrated_time(joint, tol=0), rtol=1e-8)


def test_it_is_asked_anew_for_each_run(trace):
    stop = StopWhen(trace, converged=at(40), every=20)
    for _ in range(2):
        draw(trace, stop)
        assert stop.outcome == "converged"
        assert len(trace.run.get_chains()[1]) == 60


def test_not_converged(trace):
    stop = StopWhen(trace, converged=at(401))
    draw(trace, stop)
    assert stop.outcome == "complete"
    assert [len(chain) for chain in trace.run.get_chains()] == [420, 420]


def test_time(trace):
    stop = StopWhen(trace, converged=False, max_time=1000, margin=1000)
    # All chains get one draw of warm-up, and then PyMC has nothing to return.
    with pytest.raises(ValueError, match="Not enough samples"):
        draw(trace, stop)
    assert stop.outcome == "time"
    assert [len(chain) for chain in trace.run.get_chains()] == [1, 1]


def test_time_enough(trace):
    stop = StopWhen(trace, converged=False, max_time=1000)
    draw(trace, stop)
    assert stop.outcome == "complete"


def test_errors(trace):
    with pytest.raises(TypeError, match=r"expected the TraceBackend that pm\.sample gets"):
        StopWhen(trace.backend)
    with pytest.raises(TypeError, match="max_time is a number of seconds"):
        StopWhen(trace, max_time="1h")
