"""Blobs of every kind, in memory and in HDF5."""

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

STRUCTURED = np.dtype([("energy", float), ("count", np.int16), ("label", "U5")])
NESTED = np.dtype([("inner", [("x", "f4"), ("flag", bool)]), ("pair", float, (2,)), ("n", "i8")])

# What the log-probability function returns beside its value, by the name of the kind; and the
# blobs_dtype with which emcee is told what it cannot guess.
STORABLE = {
    "float": (lambda x: float(x[0]), None),
    "float16": (lambda x: float(x[0]), np.float16),
    "int": (lambda x: int(10 * x[0]), None),
    "uint8": (lambda x: int(abs(x[0])), np.uint8),
    "bool": (lambda x: bool(x[0] > 0), None),
    "complex": (lambda x: complex(x[0], x[1]), None),
    "longdouble": (lambda x: np.longdouble(x[0]) + np.finfo(np.longdouble).eps, None),
    "vector": (lambda x: 2.0 * x, None),
    "matrix": (lambda x: np.outer(x, x), None),
    "bytes": (lambda x: b"%d" % int(10 * x[0]), "S8"),
    "text": (lambda x: f"ü{int(10 * x[0])}", "U8"),
    "structured": (lambda x: (float(x[0]), int(x[1]), "walk"), STRUCTURED),
    "nested": (lambda x: ((x[0], x[1] > 0), x[:2], int(x[2])), NESTED),
    "strings": (lambda x: "b" * int(5 * abs(x[0])), None),
    "two strings": (lambda x: ("face", "surface" if x[0] > 0 else ""), None),
}
ONLY_IN_MEMORY = {
    "datetime64": (lambda x: np.datetime64(int(1000 * x[0]), "D"), "M8[D]"),
    "timedelta64": (lambda x: np.timedelta64(int(10 * x[0]), "s"), "m8[s]"),
    "list": (lambda x: ["a", float(x[0])], object),
    "array": (lambda x: np.arange(int(5 * abs(x[0]))), object),
    "None": (lambda x: None if x[0] > 0 else float(x[0]), None),
    "ragged": (lambda x: (np.zeros(3), "face"), object),
    "object field": (lambda x: (float(x[0]), [1]), [("energy", float), ("what", object)]),
    "date in a field": (lambda x: (x[0], "2020-01-01"), [("energy", float), ("day", "M8[D]")]),
}


def returning(blob):
    """Make a log-probability function that returns a blob."""

    def function(x):
        value = blob(x)
        return (log_prob(x), *value) if isinstance(value, tuple) else (log_prob(x), value)

    return function


@pytest.fixture(params=["memory", "hdf5"])
def backend(request, tmp_path):
    if request.param == "memory":
        yield Backend()
    else:
        with HDFBackend(tmp_path / "chain.h5") as backend:
            yield backend


def kinds(table):
    return pytest.mark.parametrize(("blob", "dtype"), table.values(), ids=table)


class TestKinds:
    @kinds(STORABLE | ONLY_IN_MEMORY)
    def test_in_memory_as_with_emcee(self, blob, dtype):
        ours = Backend()
        theirs = compare_runs(ours, function=returning(blob), blobs_dtype=dtype)
        compare_runs(ours, 5, theirs, function=returning(blob), blobs_dtype=dtype)
        assert ours.blobs.dtype == theirs.blobs.dtype

    @kinds(STORABLE)
    def test_in_hdf5_as_in_memory(self, blob, dtype, tmp_path):
        path = tmp_path / "chain.h5"
        with HDFBackend(path) as ours:
            theirs = compare_runs(ours, function=returning(blob), blobs_dtype=dtype)
            compare_runs(ours, 5, theirs, function=returning(blob), blobs_dtype=dtype)
        assert_same_backend(HDFBackend(path, read_only=True), theirs)

    @kinds(ONLY_IN_MEMORY)
    def test_what_hdf5_cannot_hold(self, blob, dtype, tmp_path):
        calls = []

        def function(x):
            calls.append(x)
            return returning(blob)(x)

        with HDFBackend(tmp_path / "chain.h5") as backend:
            with pytest.raises(TypeError, match=r"blobs of dtype .*blobs_dtype="):
                run(backend, function=function, blobs_dtype=dtype)
            assert len(calls) == SHAPE[0]  # only where the walkers start
            assert backend.iteration == 0
            run(backend, 3)  # and it can be used
            assert backend.iteration == 3

    def test_the_error_names_the_dtype(self, tmp_path):
        with (
            HDFBackend(tmp_path / "chain.h5") as backend,
            pytest.raises(TypeError, match=r"datetime64\[D\]"),
        ):
            run(backend, function=returning(ONLY_IN_MEMORY["datetime64"][0]), blobs_dtype="M8[D]")

    @kinds(STORABLE | ONLY_IN_MEMORY)
    def test_a_sampler_resumes(self, blob, dtype):
        whole, parts = Backend(), Backend()
        run(whole, 12, function=returning(blob), blobs_dtype=dtype)
        for _ in range(3):
            run(parts, 4, function=returning(blob), blobs_dtype=dtype)
        assert_same_backend(parts, whole)

    def test_byte_order_is_kept(self, backend):
        for _ in range(2):  # where emcee's own in memory makes it native
            run(backend, 3, function=returning(lambda x: float(x[0])), blobs_dtype=">f8")
        assert backend.get_blobs().dtype == np.dtype(">f8")
        np.testing.assert_array_equal(backend.get_blobs(), backend.get_chain()[..., 0])

    def test_shapes_that_change(self, backend):
        run(backend, 3, function=returning(lambda x: np.zeros(4)))
        sampler = sampler_on(backend, returning(lambda x: np.zeros(5)))
        with pytest.raises(ValueError, match=r"shape \(5,\).*shape \(4,\)"):
            sampler.run_mcmc(start_points(), 3)
        assert backend.iteration == 3

    @pytest.mark.parametrize("first", ["f4", "i8", "U3"])
    def test_a_later_run_with_another_dtype(self, first):
        # emcee guesses the dtype anew in each run.
        ours, theirs = Backend(), emcee.backends.Backend()
        for each in (ours, theirs):
            each.reset(*SHAPE)
            for dtype in (first, "f8" if first != "U3" else "U7"):
                blobs = np.full(SHAPE[0], 0.1 if dtype[0] == "f" else 7).astype(dtype)
                each.grow(2, blobs)
                for i in range(2):
                    each.save_step(*step(i, blobs=blobs))
        assert_same_backend(ours, theirs)


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


