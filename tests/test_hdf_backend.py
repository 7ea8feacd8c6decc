"""`drawstore.emcee.HDFBackend` is read as emcee's, and has its attributes."""

import pathlib

import emcee
import h5py
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    assert_same_state,
    compare_runs,
    log_prob,
    log_prob_blobs,
    run,
    sampler_on,
    start_points,
)
from hdf_files import made_up_states

FUNCTIONS = [log_prob, log_prob_blobs]


@pytest.fixture
def ours(tmp_path):
    backend = HDFBackend(tmp_path / "ours.h5", flush_interval=60.0)
    yield backend
    backend.close()


@pytest.fixture
def theirs(tmp_path):
    return emcee.backends.HDFBackend(tmp_path / "theirs.h5")


def outcome(call):
    """What a call gives: its value, or the type of its exception."""
    try:
        return call()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_everything_that_is_read_is_emcees(ours, theirs, function):
    compare_runs(ours, 30, theirs, function=function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_everything_is_read_while_steps_wait_in_memory(ours, theirs, function):
    run(ours, 11, function)
    run(theirs, 11, function)
    samples = [
        sampler_on(backend, function).sample(backend.get_last_sample(), iterations=40)
        for backend in (ours, theirs)
    ]
    for _ in range(17):
        for sampling in samples:
            next(sampling)
        if ours.iteration % 5 == 0:
            ours.flush()
        if ours.iteration % 4 == 0:
            assert_same_backend(ours, theirs)


def test_the_state_between_the_steps_of_sample_is_emcees(ours, theirs):
    mine = sampler_on(ours).sample(start_points(), iterations=12, store=True)
    other = sampler_on(theirs).sample(start_points(), iterations=12, store=True)
    for a, b in zip(mine, other, strict=True):
        assert_same_state(a, b)
        assert_same_state(ours.get_last_sample(), theirs.get_last_sample())
        assert_same_array(ours.accepted, theirs.accepted)


@pytest.mark.parametrize("thin", [1, 2, 7, 40, 1000])
@pytest.mark.parametrize("discard", [0, 1, 29, 39, 40, 1000, -1, -13, -1000])
def test_thin_and_discard_take_the_steps_that_emcee_takes(filled, thin, discard):
    ours, theirs = filled
    for flat in (False, True):
        how = {"thin": thin, "discard": discard, "flat": flat}
        assert_same_array(ours.get_chain(**how), theirs.get_chain(**how))
        assert_same_array(ours.get_log_prob(**how), theirs.get_log_prob(**how))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    ours = HDFBackend(folder / "ours.h5")
    theirs = emcee.backends.HDFBackend(folder / "theirs.h5")
    compare_runs(ours, 40, theirs)
    return ours, theirs


@pytest.mark.parametrize("thin", [0, -1])
def test_thin_below_one_is_an_error_in_both(filled, thin):
    for backend in filled:
        with pytest.raises(ValueError):  # noqa: PT011 - emcee's words are h5py's
            backend.get_chain(thin=thin)


def test_reads_across_the_borders_of_chunks_and_of_memory(tmp_path):
    shape = (40, 20)
    theirs = emcee.backends.Backend()
    with HDFBackend(tmp_path / "a.h5", flush_interval=60.0) as ours:
        states = made_up_states(300, shape)
        for backend in (ours, theirs):
            backend.reset(*shape)
            backend.grow(400, None)
        for i, state in enumerate(states):
            ours.save_step(state, np.ones(shape[0], bool))
            theirs.save_step(state, np.ones(shape[0], bool))
            if i == 250:
                ours.flush()
        with h5py.File(tmp_path / "a.h5") as file:
            per_chunk = file["mcmc/chain"].chunks[0]
            assert 251 / per_chunk > 3
            assert file["mcmc"].attrs["iteration"] == 251
        borders = [per_chunk, 2 * per_chunk, 251, 300]
        for start in {b + d for b in borders for d in (-2, -1, 0, 1, 2)}:
            for thin in (1, 3, per_chunk, 49):
                how = {"discard": start, "thin": thin}
                assert_same_array(ours.get_chain(**how), theirs.get_chain(**how))


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_any_number_is_kept_as_log_probability(ours, theirs, value):
    for backend in (ours, theirs):
        backend.reset(*SHAPE)
        backend.grow(2, None)
        for state in made_up_states(2, SHAPE):
            state.log_prob[3] = value
            state.coords[5, 1] = value
            backend.save_step(state, np.zeros(SHAPE[0], bool))
    assert_same_backend(ours, theirs)


def test_arrays_are_the_callers_own(ours):
    run(ours, 5, log_prob_blobs)
    next(sampler_on(ours, log_prob_blobs).sample(ours.get_last_sample(), iterations=10))
    for how in ({}, {"thin": 2}, {"discard": 5}, {"discard": 4, "flat": True}):
        for read in (ours.get_chain, ours.get_log_prob, ours.get_blobs):
            before = read(**how).copy()
            read(**how)[...] = -1.0
            assert_same_array(read(**how), before)
    for name in ("accepted", "chain", "log_prob"):
        before = getattr(ours, name).copy()
        getattr(ours, name)[...] = -1.0
        assert_same_array(getattr(ours, name), before)


# What there is before the first step.


def test_before_reset_emcee_says_how_to_get_steps(ours, theirs):
    for backend in (ours, theirs):
        assert not backend.initialized
        for read in (backend.get_chain, backend.get_log_prob, backend.get_blobs):
            with pytest.raises(AttributeError, match=r"run the sampler with 'store ?=") as error:
                read()
    assert "no file" in str(error.value) or backend is theirs
    with pytest.raises(AttributeError, match=r"there is no file .*ours\.h5"):
        ours.get_chain()
    with pytest.raises(AttributeError, match="run the sampler with 'store"):
        ours.get_last_sample()


def test_an_empty_run_says_how_to_get_steps(ours, theirs):
    for backend in (ours, theirs):
        backend.reset(*SHAPE)
        assert backend.initialized
        assert backend.iteration == 0
        assert tuple(backend.shape) == SHAPE
        assert not backend.has_blobs()
        assert backend.random_state is None
        assert_same_array(backend.accepted, np.zeros(SHAPE[0]))
        reads = (
            backend.get_chain,
            backend.get_log_prob,
            backend.get_blobs,
            backend.get_last_sample,
            backend.get_autocorr_time,
        )
        for read in reads:
            with pytest.raises(AttributeError, match="run the sampler with 'store"):
                read()


def test_a_sampler_that_stores_nothing_leaves_the_run_empty(ours):
    run(ours, 5, sample={"store": False})
    assert ours.iteration == 0


# Attributes.


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_attributes_are_emcees(tmp_path, kind):
    path = kind(tmp_path / "a.h5")
    for options in (
        {},
        {"name": "other", "read_only": True},
        {"dtype": np.float32, "compression": "gzip", "compression_opts": 2},
    ):
        ours, theirs = HDFBackend(path, **options), emcee.backends.HDFBackend(path, **options)
        for name in [
            "filename",
            "name",
            "read_only",
            "compression",
            "compression_opts",
            "dtype",
            "dtype_set",
        ]:
            assert getattr(ours, name) == getattr(theirs, name), name
    positional = HDFBackend(path, "run", True, np.float32, "gzip", 4)
    assert (positional.name, positional.compression_opts) == ("run", 4)


def test_path_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backend = HDFBackend("a.h5")
    run(backend, 3)
    assert backend.filename == "a.h5"
    assert h5py.File(tmp_path / "a.h5")["mcmc"].attrs["iteration"] == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, "f4"])
