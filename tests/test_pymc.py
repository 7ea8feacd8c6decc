"""What PyMC records in a trace of ours, beside what it records in its own."""

from functools import cache

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import drawstore
from drawstore.pymc import TraceBackend
from pymc_runs import QUIET, assert_same, assert_same_chain, line_model, mixed_model, sample

pytestmark = [pytest.mark.filterwarnings(line) for line in QUIET]


def memory(folder):
    return drawstore.MemoryBackend()


def hdf5(folder):
    return drawstore.HDF5Backend(folder / "runs.h5")


def files(folder):
    return drawstore.FileBackend(folder)


PLACES = [memory, files, hdf5]


@pytest.fixture
def backend():
    return drawstore.MemoryBackend()


def compound():
    scale, count, switch = pm.modelcontext(None).free_RVs
    return [pm.NUTS([scale]), pm.Metropolis([count]), pm.BinaryGibbsMetropolis([switch])]


def gibbs():
    scale, count, switch = pm.modelcontext(None).free_RVs
    return [pm.Slice([scale]), pm.Metropolis([count]), pm.BinaryMetropolis([switch])]


@cache
def own_trace(make_model, make_step, discard_tuned_samples):
    with make_model():
        return sample(step=make_step(), discard_tuned_samples=discard_tuned_samples)


@pytest.mark.parametrize("place", [memory, files])
@pytest.mark.parametrize(
    ("make_model", "make_step", "discard_tuned_samples"),
    [
        (line_model, pm.NUTS, False),
        (line_model, pm.NUTS, True),
        (line_model, pm.HamiltonianMC, False),
        (line_model, pm.Metropolis, False),
        (line_model, pm.DEMetropolisZ, False),
        (mixed_model, compound, False),
        (mixed_model, compound, True),
        (mixed_model, gibbs, False),
    ],
)
def test_draws_and_stats_are_those_of_pymcs_own_trace(
    tmp_path, place, make_model, make_step, discard_tuned_samples
):
    with make_model():
        trace = TraceBackend(place(tmp_path))
        ours = sample(trace, step=make_step(), discard_tuned_samples=discard_tuned_samples)
    assert_same(ours, own_trace(make_model, make_step, discard_tuned_samples))
    for chain in trace.run.get_chains():
        assert chain.get_stats("in_warmup").tolist() == [True] * 8 + [False] * 12
        for name in ours.varnames:
            np.testing.assert_array_equal(
                chain.get_draws(name)[8:],
                ours._straces[chain.chain_number].get_values(name)[-12:],
            )


@pytest.mark.filterwarnings("ignore:DEMetropolis should be used with more chains:UserWarning")
def test_chains_that_make_up_a_population(backend):
    with line_model():
        ours, theirs = (
            sample(given, step=pm.DEMetropolis(), chains=4)
            for given in (TraceBackend(backend), None)
        )
    assert_same(ours, theirs)


@pytest.mark.parametrize("place", PLACES)
def test_chains_sampled_in_other_processes(tmp_path, place):
    with mixed_model():
        ours, theirs = (sample(given, cores=2) for given in (TraceBackend(place(tmp_path)), None))
    assert_same(ours, theirs)


def test_groups_are_those_of_pymcs_own_trace(backend):
    with line_model():
        ours, theirs = (
            sample(given, return_inferencedata=True, discard_tuned_samples=False)
            for given in (TraceBackend(backend), None)
        )
    names = theirs.children if hasattr(theirs, "children") else theirs.groups()
    for name in names:
        here, there = (
            group if isinstance(group, xr.Dataset) else group.to_dataset()
            for group in (ours[name], theirs[name])
        )
        clocks = [stat for stat in there if stat.startswith(("perf_", "process_"))]
        xr.testing.assert_equal(here.drop_vars(clocks), there.drop_vars(clocks))
    assert list(ours) == list(theirs)