@pytest.mark.parametrize("kind", ["float", "dict", "none"])
def test_steps_that_nobody_announced(tmp_path, kind):
    blobs = {
        "float": np.arange(12.0),
        "dict": np.array([{"energy": 1.0}] * SHAPE[0], dtype=object),
        "none": None,
    }[kind]
    with HDFBackend(tmp_path / "chain.h5") as backend:
        backend.reset(*SHAPE)
        backend.grow(5, blobs)
    for i in range(2):
        with HDFBackend(tmp_path / "chain.h5") as backend:
            backend.save_step(*step(i, blobs=blobs))
            assert backend.iteration == i + 1
            assert backend.has_blobs() == (kind != "none")
    with HDFBackend(tmp_path / "chain.h5") as backend, pytest.raises(ValueError, match="blobs"):
        backend.save_step(*step(2, blobs=None if kind != "none" else np.zeros(SHAPE[0])))


class TestStrings:
    @pytest.mark.parametrize("in_dicts", [False, True])
    def test_that_grow_longer(self, backend, in_dicts):
        def texts(length):
            values = [chr(ord("ä") + i) * length for i in range(SHAPE[0])]
            return np.array([{"t": v} if in_dicts else v for v in values], dtype=object)

        backend.reset(*SHAPE)
        for length in (1, 0, 3, 500, 2):
            backend.grow(1, texts(length))
            backend.save_step(*step(length, blobs=texts(length)))
        blobs = backend.get_blobs()
        blobs = blobs["t"] if in_dicts else blobs
        assert [len(text) for text in blobs[:, 0]] == [1, 0, 3, 500, 2]
        assert blobs[3, 2] == "æ" * 500

    def test_too_long_for_their_dtype(self, backend):
        backend.reset(*SHAPE)
        backend.grow(2, np.full(SHAPE[0], "abc"))
        with pytest.raises(TypeError, match="without loss"):
            backend.save_step(*step(0, blobs=np.full(SHAPE[0], "abcd")))
        backend.save_step(*step(0, blobs=np.full(SHAPE[0], "ab")))
        assert backend.get_blobs()[0, 0] == "ab"

    def test_what_is_no_string_among_them(self, tmp_path):
        texts = np.array(["a"] * SHAPE[0], dtype=object)
        other = texts.copy()
        other[3] = 3.0
        with HDFBackend(tmp_path / "chain.h5") as backend:
            backend.reset(*SHAPE)
            backend.grow(2, texts)
            backend.save_step(*step(0, blobs=texts))
            with pytest.raises(TypeError, match=r"walker 3|type float"):
                backend.save_step(*step(1, blobs=other))
            backend.save_step(*step(1, blobs=texts))
            backend.flush()
        assert HDFBackend(tmp_path / "chain.h5").iteration == 2

    @pytest.mark.parametrize("value", ["bytes", b"bytes", None])
    def test_read_from_memory_as_from_the_file(self, tmp_path, value):
        texts = np.array([value] + ["a"] * (SHAPE[0] - 1), dtype=object)
        with HDFBackend(tmp_path / "chain.h5", flush_interval=100.0) as backend:
            backend.reset(*SHAPE)
            backend.grow(2, texts)
            backend.save_step(*step(0, blobs=texts))
            waiting = backend.get_blobs()
            backend.flush()
            assert_same_array(backend.get_blobs(), waiting)
            assert waiting[0, 0] == ("bytes" if value else "")

    @pytest.mark.parametrize("value", ["text\x00", "\ud800", b"\xff"])
    def test_that_hdf5_cannot_hold(self, tmp_path, value):
        texts = np.array(["a"] * SHAPE[0], dtype=object)
        with HDFBackend(tmp_path / "chain.h5") as backend:
            backend.reset(*SHAPE)
            backend.grow(2, texts)
            bad = texts.copy()
            bad[3] = value
            with pytest.raises(TypeError, match=r"null character|no text in UTF-8"):
                backend.save_step(*step(0, blobs=bad))
            backend.save_step(*step(0, blobs=texts))
            assert backend.iteration == 1

    @pytest.mark.parametrize("value", ["text\x00s", "\ud800"])
    def test_of_fixed_width_hold_all(self, backend, value):
        texts = np.full(SHAPE[0], value, dtype="U6")
        backend.reset(*SHAPE)
        backend.grow(1, texts)
        backend.save_step(*step(0, blobs=texts))
        assert_same_array(backend.get_blobs()[0], texts)


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
