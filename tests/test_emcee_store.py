"""emcee on any store: the same script, the same answers, in a run of drawstore."""

import pickle

import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from blob_kinds import ONLY_IN_MEMORY, STORABLE, kinds, returning
from drawstore.emcee import Backend, StoreBackend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    assert_same_random_state,
    compare_runs,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    step,
)

STORES = {
    "memory": lambda folder: drawstore.MemoryBackend(),
    "files": lambda folder: drawstore.FileBackend(folder / "runs"),
    "hdf5": lambda folder: drawstore.HDF5Backend(folder / "runs.h5"),
}


@pytest.fixture(params=[*STORES, "clickhouse"])
def store(request, tmp_path):
    if request.param == "clickhouse":
        server = request.getfixturevalue("clickhouse")
        store = drawstore.ClickHouseBackend(
            f"clickhouse://127.0.0.1:{server.http}/{tmp_path.name}", journal=tmp_path / "journals"
        )
    else:
        store = STORES[request.param](tmp_path)
    with store:
        yield store


@pytest.fixture
def backend(store):
    with Backend(store=store) as backend:
        yield backend


def again(backend):
    """Make another handle on the run of a backend, which is closed."""
    backend.close()
    return Backend(store=backend.store, rid=backend.rid)


class TestReading:
    def test_backend_with_a_store_is_one_of_emcee(self, backend):
        assert isinstance(backend, StoreBackend)
        assert isinstance(backend, emcee.backends.Backend)

    def test_nothing_to_read_before_the_first_step(self, backend):
        assert backend.initialized is False
        for name in ("iteration", "accepted", "shape", "random_state", "run"):
            assert not hasattr(backend, name)
        for reset in (False, True):
            if reset:
                backend.reset(*SHAPE)
            for read in (
                backend.get_chain,
                backend.get_log_prob,
                backend.get_blobs,
                backend.get_last_sample,
                backend.get_autocorr_time,
            ):
                with pytest.raises(AttributeError, match="there are no steps yet"):
                    read()

    def test_what_reset_makes(self, backend):
        backend.reset(np.int64(12), np.int32(3))
        assert backend.initialized is True
        assert (backend.nwalkers, backend.ndim) == backend.shape == (12, 3)
        assert backend.iteration == 0
        assert backend.random_state is None
        assert backend.has_blobs() is False
        assert_same_array(backend.accepted, np.zeros(12))
        assert not backend.store.get_runs()

    @pytest.mark.parametrize("dtype", [None, np.float32])
    def test_same_numbers(self, store, dtype):
        backend = Backend(dtype, store=store)
        theirs = emcee.backends.Backend(dtype=dtype)
        run(theirs)
        theirs.accepted = theirs.accepted.astype(np.float64)
        run(backend)
        assert_same_backend(backend, theirs)
        assert_same_backend(again(backend), theirs)

    @pytest.mark.parametrize("thin", [1, 2, 7, 30])
    @pytest.mark.parametrize("discard", [-3, 0, 1, 19, 20, 25])
    def test_thin_and_discard(self, backend, thin, discard):
        theirs = compare_runs(backend)
        for name in ("chain", "log_prob"):
            for flat in (False, True):
                how = {"flat": flat, "thin": thin, "discard": discard}
                if discard + thin - 1 < 0:
                    continue
                assert_same_array(backend.get_value(name, **how), theirs.get_value(name, **how))

    def test_discard_counts_from_the_end(self, backend):
        compare_runs(backend)
        assert_same_array(backend.get_chain(discard=-3), backend.get_chain()[-3:])
        assert_same_array(backend.get_chain(discard=-99), backend.get_chain())

    def test_thin_of_zero(self, backend):
        run(backend)
        with pytest.raises(ValueError, match="at least 1"):
            backend.get_chain(thin=0)

    def test_what_is_read_may_be_changed(self, backend):
        theirs = compare_runs(backend, function=log_prob_blobs)
        for read in (backend.get_chain, backend.get_log_prob, backend.get_blobs):
            read()[...] = 0
        backend.accepted[...] = 0
        backend.get_last_sample().coords[...] = 0
        backend.random_state[1][...] = 0
        assert_same_backend(backend, theirs)

    def test_autocorrelation_times(self, backend):
        theirs = compare_runs(backend, steps=200)
        how = {"quiet": True, "discard": 20, "thin": 2}
        np.testing.assert_allclose(
            backend.get_autocorr_time(**how), theirs.get_autocorr_time(**how), rtol=1e-10
        )

    def test_steps_that_another_handle_saves(self, backend):
        run(backend)
        other = Backend(store=backend.store, rid=backend.rid)
        assert other.iteration == 20
        run(backend)
        assert_same_backend(other, backend)
        assert other.iteration == 40