def test_dtype_is_kept_and_learned(tmp_path, dtype):
    ours = HDFBackend(tmp_path / "ours.h5", dtype=dtype)
    theirs = emcee.backends.HDFBackend(tmp_path / "theirs.h5", dtype=dtype)
    compare_runs(ours, 9, theirs)
    assert ours.get_chain().dtype == dtype
    again = HDFBackend(tmp_path / "ours.h5")
    assert again.initialized
    assert again.dtype == dtype
    assert again.dtype_set


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "gzip"},
        {"compression": "gzip", "compression_opts": 9},
        {"compression": 3},
        {"compression": "lzf"},
        {"compression": "szip", "compression_opts": ("nn", 8)},
    ],
    ids=str,
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_compression_is_applied_and_read_by_emcee(tmp_path, options, function):
    if options.get("compression") == "szip" and function is log_prob_blobs:
        options = {"compression": "szip", "compression_opts": ("nn", 2)}
    backend = HDFBackend(tmp_path / "a.h5", **options)
    theirs = compare_runs(backend, 300, function=function)
    with h5py.File(tmp_path / "a.h5") as file:
        wanted = "gzip" if options.get("compression") == 3 else options.get("compression")
        assert {file[f"mcmc/{key}"].compression for key in ("chain", "log_prob")} == {wanted}
    read = emcee.backends.HDFBackend(tmp_path / "a.h5")
    assert_same_array(read.get_chain(), theirs.get_chain())


def test_open_gives_the_file_with_every_step(ours):
    run(ours, 4)
    sampling = sampler_on(ours).sample(ours.get_last_sample(), iterations=10)
    for _ in range(3):
        next(sampling)
    with ours.open() as file:
        assert file.mode == "r"
        assert len(file["mcmc/chain"]) == file["mcmc"].attrs["iteration"] == 7
    with ours.open("a") as file:
        file["mcmc"].attrs["labels"] = ["m", "b", "ln f"]
    next(sampling)
    ours.flush()
    with ours.open("r") as file:
        assert list(file["mcmc"].attrs["labels"]) == ["m", "b", "ln f"]
        assert len(file["mcmc/chain"]) == 8


def test_reset_deletes_the_steps_and_only_those(ours):
    run(ours, 7)
    with ours.open("a") as file:
        file["mine"] = [1.0, 2.0]
        file.attrs["by"] = "me"
    ours.reset(20, 2)
    assert (ours.shape, ours.iteration) == ((20, 2), 0)
    with ours.open() as file:
        assert list(file["mine"]) == [1.0, 2.0]
        assert file.attrs["by"] == "me"


def test_reset_in_the_middle_drops_what_waits(ours):
    sampling = sampler_on(ours).sample(start_points(), iterations=10)
    next(sampling)
    ours.reset(*SHAPE)
    assert ours.iteration == 0
    compare_runs(ours, 6)


def test_autocorrelation_time_is_emcees(filled):
    ours, theirs = filled
    for how in ({"tol": 0}, {"tol": 0, "thin": 2}, {"tol": 0, "discard": 5}, {"quiet": True}):
        np.testing.assert_allclose(
            *(outcome(lambda b=b, how=how: b.get_autocorr_time(**how)) for b in (ours, theirs)),
            rtol=1e-10,
        )
    with pytest.raises(emcee.autocorr.AutocorrError) as error:
        ours.get_autocorr_time()
    assert error.value.tau.shape == (SHAPE[1],)
