"""Several handles, threads and processes on one run, and several runs in one file."""

import copy
import gc
import multiprocessing
import os
import pickle
import threading

import dill
import emcee
import h5py
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from emcee_runs import assert_same_array, assert_same_backend, log_prob_blobs, run, sampler_on
from hdf_files import made_up_states, save, steps_in, wait_until

SHAPE = (4, 2)
ACCEPTED = np.ones(SHAPE[0], bool)


def begun(path, saved=3, announced=100, **kwargs):
    """A backend on a run that is being written; its steps wait in memory."""
    backend = HDFBackend(path, flush_interval=60.0, **kwargs)
    save(backend, saved, SHAPE, announce=announced)
    return backend


def test_each_handle_sees_and_appends_every_step(tmp_path):
    path = tmp_path / "a.h5"
    first, alone = HDFBackend(path, flush_interval=60.0), emcee.backends.Backend()
    first.reset(*SHAPE)
    second = HDFBackend(path, flush_interval=60.0)
    alone.reset(*SHAPE)
    for seed in range(6):
        backend = (first, second)[seed % 2]
        save(backend, 3, SHAPE, seed, announce=3 + seed % 3)
        save(alone, 3, SHAPE, seed)
        assert_same_backend(first, alone)
        assert_same_backend(second, alone)
    first.close()
    assert steps_in(path) == 18
    assert_same_backend(second, alone)


def test_two_samplers_go_on_through_two_handles_as_with_emcee(tmp_path):
    ours, theirs = tmp_path / "ours.h5", tmp_path / "theirs.h5"
    for path, kind in ((ours, HDFBackend), (theirs, emcee.backends.HDFBackend)):
        run(kind(path), 10)
        second = kind(path)
        run(second, 10, seed=5)
        run(kind(path), 10, seed=6)
        assert second.iteration == 30
    assert_same_backend(HDFBackend(ours), emcee.backends.HDFBackend(theirs))


@pytest.mark.parametrize("other", ["symlink", "relative", "string", "slashes"])
def test_other_names_of_the_file_and_the_group_mean_the_same_run(tmp_path, monkeypatch, other):
    first = begun(tmp_path / "a.h5")
    name, path = "mcmc", tmp_path / "a.h5"
    if other == "symlink":
        path = tmp_path / "link.h5"
        path.symlink_to("a.h5")
    elif other == "relative":
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        path = os.path.join("..", "a.h5")
    elif other == "string":
        path = f"{tmp_path}//./a.h5"
    else:
        name = "/mcmc/"
    second = HDFBackend(path, name, flush_interval=60.0)
    assert second.iteration == 3
    save(second, 2, SHAPE)
    assert first.iteration == second.iteration == 5
    second.close()
    assert steps_in(tmp_path / "a.h5") == 5


def test_two_runs_in_one_file_at_once(tmp_path):
    path = tmp_path / "a.h5"
    backends = [HDFBackend(path, name, flush_interval=0.01) for name in ("one", "two")]
    for backend in backends:
        backend.reset(*SHAPE)
        backend.grow(300, None)
    for a, b in zip(*(made_up_states(300, SHAPE, seed) for seed in (1, 2)), strict=True):
        backends[0].save_step(a, ACCEPTED)
        backends[1].save_step(b, ACCEPTED)
    for seed, (name, backend) in enumerate(zip(("one", "two"), backends, strict=True), 1):
        expected = [state.coords for state in made_up_states(300, SHAPE, seed)]
        assert_same_array(backend.get_chain(), expected)
        assert steps_in(path, name) == 300