class TestGoingOn:
    @pytest.mark.parametrize("function", [log_prob, log_prob_blobs, log_prob_dict])
    def test_bit_for_bit_after_closing(self, backend, function):
        theirs = compare_runs(backend, function=function)
        reopened = again(backend)
        compare_runs(reopened, theirs=theirs, function=function)
        assert reopened.iteration == 40

    def test_a_closed_backend_goes_on(self, backend):
        theirs = compare_runs(backend)
        backend.close()
        backend.close()
        compare_runs(backend, theirs=theirs)

    def test_a_sampler_of_another_shape(self, backend):
        run(backend)
        with pytest.raises(ValueError, match="shape"):
            sampler_on(again(backend), shape=(SHAPE[0], SHAPE[1] + 1))

    def test_state_of_the_random_numbers_that_is_no_mersenne_twister(self, backend):
        backend.reset(*SHAPE)
        for i, state in enumerate([step(0)[0].random_state, None, ("PCG64", 1), step(3)[0]]):
            saved, accepted = step(i)
            saved.random_state = state if i < 3 else state.random_state
            backend.save_step(saved, accepted)
            expected = saved.random_state if i in (0, 3) else None
            assert_same_random_state(backend.random_state, expected)
            assert_same_random_state(backend.get_last_sample().random_state, expected)

    def test_reset_begins_anew_under_the_same_id(self, backend):
        run(backend)
        rid = backend.rid
        backend.reset(*SHAPE)
        assert backend.iteration == 0
        compare_runs(backend, steps=7)
        assert [info.rid for info in backend.store.get_runs()] == [rid]
        assert backend.store.get_runs()[0].chains == {0: 7}

    def test_an_id_that_is_not_there_yet(self, store):
        backend = Backend(store=store, rid="line")
        assert backend.initialized is False
        run(backend)
        assert store.get_run("line").get_chains()[0].rid == "line"

    def test_many_runs_in_one_store(self, store):
        backends = [Backend(store=store) for _ in range(3)]
        for i, backend in enumerate(backends):
            run(backend, steps=5 + i, seed=i + 1)
        for i, backend in enumerate(backends):
            theirs = emcee.backends.Backend()
            run(theirs, steps=5 + i, seed=i + 1)
            assert_same_backend(backend, theirs)

    def test_run_of_another_kind(self, store):
        store.init_run(drawstore.make_meta({"x": (float, ())}, rid="other"))
        backend = Backend(store=store, rid="other")
        for call in (lambda: backend.initialized, lambda: backend.reset(*SHAPE)):
            with pytest.raises(ValueError, match="'other' is not one of an ensemble"):
                call()
        assert store.get_run("other").variables

    def test_pickle(self, backend):
        theirs = compare_runs(backend)
        copied = pickle.loads(pickle.dumps(backend))
        assert_same_backend(copied, theirs)
        compare_runs(copied, theirs=theirs)
        in_memory = isinstance(backend.store, drawstore.MemoryBackend)
        assert backend.iteration == (20 if in_memory else 40)

    def test_two_handles_that_write(self, backend):
        theirs = compare_runs(backend)
        other = Backend(store=backend.store, rid=backend.rid)
        compare_runs(other, theirs=theirs)
        compare_runs(backend, theirs=theirs)

    def test_pickle_before_the_first_step(self, backend):
        backend.reset(*SHAPE)
        compare_runs(pickle.loads(pickle.dumps(backend)))


