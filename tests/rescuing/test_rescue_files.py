"""`drawstore rescue`: what can be read of broken files of emcee, and nothing else."""

import contextlib
import os
import shutil
import signal
import struct
import time

import arviz
import emcee
import h5py
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.rescue import rescue
from emcee_files import NUMBERS, SHAPE, contents, sample, with_numbers, with_text, write
from hdf_files import made_up_states
from rescue_files import STEPS, check_stretches, chunks_of, made_up, overwrite, steps_of
from scripting import start, wait_for


def test_a_good_file(of_emcee, to):
    done = rescue(of_emcee, to)
    assert done.is_complete
    assert contents(to) == contents(of_emcee)
    with h5py.File(to) as file:
        assert file["mcmc/chain"].shape == (300, *SHAPE)
    assert [data.is_checked for data in done.runs[0].datasets] == [False, False]
    other = to.with_name("other.h5")
    shutil.copy(of_emcee, other)
    for path in (to, other):
        sample(emcee.backends.HDFBackend(str(path)), 5)
    assert contents(to) == contents(other)
    arviz.from_emcee(emcee.EnsembleSampler(*SHAPE, len, backend=emcee.backends.HDFBackend(to)))


@pytest.mark.parametrize(
    ("function", "dtype"),
    [(with_text, "S8"), (with_text, object), (with_numbers, NUMBERS)],
    ids=["text", "text of any length", "numbers"],
)
def test_blobs(function, dtype, path, to, rescued):
    path.unlink()
    if dtype is object:
        with drawstore.emcee.HDFBackend(str(path)) as backend:
            backend.reset(*SHAPE)
            sample(backend, 20, function=function, dtype=dtype)
    else:
        write(path, 20, function=function, dtype=dtype, announced=30)
    assert rescued(path, to).is_complete
    assert contents(to) == contents(path)


