"""Forked processes: what is the parent's stays the parent's."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import emcee
import numpy as np
import pytest

import drawstore
from scripting import LIGHT, finish, run, start, wait_for

SAVE = """
import os, sys, signal, threading, time, warnings, multiprocessing
import emcee, numpy as np
from drawstore.emcee import HDFBackend

path = sys.argv[1]

def state(i):
    return emcee.State(np.full((4, 3), float(i)), log_prob=np.zeros(4))

def save(backend, first, last):
    for i in range(first, last):
        backend.save_step(state(i), np.ones(4, bool))

def own(name):
    backend = HDFBackend(name, flush_interval=1000)
    backend.reset(4, 3)
    backend.grow(1000, None)
    save(backend, 0, 10)

def log_prob(x):
    return -0.5 * np.sum(x**2)
"""


def steps(path):
    return emcee.backends.HDFBackend(path).get_chain()[:, 0, 0]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_pool_samples(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(
        LIGHT
        + SAVE
        + """
if __name__ == "__main__":
    backend = HDFBackend(path, flush_interval=0.001)
    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
        sampler = emcee.EnsembleSampler(8, 3, log_prob, backend=backend, pool=pool)
        sampler.run_mcmc(np.random.default_rng(1).normal(size=(8, 3)), 30)
        with multiprocessing.get_context(sys.argv[2]).Pool(1) as second:
            second.map(log_prob, np.ones((3, 3)))
        sampler.run_mcmc(None, 30)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
"""
    )
    path = tmp_path / "a.h5"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(path), method],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(steps(path)) == 60


def test_a_child_has_a_passive_handle(tmp_path):
    code = """
    backend = HDFBackend(path, flush_interval=0.001)
    backend.reset(4, 3)
    backend.grow(1000, None)
    save(backend, 0, 300)
    pid = os.fork()
    if pid == 0:
        try:
            save(backend, 300, 301)
        except BlockingIOError as error:
            assert str(os.getppid()) in str(error)
            backend.flush()
            backend.close()
            del backend
            sys.exit(3)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    save(backend, 300, 600)
    """
    run_code(code, tmp_path / "a.h5")
    np.testing.assert_array_equal(steps(tmp_path / "a.h5"), np.arange(600))


def test_forks_while_steps_are_drained(tmp_path):
    code = """
    backend = HDFBackend(path, flush_interval=0)
    backend.reset(4, 3)
    backend.grow(10_000, None)
    for i in range(40):
        save(backend, 20 * i, 20 * i + 20)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    """
    run_code(code, tmp_path / "a.h5")
    np.testing.assert_array_equal(steps(tmp_path / "a.h5"), np.arange(800))


def test_a_fork_while_another_thread_flushes_keeps_no_lock(tmp_path):
    code = """
    backend = HDFBackend(path, flush_interval=1000)
    backend.reset(4, 3)
    backend.grow(10_000, None)
    ended = threading.Event()
    def flush():
        while not ended.is_set():
            backend.flush()
    thread = threading.Thread(target=flush)
    thread.start()
    warnings.simplefilter("ignore", DeprecationWarning)  # the thread is the test's own
    children = []
    for i in range(20):
        save(backend, 10 * i, 10 * i + 10)
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        children.append(pid)
    ended.set()
    thread.join()
    backend.close(5)
    HDFBackend(path).get_chain()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    """
    run_code(code, tmp_path / "a.h5")
    np.testing.assert_array_equal(steps(tmp_path / "a.h5"), np.arange(200))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_worker_delivers_what_is_its_own(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(
        LIGHT
        + SAVE
        + """
if __name__ == "__main__":
    worker = multiprocessing.get_context(sys.argv[2]).Process(target=own, args=(path,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
"""
    )
    path = tmp_path / "a.h5"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(path), method],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(steps(path), np.arange(10))


def test_the_lock_dies_with_its_process_not_with_its_children(tmp_path):
    path = tmp_path / "a.h5"
    code = """
    backend = HDFBackend(path, flush_interval=1000)
    backend.reset(4, 3)
    backend.grow(1000, None)
    save(backend, 0, 10)
    backend.flush()
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    print(pid, flush=True)
    time.sleep(60)
    """
    process = start_code(code, path)
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        run_code("backend = HDFBackend(path); backend.grow(1, None); save(backend, 10, 11)", path)
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()
    np.testing.assert_array_equal(steps(path), np.arange(11))


def test_a_thread_that_outlives_the_main_one_saves(tmp_path):
    code = """
    backend = HDFBackend(path, flush_interval=0.001)
    backend.reset(4, 3)
    backend.grow(1000, None)
    def sample():
        time.sleep(0.2)  # the interpreter has begun to end
        save(backend, 0, 20)
    threading.Thread(target=sample).start()
    """
    run_code(code, tmp_path / "a.h5")
    np.testing.assert_array_equal(steps(tmp_path / "a.h5"), np.arange(20))


def test_handles_that_are_gone_leave_the_run_delivered_and_released(tmp_path):
    code = """
    backend = HDFBackend(path, flush_interval=0.01)
    backend.reset(4, 3)
    backend.grow(1000, None)
    save(backend, 0, 20)
    del backend
    while os.path.exists(path + "-redo"):
        time.sleep(0.01)
    print("released", flush=True)
    sys.stdin.read()
    """
    path = tmp_path / "a.h5"
    process = start_code(code, path)
    wait_for(process, "released")
    np.testing.assert_array_equal(steps(path), np.arange(20))
    assert finish(process) == ("", "")


def start_code(code, path):
    return start(SAVE + textwrap.dedent(code), path)


def run_code(code, path):
    assert run(SAVE + textwrap.dedent(code), path)[1] == ""


def test_what_was_appended_before_a_fork_is_synced_without_another_append(tmp_path):
    backend = drawstore.FileBackend(tmp_path / "runs", sync_interval=0.2)
    with backend.init_run(drawstore.make_meta({"x": (float, ())}, rid="a")).init_chain(0) as chain:
        file = tmp_path / "runs/a/chain-0.draws"

        def synced():
            return file.read_bytes()[2048:3072]  # the sync records, as FORMAT.md says

        before = synced()
        chain.append({"x": 1.0})
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        end = time.monotonic() + 30
        while synced() == before and time.monotonic() < end:
            time.sleep(0.05)
        assert synced() != before


@pytest.mark.parametrize("first", ["drawstore.drain", "drawstore.backends.clickhouse", "h5py"])
def test_forks_while_draws_are_written_whatever_was_imported_first(tmp_path, first):
    code = f"""
    import {first}
    import os, sys
    assert ("h5py" in sys.modules) == ({first!r} == "h5py")
    from drawstore import HDF5Backend, make_meta
    run = HDF5Backend(sys.argv[1], flush_interval=0).init_run(make_meta({{"x": (int, ())}}))
    with run.init_chain(0) as chain:
        for i in range(100):
            chain.append({{"x": i}})
            if os.fork() == 0:
                os._exit(0)
            os.wait()
    print(len(chain))
    """
    process = start(code, tmp_path / "runs.h5")
    try:
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert out.strip() == "100"
