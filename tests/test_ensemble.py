"""Runs of ensembles as ArviZ shows emcee's: walkers are chains, and parameters have names."""

from importlib.metadata import version

import arviz
import numpy as np
import pytest
import xarray as xr

import drawstore
from drawstore.emcee import Backend
from drawstore.ensemble import by_walkers
from emcee_runs import assert_same_array, log_prob_blobs
from emcee_runs import run as sample

SHAPE = (12, 5)

NAMES = {"slope": 0, "effect": [1, 2], "mixed": [4, 3]}
DIMS = {"effect": ["group"]}
COORDS = {"group": np.array(["a", "b"])}
IS_NEW = int(version("arviz").split(".")[0]) >= 1


@pytest.fixture(params=["memory", "files"])
def run_of_ensemble(request, tmp_path, monkeypatch):
    in_memory = request.param == "memory"
    store = drawstore.MemoryBackend() if in_memory else drawstore.FileBackend(tmp_path)
    # Blocks of few steps, where they are read.
    monkeypatch.setattr("drawstore.ensemble.walkers._BLOCK_BYTES", 3 * 8 * SHAPE[0] * SHAPE[1])
    with Backend(store=store, parameter_names=NAMES, dims=DIMS, coords=COORDS) as backend:
        sample(backend, shape=SHAPE, function=log_prob_blobs)
        yield backend


def groups_of(tree):
    """The groups of a DataTree or InferenceData, without what differs from call to call."""
    if isinstance(tree, xr.DataTree):
        groups = {name: child.to_dataset() for name, child in tree.children.items()}
    else:
        groups = {name: tree[name] for name in tree.groups()}
    return {name: group.drop_attrs(deep=False) for name, group in groups.items()}, {
        name: {key: value for key, value in group.attrs.items() if key != "created_at"}
        for name, group in groups.items()
    }


def test_as_arviz_shows_it(run_of_ensemble):
    backend = run_of_ensemble
    theirs = arviz.from_emcee(
        backend,
        var_names=list(NAMES),
        slices=[0, slice(1, 3), [4, 3]],
        dims=DIMS,
        coords=COORDS,
    )
    ours = backend.run.to_datatree() if IS_NEW else backend.run.to_inferencedata()
    (mine, my_attrs), (other, other_attrs) = groups_of(ours), groups_of(theirs)
    assert mine.keys() == other.keys() == {"posterior", "sample_stats"}
    assert my_attrs == other_attrs
    for name, group in other.items():
        xr.testing.assert_identical(mine[name].load(), group)


@pytest.mark.skipif(IS_NEW, reason="its conventions are those of the test above")
def test_tree_without_the_newest_arviz(run_of_ensemble):
    tree = run_of_ensemble.run.to_datatree()
    assert tree["posterior/effect"].dims == ("draw", "chain", "group")
    assert_same_array(tree["posterior/effect"].values, run_of_ensemble.get_chain()[:, :, 1:3])
    assert_same_array(tree["sample_stats/lp"].values, run_of_ensemble.get_log_prob())


def test_default_names():
    backend = Backend(store=drawstore.MemoryBackend())
    sample(backend, shape=SHAPE)
    assert list(backend.run.to_datatree()["posterior"]) == [f"var_{i}" for i in range(SHAPE[1])]


def test_groups_are_kept_with_the_run(run_of_ensemble):
    values = np.ones((SHAPE[0], 20, 2))
    run_of_ensemble.run.add_groups(posterior_predictive={"effect": values})
    group = run_of_ensemble.run.to_datatree()["posterior_predictive"]
    assert group["effect"].dims == ("chain", "draw", "group")
    assert list(group["group"].values) == ["a", "b"]
    with pytest.raises(ValueError, match="'posterior' is made of the run itself"):
        run_of_ensemble.run.add_groups(posterior={"effect": values})


class TestWalkers:
    def test_rows(self, run_of_ensemble):
        backend = run_of_ensemble
        shown = by_walkers(backend.run)
        chains = shown.get_chains()
        assert [chain.chain_number for chain in chains] == list(range(SHAPE[0]))
        assert {len(chain) for chain in chains} == {20}
        assert shown.rid == chains[0].rid == backend.rid
        for slc in (slice(None), slice(2, 15, 3), slice(None, None, -1), slice(-4, None)):
            for walker in (0, 5):
                for name, index in NAMES.items():
                    assert_same_array(
                        chains[walker].get_draws(name, slc),
                        backend.get_chain()[slc][:, walker, index],
                    )
                assert_same_array(
                    chains[walker].get_stats("lp", slc), backend.get_log_prob()[slc][:, walker]
                )

    def test_one_draw(self, run_of_ensemble):
        chain = by_walkers(run_of_ensemble.run).get_chains()[3]
        draw = chain.get_draws_at(-2)
        assert list(draw) == list(NAMES)
        for name, value in draw.items():
            assert_same_array(value, run_of_ensemble.get_chain()[-2, 3, NAMES[name]])
        assert list(chain.get_draws_at(0, ["slope"])) == ["slope"]
        assert chain.get_stats_at(4)["lp"] == run_of_ensemble.get_log_prob()[4, 3]
        with pytest.raises(IndexError):
            chain.get_draws_at(20)

    def test_are_only_to_be_read(self, run_of_ensemble):
        shown = by_walkers(run_of_ensemble.run)
        chain = shown.get_chains()[0]
        assert not chain.get_draws("mixed").flags.writeable
        for call in (
            lambda: shown.init_chain(0),
            lambda: chain.append({}),
            lambda: chain.extend({}),
            lambda: chain.announce(1),
        ):
            with pytest.raises(RuntimeError, match="are to be read"):
                call()
        shown.flush()
        shown.close()
        sample(run_of_ensemble, shape=SHAPE, function=log_prob_blobs)

    def test_unknown_names(self, run_of_ensemble):
        chain = by_walkers(run_of_ensemble.run).get_chains()[0]
        with pytest.raises(KeyError, match="slope"):
            chain.get_draws("lp")
        with pytest.raises(KeyError, match="lp"):
            chain.get_stats("slope")

    def test_steps_that_come_later_are_not_shown(self, run_of_ensemble):
        shown = by_walkers(run_of_ensemble.run)
        sample(run_of_ensemble, shape=SHAPE, function=log_prob_blobs)
        assert len(shown.get_chains()[0].get_draws("slope")) == 20

    def test_other_runs_are_left_as_they_are(self):
        other = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": (float, ())}))
        assert by_walkers(other) is other