def test_two_runs_in_one_file_from_two_threads(tmp_path):
    path = tmp_path / "a.h5"
    names = ["one", "two"]

    def sample(name):
        run(HDFBackend(path, name, flush_interval=0.01), 60, log_prob_blobs, seed=len(name))
        run(HDFBackend(path, name), 30, log_prob_blobs)

    # The seed of NumPy's global generator is shared, so each start is taken from the file.
    threads = [threading.Thread(target=sample, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        assert steps_in(path, name) == 90
        ours = HDFBackend(path, name)
        theirs = emcee.backends.HDFBackend(path, name)
        assert_same_backend(ours, theirs)
        chain = ours.get_chain()
        np.testing.assert_array_equal(chain[..., 0], ours.get_blobs()[..., 0])


def watch(path, ready, seen):
    reader = HDFBackend(path, read_only=True)
    lengths = []
    while not lengths or lengths[-1] < 400:
        chain = reader.get_chain() if reader.iteration else np.empty((0, *SHAPE))
        assert np.all(chain == np.arange(1, len(chain) + 1)[:, None, None])
        lengths.append(len(chain))
        ready.set()
    seen.put(lengths)


def test_a_reader_in_another_process_while_it_runs(tmp_path):
    path = tmp_path / "a.h5"
    writer = HDFBackend(path, flush_interval=0.01)
    writer.reset(*SHAPE)
    context = multiprocessing.get_context("spawn")
    ready, seen = context.Event(), context.Queue()
    reader = context.Process(target=watch, args=(path, ready, seen))
    reader.start()
    assert ready.wait(60)
    writer.grow(400, None)
    for i, state in enumerate(made_up_states(400, SHAPE)):
        state.coords[...] = i + 1
        writer.save_step(state, ACCEPTED)
        if i % 40 == 0:
            writer.flush()
    lengths = seen.get(timeout=60)
    reader.join(60)
    assert reader.exitcode == 0
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 2


COPIES = {
    "pickle": lambda backend: pickle.loads(pickle.dumps(backend)),
    "dill": lambda backend: dill.loads(dill.dumps(backend)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES.keys())
def test_copies_are_handles_that_hold_nothing(tmp_path, make):
    backend = begun(tmp_path / "a.h5", compression="gzip", compression_opts=3)
    copied = make(backend)
    for name in ("filename", "name", "read_only", "compression", "compression_opts", "dtype"):
        assert getattr(copied, name) == getattr(backend, name)
    assert copied.iteration == 3
    backend.close()
    assert steps_in(tmp_path / "a.h5") == 3
    threads = threading.active_count()
    again = make(backend)
    assert again.get_chain().shape == (3, *SHAPE)
    assert threading.active_count() == threads
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
    save(again, 2, SHAPE)
    assert backend.iteration == 5


def read_pickled(data, results):
    backend = pickle.loads(data)
    results.put(backend.iteration)


def test_a_handle_pickled_to_another_process_only_reads(tmp_path):
    backend = begun(tmp_path / "a.h5")
    backend.flush()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=read_pickled, args=(pickle.dumps(backend), results))
    process.start()
    iteration = results.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0
    assert iteration == 3
    save(backend, 2, SHAPE)
    assert backend.iteration == 5


def test_one_handle_is_closed_while_the_other_goes_on(tmp_path):
    first = begun(tmp_path / "a.h5")
    second = HDFBackend(tmp_path / "a.h5", flush_interval=60.0)
    save(second, 2, SHAPE, announce=50)
    first.close()
    assert steps_in(tmp_path / "a.h5") == 5
    second.save_step(next(made_up_states(1, SHAPE)), ACCEPTED)
    assert first.iteration == second.iteration == 6
    second.close()
    assert steps_in(tmp_path / "a.h5") == 6
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_steps_of_a_handle_that_is_gone_are_delivered(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=0.05)
    save(backend, 7, SHAPE, announce=1000)
    del backend
    gc.collect()
    wait_until(lambda: steps_in(tmp_path / "a.h5") == 7)
    wait_until(lambda: [p.name for p in tmp_path.iterdir()] == ["a.h5"])
    assert save(HDFBackend(tmp_path / "a.h5"), 2, SHAPE) is None
    assert steps_in(tmp_path / "a.h5") == 9


def test_steps_of_a_handle_that_is_gone_are_seen_by_the_next(tmp_path):
    begun(tmp_path / "a.h5")
    gc.collect()
    backend = HDFBackend(tmp_path / "a.h5")
    assert backend.iteration == 3
    assert backend.get_chain().shape == (3, *SHAPE)
    backend.close()
    assert steps_in(tmp_path / "a.h5") == 3


def test_the_user_may_hold_the_file_open_while_steps_are_saved(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=0.01)
    run(backend, 5)
    sampling = sampler_on(backend).sample(backend.get_last_sample(), iterations=50)
    with backend.open() as file:
        for _ in range(10):
            next(sampling)
        assert len(file["mcmc/chain"]) == 5
        assert backend.iteration == 15
        assert len(backend.get_chain()) == 15
    wait_until(lambda: steps_in(tmp_path / "a.h5") == 15)
    backend.close()


def test_a_run_that_another_program_changed_is_not_overwritten(tmp_path):
    backend = begun(tmp_path / "a.h5")
    backend.flush()
    save(emcee.backends.HDFBackend(tmp_path / "a.h5"), 1, SHAPE, seed=9)
    with h5py.File(tmp_path / "a.h5") as file:
        theirs = file["mcmc/chain"][...]
    save(backend, 1, SHAPE, announce=10)
    with pytest.raises(RuntimeError, match="another program changed the run"):
        backend.flush()
    assert steps_in(tmp_path / "a.h5") == 4
    np.testing.assert_array_equal(emcee.backends.HDFBackend(tmp_path / "a.h5").get_chain(), theirs)
    backend.reset(*SHAPE)
    save(backend, 2, SHAPE)
    assert steps_in(tmp_path / "a.h5") == 2
