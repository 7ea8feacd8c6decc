"""Blobs of every dtype and shape, and strings."""

import emcee
import numpy as np
import pytest

from blob_kinds import ONLY_IN_MEMORY, STORABLE, kinds, returning
from drawstore.emcee import Backend, HDFBackend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    compare_runs,
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