def test_one_bad_chunk_loses_itself_alone(path, checked, to, rescued):
    chunks = chunks_of(path, "mcmc/chain")
    first, at, size = chunks[4]
    overwrite(path, at + size // 2, b"\xff\x00\xff")
    done = rescued(path, to)
    assert not done.is_complete
    assert done.runs[0].datasets[0].lost[0].start == first
    assert done.runs[0].datasets[0].lost[0].stop == chunks[5][0]
    assert [(s.name, s.start, s.stop) for s in done.runs[0].stretches] == [
        ("mcmc", 0, first),
        (f"mcmc_from_{chunks[5][0]}", chunks[5][0], STEPS),
    ]
    assert check_stretches(done, checked) == STEPS - (chunks[5][0] - first)
    with h5py.File(to) as file:
        assert "random_state_0" not in file["mcmc"].attrs
        assert file[done.runs[0].stretches[1].name].attrs["first_step"] == chunks[5][0]
    # What ends with the last step can be gone on with.
    backend = emcee.backends.HDFBackend(str(to), name=done.runs[0].stretches[1].name)
    whole = emcee.backends.HDFBackend(str(path), name="mcmc")
    for one, other in zip(backend.random_state, whole.random_state, strict=True):
        np.testing.assert_array_equal(one, other)
    moves = (np.diff(steps_of(to)[0], axis=0) != 0).any(axis=2).sum(axis=0)
    np.testing.assert_array_equal(emcee.backends.HDFBackend(str(to)).accepted, moves)


def test_what_is_lost_can_be_nan(path, checked, to, rescued):
    first, at, size = chunks_of(path, "mcmc/chain")[4]
    stop = chunks_of(path, "mcmc/chain")[5][0]
    overwrite(path, at + size // 2, b"\xff\x00\xff")
    done = rescued(path, to, fill=True)
    assert not done.is_complete
    chain, log_prob = steps_of(checked)
    chain[first:stop] = np.nan
    saved = steps_of(to)
    np.testing.assert_array_equal(saved[0], chain)
    np.testing.assert_array_equal(saved[1], log_prob)


@pytest.mark.parametrize("name", ["chain", "log_prob", "accepted"])
def test_a_dataset_that_is_gone(name, path, checked, to, rescued):
    with h5py.File(path, "a") as file:
        del file["mcmc"][name]
    done = rescued(path, to)
    assert not done.is_complete
    assert check_stretches(done, checked) == STEPS
    saved = dict(zip(("chain", "log_prob"), steps_of(to), strict=True))
    assert [key for key in saved if np.isnan(saved[key]).all()] == [name][: name != "accepted"]
    assert drawstore.open(to).get_run("mcmc").get_chains()[0].get_draws("var_0").shape == (STEPS,)


@pytest.mark.parametrize("wrong", [17, -1, 10**9, 500, None])
def test_a_wrong_count(wrong, of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    with h5py.File(path, "a") as file:
        if wrong is None:
            del file["mcmc"].attrs["iteration"]
        else:
            file["mcmc"].attrs["iteration"] = wrong
    done = rescued(path, to)
    assert not done.is_complete
    assert steps_of(to)[0].tobytes() == steps_in(of_emcee).tobytes()


def test_steps_that_were_never_written(of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    with h5py.File(path, "a") as file:
        file["mcmc"].attrs["iteration"] = 350
    done = rescued(path, to)
    assert {lost.start for data in done.runs[0].datasets for lost in data.lost} == {300}
    assert "never written" in done.runs[0].datasets[0].lost[0].why
    assert steps_of(to)[0].tobytes() == steps_in(of_emcee).tobytes()


def steps_in(path):
    with h5py.File(path) as file:
        return file["mcmc/chain"][:300]


def test_more_than_one_run(path, to, rescued):
    write(path, 7, name="deep/second")
    assert len(rescued(path, to).runs) == 2
    assert contents(to, "deep/second") == contents(path, "deep/second")


def test_a_run_without_steps(to, tmp_path, rescued):
    path = str(tmp_path / "chain.h5")
    emcee.backends.HDFBackend(path).reset(*SHAPE)
    emcee.backends.HDFBackend(path).grow(100, None)
    assert rescued(path, to).is_complete
    sample(emcee.backends.HDFBackend(str(to)), 5)
    assert contents(to)["iteration"] == 5


def test_what_is_no_run_is_named(path, to, rescued):
    with h5py.File(path, "a") as file:
        file["table"] = np.arange(3)
    done = rescued(path, to)
    assert not done.is_complete
    assert "'table' is no run of emcee" in done.notes[0]


@pytest.mark.parametrize("begin", [0, 4, 9, 20, 40])
def test_a_superblock_in_pieces(begin, of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    overwrite(path, begin, b"\x5a" * 8)
    rescued(path, to)
    assert contents(to) == contents(of_emcee)


def test_a_newer_superblock_in_pieces(to, tmp_path, rescued):
    path, whole = tmp_path / "chain.h5", tmp_path / "whole.h5"
    made_up(path)
    with h5py.File(path) as old, h5py.File(whole, "w", libver=("v110", "v110")) as file:
        old.copy("mcmc", file)
    for at, data in ((11, b"\x05"), (0, b"\0" * 44), (28, struct.pack("<Q", 10**7)), (44, b"abcd")):
        shutil.copy(whole, path)
        overwrite(path, at, data)
        with pytest.raises(OSError):  # noqa: PT011
            h5py.File(path)
        done = rescued(path, to)
        assert done.is_complete
        assert "superblock" in done.how
        assert contents(to) == contents(whole)
        to.unlink()


@pytest.mark.parametrize("part", [0.99, 0.9, 0.6, 0.3])
def test_a_file_that_was_cut_off(part, of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    os.truncate(path, int(part * os.path.getsize(path)))
    done = rescued(path, to)
    assert not done.is_complete
    chain = steps_in(of_emcee)
    for stretch in done.runs[0].stretches:
        saved = steps_of(to, stretch.name)[0]
        assert saved.tobytes() == chain[stretch.start : stretch.stop].tobytes()


KILLED = """
import os, sys
sys.path[:0] = sys.argv[2:]
import emcee
from hdf_files import save
backend = emcee.backends.HDFBackend(sys.argv[1])
for i in range(10_000):
    save(backend, 1, (8, 3), seed=i, announce=10)
    if i == 10:
        print("begun", flush=True)
"""


def test_kills_of_emcee(to, tmp_path, rescued):
    """What such a file holds that can be read is saved; emcee may have torn its last chunk."""
    saved = 0
    for k in range(3):
        path = str(tmp_path / f"chain-{k}.h5")
        process = start(KILLED, path, os.path.dirname(os.path.dirname(__file__)))
        wait_for(process, "begun")
        time.sleep(0.05 * k)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with contextlib.suppress(OSError):
            for stretch in rescued(path, to).runs[0].stretches:
                chain = steps_of(to, stretch.name)[0]
                for step, values in enumerate(chain, start=stretch.start):
                    (state,) = made_up_states(1, SHAPE, seed=step)
                    assert values.tobytes() == state.coords.tobytes()
                saved += len(chain)
            to.unlink()
    assert saved >= 10
