"""Blobs that are dicts, and those that are missing."""

import emcee
import numpy as np
import pytest

from drawstore.emcee import Backend, HDFBackend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    assert_same_random_state,
    compare_runs,
    log_prob,
    run,
    sampler_on,
    start_points,
    step,
)


@pytest.fixture(params=["memory", "hdf5"])
def backend(request, tmp_path):
    if request.param == "memory":
        yield Backend()
    else:
        with HDFBackend(tmp_path / "chain.h5") as backend:
            yield backend


def dict_of_all(x):
    return log_prob(x), {
        "energy": float(x[0]),
        "step_size": np.float32(x[1]),
        "count": int(10 * x[2]),
        "inside": bool(x[0] > 0),
        "phase": complex(x[0], x[1]),
        "where": x[:2].copy(),
        "name": "b" * int(5 * abs(x[1])),
    }


def without_names(x):
    value, blob = dict_of_all(x)
    del blob["name"]
    return value, blob


class TestDicts:
    def test_become_structured(self, backend):
        def function(x):
            return log_prob(x), {"energy": float(x[0]), "step_size": float(x[1])}

        compare_runs(backend, function=function)
        blobs = backend.get_blobs()
        assert blobs.dtype.names == ("energy", "step_size")
        assert blobs.shape == (20, SHAPE[0])
        assert_same_array(blobs["energy"], backend.get_chain()[..., 0])
        assert_same_array(
            backend.get_blobs(flat=True)["step_size"].reshape(20, -1), blobs["step_size"]
        )

    def test_fields_of_every_type(self, backend):
        compare_runs(backend, function=dict_of_all)
        dtype = backend.get_blobs().dtype
        expected = {
            "energy": "f8", "step_size": "f4", "count": "i8", "inside": "?", "phase": "c16",
            "name": "O",
        }  # fmt: skip
        assert {name: dtype[name] for name in expected} == {
            name: np.dtype(kind) for name, kind in expected.items()
        }
        assert dtype["where"] == np.dtype((float, (2,)))

    @pytest.mark.parametrize("function", [dict_of_all, without_names])
    def test_are_dicts_again_where_a_run_goes_on(self, backend, function):
        whole = Backend()
        run(whole, 12, function=function)
        for _ in range(3):
            run(backend, 4, function=function)
            last = backend.get_last_sample().blobs
            assert all(set(blob) == set(function(start_points()[0])[1]) for blob in last)
        assert_same_backend(backend, whole)

    def test_of_dicts(self):
        def function(x):
            return log_prob(x), {"inner": {"x": float(x[0])}, "list": [1, 2]}

        backend = Backend()
        compare_runs(backend, function=function)
        assert backend.get_blobs()["inner"].dtype == object
        assert backend.get_blobs().dtype["list"] == np.dtype((int, (2,)))

    def test_of_dicts_are_not_for_hdf5(self, tmp_path):
        def function(x):
            return log_prob(x), {"energy": 1.0, "inner": {"x": float(x[0])}}

        with (
            HDFBackend(tmp_path / "chain.h5") as backend,
            pytest.raises(TypeError, match=r"'inner'.*type dict.*blobs_dtype="),
        ):
            run(backend, function=function)

    @pytest.mark.parametrize("key", [1, "", ("a", "b")])
    def test_keys_that_are_no_names(self, backend, key):
        with pytest.raises(TypeError, match="blob keys are to be strings"):
            run(backend, function=lambda x: (log_prob(x), {key: 1.0}))

    def test_empty_ones_are_mere_objects(self, tmp_path):
        def function(x):
            return log_prob(x), {}

        compare_runs(Backend(), function=function)
        with (
            HDFBackend(tmp_path / "chain.h5") as backend,
            pytest.raises(TypeError, match=r"type dict.*blobs_dtype="),
        ):
            run(backend, function=function)