class TestBlobs:
    @kinds(
        {
            **STORABLE,
            **{name: ONLY_IN_MEMORY[name] for name in ("datetime64", "timedelta64")},
            "date in a field": ONLY_IN_MEMORY["date in a field"],
        }
    )
    def test_kinds(self, backend, blob, dtype):
        theirs = compare_runs(backend, function=returning(blob), blobs_dtype=dtype)
        reopened = again(backend)
        assert_same_backend(reopened, theirs)
        compare_runs(reopened, theirs=theirs, function=returning(blob), blobs_dtype=dtype)

    @kinds(
        {
            **{name: ONLY_IN_MEMORY[name] for name in ("list", "array", "ragged", "object field")},
            "object deep inside": (
                lambda x: (1, (2, [1])),
                [("n", int), ("inner", [("n", int), ("what", object)])],
            ),
        }
    )
    def test_python_objects(self, backend, blob, dtype):
        with pytest.raises(TypeError, match=r"a store cannot keep blobs .* pass blobs_dtype="):
            run(backend, function=returning(blob), blobs_dtype=dtype)
        assert backend.iteration == 0
        compare_runs(backend)

    def test_dicts(self, backend):
        theirs = compare_runs_of_dicts(backend, log_prob_dict)
        compare_runs_of_dicts(again(backend), log_prob_dict, theirs)

    def test_dicts_with_text(self, backend):
        def function(x):
            return log_prob(x), {"energy": float(x[0]), "label": "ü" * int(5 * abs(x[0])), "n": 1}

        compare_runs_of_dicts(backend, function)
        assert list(backend.run.variables)[2:] == ["blobs.energy", "blobs.label", "blobs.n"]
        last = again(backend).get_last_sample().blobs[0]
        assert isinstance(last["label"], str)
        assert last.keys() == {"energy", "label", "n"}

    def test_a_walker_without_text(self, backend):
        def function(x):
            return log_prob(x), "inside" if x[0] > 0 else None

        run(backend, function=function)
        assert set(backend.get_blobs().flat) == {"inside", ""}

    def test_blobs_that_all_are_none(self, backend):
        with pytest.raises(TypeError, match="all are None"):
            run(backend, function=lambda x: (log_prob(x), None), blobs_dtype=object)

    def test_inconsistent_blobs(self, backend):
        run(backend)
        with pytest.raises(ValueError, match="inconsistent use of blobs"):
            backend.grow(1, np.zeros(SHAPE[0]))
        with pytest.raises(ValueError, match="inconsistent use of blobs"):
            backend.save_step(*step(0, blobs=np.zeros(SHAPE[0])))
        assert backend.iteration == 20

    def test_blobs_of_other_dtype_and_shape(self, backend):
        run(backend, function=lambda x: (log_prob(x), int(x[0])))
        with pytest.raises(TypeError, match="do not fit those of earlier steps"):
            backend.grow(1, np.zeros(SHAPE[0], complex))
        with pytest.raises(ValueError, match="do not fit those of earlier steps"):
            backend.grow(1, np.zeros((SHAPE[0], 2), int))

    def test_blobs_that_come_before_the_first_step(self, backend):
        backend.reset(*SHAPE)
        backend.grow(5, None)
        backend.grow(5, np.zeros(SHAPE[0]))
        backend.save_step(*step(0, blobs=np.ones(SHAPE[0])))
        assert_same_array(backend.get_blobs(), np.ones((1, SHAPE[0])))