def test_slices_are_those_of_pymcs_own_trace(backend):
    with line_model():
        ours, theirs = (
            sample(given, step=pm.Metropolis(), discard_tuned_samples=False)._straces[1]
            for given in (TraceBackend(backend), None)
        )
    for part in [slice(None), slice(3, 17, 4), slice(-5, None), slice(7, 7), slice(30, None)]:
        assert_same_chain(ours[part], theirs[part])
        assert_same_chain(ours[2:-1][part], theirs[2:-1][part])
    for name in theirs.varnames:
        np.testing.assert_array_equal(
            ours[4:].get_values(name, burn=3, thin=2), theirs[4:].get_values(name, burn=3, thin=2)
        )
        np.testing.assert_array_equal(
            ours[::-1].get_values(name, thin=3), theirs.get_values(name)[::-3]
        )
        assert len(ours[:0][::-1].get_values(name)) == 0
    for i in (0, 5, -1):
        here, there = ours[2:].point(i), theirs[2:].point(i)
        assert list(here) == list(there)
        assert all(type(here[name]) is type(there[name]) for name in there)
        assert all(np.array_equal(here[name], there[name]) for name in there)


def test_a_slice_is_a_view_of_the_draws():
    with line_model():
        trace = TraceBackend(drawstore.MemoryBackend())
        kept = sample(trace, step=pm.Metropolis())
    (first, _) = trace.run.get_chains()
    assert np.shares_memory(kept._straces[0].get_values("slope"), first.get_draws("slope"))
    assert len(kept._straces[0].get_values("slope")) == 12


def test_warnings_stay_objects_for_pymc_and_are_text_in_the_run(backend):
    with line_model():
        trace = TraceBackend(backend)
        ours, theirs = (
            sample(given, step=pm.NUTS(step_scale=1e4, adapt_step_size=False))
            for given in (trace, None)
        )
    warned = ours.get_sampler_stats("warning")
    assert any(isinstance(warning, pm.stats.convergence.SamplerWarning) for warning in warned.flat)
    kinds = [
        [None if warning is None else (warning.kind, warning.message) for warning in trace.flat]
        for trace in (warned, theirs.get_sampler_stats("warning"))
    ]
    assert kinds[0] == kinds[1]

    chain = trace.run.get_chains()[0]
    stored = chain.get_stats("sampler_0__warning")
    diverging = chain.get_stats("sampler_0__diverging")
    assert diverging.any()
    assert np.ma.getmaskarray(stored).tolist() == (~diverging).tolist()
    assert {text.partition(": ")[0] for text in stored[diverging]} <= {
        "TUNING_DIVERGENCE",
        "DIVERGENCE",
    }


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_what_was_recorded_before_an_interruption_stays(tmp_path, place, cores):
    def interrupt(trace, draw):
        if draw.chain == 0 and draw.draw_idx == 14:
            raise KeyboardInterrupt

    with line_model():
        trace = TraceBackend(place(tmp_path))
        kept = sample(trace, step=pm.Metropolis(), callback=interrupt, cores=cores)
    chains = trace.run.get_chains()
    assert len(chains[0]) == 15
    assert len(kept) <= 15 - 8
    np.testing.assert_array_equal(
        kept._straces[0].get_values("slope"), chains[0].get_draws("slope")[8 : 8 + len(kept)]
    )


@pytest.mark.parametrize("place", PLACES)
def test_the_time_of_sampling_is_kept(tmp_path, place):
    backend = place(tmp_path)
    with line_model():
        trace = TraceBackend(backend)
        sample(trace, step=pm.Metropolis())
    tree = backend.get_run(trace.run_id).to_datatree()
    assert set(tree.children) == {"posterior", "sample_stats", "observed_data", "constant_data"} | {
        "warmup_posterior",
        "warmup_sample_stats",
    }
    for group in ("posterior", "warmup_sample_stats"):
        assert tree[group].attrs["sampling_time"] > 0


def test_what_was_recorded_before_an_error_stays(backend):
    def fail(trace, draw):
        if draw.draw_idx == 4:
            raise ZeroDivisionError

    with line_model():
        trace = TraceBackend(backend)
        with pytest.raises(ZeroDivisionError):
            sample(trace, step=pm.Metropolis(), callback=fail)
    assert [len(chain) for chain in trace.run.get_chains()] == [5, 0]


def test_a_callback_reads_the_trace_while_it_grows(backend):
    seen = []

    def look(trace, draw):
        assert np.array_equal(trace.get_values("sigma_log__")[-1], draw.point["sigma_log__"])
        seen.append((len(trace), trace[-1]["sigma_log__"] == draw.point["sigma_log__"]))

    with line_model():
        sample(TraceBackend(backend), step=pm.Metropolis(), callback=look, chains=1)
    assert seen == [(n, True) for n in range(1, 21)]