# emcee's moves subtract infinities where a walker has no probability.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
class TestMissing:
    """A function may return None for a walker: ``return -np.inf, None``."""

    @staticmethod
    def function(x):
        if x[0] > 0.8:
            return -np.inf, None
        return dict_of_all(x)

    def test_where_walkers_start(self, backend):
        sampler = run(backend, 20, function=self.function)
        start = np.array([self.function(x)[1] is None for x in start_points()])
        assert start.any()
        first = backend.get_blobs()[0]
        gone = np.isneginf(backend.get_log_prob()[0])
        assert gone.any()
        assert np.all(np.isnan(first["energy"][gone]))
        assert np.all(np.isnan(first["step_size"][gone]))
        assert np.all(np.isnan(first["phase"][gone]))
        assert np.all(np.isnan(first["where"][gone]))
        assert np.all(first["count"][gone] == np.iinfo(np.int64).min)
        assert not first["inside"][gone].any()
        assert not any(first["name"][gone])  # None, in HDF5 an empty string
        assert_same_array(first["energy"][~gone], backend.get_chain()[0, ~gone, 0])
        assert len(sampler.get_last_sample().blobs) == SHAPE[0]

    def test_a_run_goes_on(self, backend):
        whole = Backend()
        run(whole, 6, function=self.function)
        for _ in range(3):
            run(backend, 2, function=self.function)
        assert_same_array(backend.get_chain(), whole.get_chain())
        for name in set(whole.get_blobs().dtype.names) - {"name"}:
            assert_same_array(backend.get_blobs()[name], whole.get_blobs()[name])

    def test_all_but_one_walker_at_first(self, backend):
        start = start_points() + np.array([2.0, 0.0, 0.0])
        start[5, 0] = 0.0
        sampler = sampler_on(backend, self.function)
        sampler.run_mcmc(start, 30)
        found = np.isfinite(backend.get_blobs()["energy"])
        assert 1 <= found[0].sum() < SHAPE[0] // 2
        assert_same_array(found, np.isfinite(backend.get_log_prob()))

    def test_one_value(self, backend):
        def function(x):
            return log_prob(x), {"energy": None if x[0] > 0 else float(x[0]), "n": 1}

        run(backend, 5, function=function)
        energy = backend.get_blobs()["energy"]
        assert energy.dtype == float
        assert_same_array(np.isnan(energy), backend.get_chain()[..., 0] > 0)
        assert np.all(backend.get_blobs()["n"] == 1)

    def test_no_dict_at_all_at_first(self):
        backend = Backend()
        backend.reset(*SHAPE)
        nothing = np.full(SHAPE[0], None)
        later = np.array([{"energy": 1.0}] * SHAPE[0], dtype=object)
        backend.grow(2, nothing)
        backend.save_step(*step(0, blobs=nothing))
        backend.grow(2, later)
        backend.save_step(*step(1, blobs=later))
        assert backend.get_blobs()[1, 0] == {"energy": 1.0}

    def test_no_dict_at_all_later(self, backend):
        backend.reset(*SHAPE)
        blobs = np.array([{"energy": 1.0}] * SHAPE[0], dtype=object)
        nothing = np.full(SHAPE[0], None)
        for each in (blobs, nothing, blobs):
            backend.grow(1, each)
            backend.save_step(*step(0, blobs=each))
        assert backend.get_blobs()["energy"][:, 0].tolist()[::2] == [1.0, 1.0]
        assert np.all(np.isnan(backend.get_blobs()["energy"][1]))


class TestDictsThatChange:
    @pytest.mark.parametrize(
        ("changed", "error", "message"),
        [
            ({"energy": 1.0}, ValueError, r"walker 3.*missing \['n'\], unexpected \[\]"),
            ({"energy": 1.0, "n": 1, "m": 2}, ValueError, r"missing \[\], unexpected \['m'\]"),
            ({"Energy": 1.0, "n": 1}, ValueError, r"missing \['energy'\], unexpected \['Energy'\]"),
            ({"energy": 1.0, "n": 0.5}, TypeError, r"'n' of walker 3 is of dtype float64.*int64"),
            ({"energy": "high", "n": 1}, TypeError, r"'energy' of walker 3 is of dtype .*float64"),
            ({"energy": [1.0, 2.0], "n": 1}, ValueError, r"'energy' of walker 3 has shape \(2,\)"),
            (3.0, TypeError, r"walker 3 is of type float.*dicts"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("when", ["save_step", "grow"])
    def test_are_refused(self, backend, changed, error, message, when):
        good = np.array([{"energy": 0.5, "n": 2}] * SHAPE[0], dtype=object)
        bad = good.copy()
        bad[3] = changed
        backend.reset(*SHAPE)
        backend.grow(4, good)
        backend.save_step(*step(0, blobs=good))
        before = backend.accepted.copy(), backend.random_state
        refused = {
            "grow": (backend.grow, (1, bad)),
            "save_step": (backend.save_step, step(1, blobs=bad)),
        }
        call, args = refused[when]
        with pytest.raises(error, match=message):
            call(*args)
        assert backend.iteration == 1
        assert_same_array(backend.accepted, before[0])
        assert_same_random_state(backend.random_state, before[1])
        backend.save_step(*step(1, blobs=good))
        assert backend.get_blobs()["n"].tolist() == [[2] * SHAPE[0]] * 2

    def test_in_a_run(self, backend):
        calls = []

        def function(x):
            calls.append(x)
            return log_prob(x), {"energy": 1.0, ("late" if len(calls) > 60 else "early"): 2.0}

        with pytest.raises(ValueError, match=r"missing \['early'\], unexpected \['late'\]"):
            run(backend, 20, function=function)
        saved = backend.iteration
        assert 0 < saved < 20
        assert backend.get_blobs()["early"].shape == (saved, SHAPE[0])
        run(backend, 2, function=lambda x: (log_prob(x), {"energy": 1.0, "early": 2.0}))
        assert backend.iteration == saved + 2


MOVES = {
    "stretch": lambda: emcee.moves.StretchMove(),
    "walk": lambda: emcee.moves.WalkMove(),
    "de": lambda: emcee.moves.DEMove(),
    "snooker": lambda: emcee.moves.DESnookerMove(),
    "kde": lambda: emcee.moves.KDEMove(),
    **{
        f"gaussian {mode}": lambda mode=mode: emcee.moves.GaussianMove(0.3, mode=mode)
        for mode in ("vector", "random", "sequential")
    },
    "mixture": lambda: [(emcee.moves.DEMove(), 0.6), (emcee.moves.StretchMove(), 0.4)],
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_moves_mix_dicts(backend, move):
    whole = compare_runs(backend, 15, function=dict_of_all, moves=move())
    compare_runs(backend, 15, whole, function=dict_of_all, moves=move())