class TestErrors:
    @pytest.mark.parametrize("count", [1.5, -1])
    def test_number_of_steps(self, backend, count):
        backend.reset(*SHAPE)
        with pytest.raises((TypeError, ValueError), match="the number of steps is"):
            backend.grow(count, None)

    def test_nothing_is_saved_of_a_step_that_does_not_fit(self, backend):
        backend.reset(*SHAPE)
        backend.save_step(*step(0))
        before = backend.accepted
        state, accepted = step(1)
        wrong = [
            (emcee.State(state.coords[:, 1:], log_prob=state.log_prob), accepted),
            (emcee.State(state.coords, log_prob=state.log_prob[1:]), accepted),
            (emcee.State(state.coords.astype(complex), log_prob=state.log_prob), accepted),
            (state, accepted[1:]),
        ]
        for other, flags in wrong:
            with pytest.raises((ValueError, TypeError)):
                backend.save_step(other, flags)
        assert backend.iteration == 1
        assert_same_array(backend.accepted, before)

    def test_step_without_a_reset(self, backend):
        with pytest.raises(AttributeError, match="the store has no run"):
            backend.save_step(*step(0))

    @pytest.mark.parametrize(
        ("keywords", "message"),
        [
            ({"parameter_names": ["a", "b"]}, "expected 5 parameter names"),
            ({"parameter_names": ["a"] * 5}, "all different"),
            ({"parameter_names": {"a": 5}}, "'a' is at 5, of 5 coordinates"),
            ({"dims": {"a": ["group"]}}, "dims for"),
            ({"parameter_names": {"a": [0, 1]}, "dims": {"a": ["g", "h"]}}, "'a' has 1"),
        ],
    )
    def test_names_that_do_not_fit(self, store, keywords, message):
        backend = Backend(store=store, **keywords)
        with pytest.raises(ValueError, match=message):
            backend.reset(12, 5)
        assert backend.initialized is False

    def test_subclass_with_its_own_keyword(self):
        class Mine(Backend):
            def __init__(self, store):
                super().__init__()
                self.store = store

        mine = Mine(store="here")
        assert mine.store == "here"
        compare_runs(mine)

    def test_subclass_without_one(self):
        class Mine(Backend):
            pass

        with pytest.raises(TypeError, match="Mine is a Backend in memory; it takes no store"):
            Mine(store=drawstore.MemoryBackend())

    def test_no_store(self):
        assert not isinstance(Backend(store=None), StoreBackend)


class TestMetadata:
    def test_names_and_dims_are_kept(self, store):
        backend = Backend(
            store=store,
            parameter_names={"slope": 0, "effect": [1, 2], "rest": slice(3, None)},
            dims={"effect": ["group"]},
            coords={"group": ["a", "b"]},
        )
        run(backend, shape=(12, 5))
        attributes = again(backend).run.attributes
        assert attributes["inference_library"] == "emcee"
        assert attributes["parameters"] == [
            {"name": "slope", "index": 0},
            {"name": "effect", "index": [1, 2], "dims": ["group"]},
            {"name": "rest", "index": [3, 4]},
        ]
        assert list(backend.run.coords["group"]) == ["a", "b"]

    def test_the_run_by_itself(self, store):
        names = [f"p{i}" for i in range(SHAPE[1])]
        backend = Backend(store=store, parameter_names=names)
        run(backend)
        found = store.get_run(backend.rid)
        (chain,) = found.get_chains()
        assert_same_array(chain.get_draws("coords"), backend.get_chain())
        assert_same_array(chain.get_draws("log_prob"), backend.get_log_prob())
        assert_same_array(chain.get_stats("accepted")[-1], backend.accepted)
        assert found.dims["coords"] == ["walker", "parameter"]
        assert list(found.coords["parameter"]) == names


def compare_runs_of_dicts(backend, function, theirs=None):
    """Compare all but the dtype of blobs: emcee keeps dicts as objects, we keep their fields."""
    theirs = emcee.backends.Backend() if theirs is None else theirs
    run(theirs, function=function)
    run(backend, function=function)
    assert_same_array(backend.get_chain(), theirs.get_chain())
    assert_same_random_state(backend.random_state, theirs.random_state)
    blobs = backend.get_blobs()
    for ours, other in zip(blobs.flat, theirs.get_blobs().flat, strict=True):
        assert set(blobs.dtype.names) == other.keys()
        for name, value in other.items():
            np.testing.assert_array_equal(ours[name], value)
    return theirs