def test_each_call_of_sample_begins_a_run(backend):
    with line_model():
        trace = TraceBackend(backend)
        first = sample(trace, step=pm.Metropolis())
        earlier = trace.run_id
        sample(trace, step=pm.Metropolis(), draws=20, random_seed=6)
    with mixed_model():
        other = TraceBackend(backend)
        sample(other, chains=1)
    listed = {run.rid: run.chains for run in backend.get_runs()}
    assert listed == {
        earlier: {0: 20, 1: 20},
        trace.run_id: {0: 28, 1: 28},
        other.run_id: {0: 20},
    }
    before = backend.get_run(earlier).get_chains()[1].get_draws("slope")[8:]
    np.testing.assert_array_equal(before, first._straces[1].get_values("slope"))


def test_only_the_variables_that_are_named_are_kept(backend):
    with line_model():
        trace = TraceBackend(backend, ["mean", "sigma_log__"])
        kept = sample(trace, step=pm.Metropolis())
        everything = sample(step=pm.Metropolis())
        with pytest.raises(ValueError, match="no variables \\['slop'\\]; it has \\['slope'"):
            TraceBackend(backend, var_names=["slop", "mean"])
    assert list(trace.run.variables) == kept.varnames == ["sigma_log__", "mean"]
    for name in kept.varnames:
        np.testing.assert_array_equal(kept.get_values(name), everything.get_values(name))


def test_the_model_is_taken_as_it_is_when_sampling_begins(backend):
    with pm.Model(coords={"group": ["a", "b"]}) as model:
        x = pm.Data("x", [1.0, 2.0], dims="group")
        trace = TraceBackend(backend)
        slope = pm.Normal("slope")
        pm.Deterministic("mean", slope * x, dims="group")
    model.set_data("x", [1.0, 2.0, 3.0], coords={"group": ["a", "b", "c"]})
    kept = sample(trace, step=pm.Metropolis(model=model), model=model, chains=1)
    np.testing.assert_array_equal(kept.get_values("mean")[:, 2], 3 * kept.get_values("slope"))
    assert trace.run.coords["group"].tolist() == ["a", "b", "c"]


def test_nothing_recorded(backend):
    with line_model():
        trace = TraceBackend(backend)
        # Before PyMC 6 no trace is given to samplers of other packages; PyMC 6 says so.
        with pytest.raises((ImportError, ValueError), match="nutpie"):
            sample(trace, nuts_sampler="nutpie", return_inferencedata=True)
    for ask in ("run", "run_id"):
        with pytest.raises(RuntimeError, match=r"nothing was recorded.*nuts_sampler='pymc'"):
            getattr(trace, ask)
    assert backend.get_runs() == []


class Odd(pm.step_methods.compound.BlockedStep):
    """A step method whose statistics are not what they are declared as."""

    name = "odd"
    stats_dtypes_shapes = {  # noqa: RUF012
        "count": (int, []),
        "flag": (bool, []),
        "maybe": (np.float32, None),
        "thing": (object, None),
    }

    def __init__(self, vars, **kwargs):
        self.vars = vars
        self.n = 0

    def step(self, point):
        self.n += 1
        stats = {"count": self.n + 0.5, "flag": self.n, "thing": None}
        if self.n % 3 == 0:
            stats |= {"maybe": None, "thing": {"n": self.n}}
        if self.n % 4 == 0:
            stats |= {"maybe": 0.1, "thing": "text"}
        return point, [stats]

    def set_rng(self, rng):
        pass

    def setup_chain(self, rng, tune, draws):
        pass

    sampling_state = None


def test_stats_of_other_types_than_declared(backend):
    with line_model() as model:
        trace = TraceBackend(backend)
        ours, theirs = (
            sample(given, step=Odd(model.value_vars), chains=1) for given in (trace, None)
        )
    assert_same(ours, theirs)
    (chain,) = trace.run.get_chains()
    assert chain.get_stats("sampler_0__count").tolist() == list(range(1, 21))
    assert np.ma.getmaskarray(chain.get_stats("sampler_0__maybe"))[:4].tolist() == [1, 1, 0, 0]
    things = chain.get_stats("sampler_0__thing")
    assert things[[2, 3]].tolist() == ["{'n': 3}", "text"]
    assert np.ma.getmaskarray(things)[:4].tolist() == [1, 1, 0, 0]
