"""Several programs, or several parts of one, on one file."""

import os
import socket

import emcee
import h5py
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from scripting import finish, run, start, wait_for

HOLD = """
import sys, h5py
file = h5py.File(sys.argv[1], sys.argv[2])
print("held", flush=True)
sys.stdin.read()
file.close()
"""

WRITE = """
import sys
import emcee, numpy as np
from drawstore.emcee import HDFBackend

backend = HDFBackend(sys.argv[1], flush_interval=0.01)
backend.reset(4, 3)
backend.grow(1000, None)
for i in range(20):
    state = emcee.State(np.full((4, 3), float(i)), log_prob=np.zeros(4))
    backend.save_step(state, np.ones(4, bool))
backend.flush()
print("written", flush=True)
sys.stdin.read()
"""


def save(backend, first, last):
    for i in range(first, last):
        state = emcee.State(np.full((4, 3), float(i)), log_prob=np.zeros(4))
        backend.save_step(state, np.ones(4, bool))


def steps(path):
    return emcee.backends.HDFBackend(path).get_chain()[:, 0, 0]


@pytest.fixture
def backend(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=0.001)
    backend.reset(4, 3)
    backend.grow(1000, None)
    save(backend, 0, 10)
    backend.flush()
    yield backend
    try:
        backend.close(5)
    except (OSError, RuntimeError):  # where the test took the file away
        backend._run.discard()


def test_a_reader_that_holds_the_file_does_not_stop_the_sampler(backend):
    process = start(HOLD, backend.filename, "r")
    wait_for(process, "held")
    save(backend, 10, 50)
    assert backend.iteration == 50
    np.testing.assert_array_equal(backend.get_chain()[:, 0, 0], np.arange(50))
    with pytest.raises(TimeoutError, match="another program holds"):
        backend.close(0.05)
    finish(process)
    backend.flush()
    np.testing.assert_array_equal(steps(backend.filename), np.arange(50))


def test_the_file_is_not_given_out_without_the_newest_steps(backend, monkeypatch):
    monkeypatch.setattr("drawstore.emcee.hdf.PATIENCE", 0.05)
    process = start(HOLD, backend.filename, "r")
    wait_for(process, "held")
    save(backend, 10, 50)
    with pytest.raises(BlockingIOError, match="locked by another program"):
        backend.open()
    finish(process)
    with backend.open() as file:
        assert len(file["mcmc/chain"]) == 50


def test_a_second_writer_is_told_who_writes(tmp_path):
    process = start(WRITE, tmp_path / "a.h5")
    wait_for(process, "written")
    second = HDFBackend(tmp_path / "a.h5")
    with pytest.raises(BlockingIOError) as caught:
        second.grow(1, None)
    for part in (f"process {process.pid}", socket.gethostname(), "waited 1."):
        assert part in str(caught.value)
    np.testing.assert_array_equal(second.get_chain()[:, 0, 0], np.arange(20))
    process.kill()  # dead: its place is taken
    process.communicate()
    second.grow(1, None)
    save(second, 20, 21)
    np.testing.assert_array_equal(steps(tmp_path / "a.h5"), np.arange(21))


@pytest.mark.parametrize("locking", [None, True, False])
@pytest.mark.parametrize("first", [True, False])
def test_h5py_in_the_same_process_may_lock_as_it_likes(backend, locking, first):
    if first:
        with h5py.File(backend.filename, "r", locking=locking) as file:
            with backend.open() as again:
                assert len(again["mcmc/chain"]) >= 10
            save(backend, 10, 20)
            assert len(backend.get_chain()) == 20
            assert file["mcmc"].attrs["nwalkers"] == 4
    else:
        save(backend, 10, 20)
        assert len(backend.get_chain()) == 20
        with h5py.File(backend.filename, "r", locking=locking) as file:
            assert len(backend.get_chain()) == 20
            assert file["mcmc"].attrs["nwalkers"] == 4
    backend.flush()
    np.testing.assert_array_equal(steps(backend.filename), np.arange(20))


def test_a_file_that_the_user_writes_to_waits(backend):
    with backend.open("a") as file:
        file["mcmc"].attrs["labels"] = ["a", "b", "c"]
        save(backend, 10, 30)
        assert file["mcmc"].attrs["iteration"] == 10
    backend.flush()
    with backend.open() as file:
        assert list(file["mcmc"].attrs["labels"]) == ["a", "b", "c"]
    np.testing.assert_array_equal(steps(backend.filename), np.arange(30))


def test_without_hdf5s_locks(tmp_path):
    env = {**os.environ, "HDF5_USE_FILE_LOCKING": "FALSE"}
    finish(start(WRITE, tmp_path / "a.h5", env=env))
    np.testing.assert_array_equal(steps(tmp_path / "a.h5"), np.arange(20))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_deleted_file_is_not_made_again(backend):
    backend.flush_interval = 1000
    os.remove(backend.filename)
    save(backend, 10, 20)
    with pytest.raises(FileNotFoundError, match=r"a\.h5"):
        backend.flush()
    np.testing.assert_array_equal(backend.get_chain(discard=10)[:, 0, 0], np.arange(10, 20))
    assert not os.path.exists(backend.filename)
    backend.reset(4, 3)
    save(backend, 0, 5)
    backend.close()
    np.testing.assert_array_equal(steps(backend.filename), np.arange(5))


def test_a_run_that_another_program_began_anew_is_left_to_it(backend):
    code = """
    import sys, emcee
    emcee.backends.HDFBackend(sys.argv[1]).reset(4, 3)
    """
    run(code, backend.filename)
    save(backend, 10, 20)
    with pytest.raises(RuntimeError, match="another program changed the run"):
        backend.flush()
    np.testing.assert_array_equal(backend.get_chain(discard=10)[:, 0, 0], np.arange(10, 20))
    with pytest.raises(RuntimeError, match="another program changed the run"):
        backend.get_chain()
    with pytest.raises(RuntimeError, match="another program changed the run"):
        backend.close()
    assert backend.iteration == 0  # what is in the file
    with pytest.warns(RuntimeWarning, match="set-aside"):  # where the other steps are
        backend.grow(5, None)
    save(backend, 0, 5)
    np.testing.assert_array_equal(steps(backend.filename), np.arange(5))


def test_reading_while_another_process_writes(tmp_path):
    process = start(
        WRITE.replace("range(20)", "range(1000)"),
        tmp_path / "a.h5",
    )
    backend = HDFBackend(tmp_path / "a.h5", read_only=True)
    seen = 0
    while seen < 1000:
        if backend.initialized and backend.iteration > 0:
            found = backend.get_chain()[:, 0, 0]
            np.testing.assert_array_equal(found, np.arange(len(found)))
            assert len(found) >= seen
            seen = len(found)
        assert process.poll() is None
    finish(process)


def test_a_reset_gives_the_space_back(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5")
    sizes = []
    for _ in range(3):
        backend.reset(4, 3)
        backend.grow(5000, None)
        save(backend, 0, 5000)
        sizes.append(os.path.getsize(backend.filename))
    assert max(sizes) == min(sizes)
