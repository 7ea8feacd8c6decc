"""Processes killed in the middle of drains: what their files hold."""

import os

import emcee
import h5py
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from drawstore.hdf5.redo import left_behind
from scripting import run

KILLS = 25  # of each kind, and there are four

# One process forks those that are killed, so that Python starts once. Each saves steps whose
# values are their numbers, and says in a file how many it has flushed. Half of them die at a
# counted write, in the middle of one, or at a sync; the others whenever the signal comes.
SAVE_AND_DIE = """
import os, random, signal, sys, time
import emcee, numpy as np
from drawstore.emcee import HDFBackend
from drawstore.hdf5 import capture, redo, store_file

kind, directory, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
chosen = random.Random(kind)

def die_at(count):
    left = [count]
    def event():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    write_at, datasync = capture.write_at, redo.datasync
    def write(fd, data, offset):
        event()
        half = len(data) // 2
        write_at(fd, memoryview(data)[:half], offset)
        event()
        write_at(fd, memoryview(data)[half:], offset + half)
        event()
    def sync(fd):
        datasync(fd)
        event()
    capture.write_at = redo.write_at = write
    redo.datasync = store_file.datasync = sync

def save(path, count):
    gzip = {"compression": "gzip"} if kind == "gzip" else {}
    first = 0
    if kind == "emcee":
        backend = emcee.backends.HDFBackend(path)
        backend.reset(4, 3)
        backend.grow(2, None)
        for first in range(2):
            backend.save_step(state(first), np.ones(4, bool))
        first = 2
        backend = HDFBackend(path, flush_interval=0)
    else:
        backend = HDFBackend(path, flush_interval=0, **gzip)
        backend.reset(4, 3)
    if count:
        die_at(count)
    blobs = np.zeros(4) if kind == "blobs" else None
    backend.grow(100_000, blobs)
    flushed = os.open(path + ".flushed", os.O_WRONLY | os.O_CREAT)
    for i in range(first, 100_000):
        backend.save_step(state(i), np.ones(4, bool))
        if i % 7 == 0:
            backend.flush()
            os.pwrite(flushed, (i + 1).to_bytes(8, "little"), 0)

def state(i):
    random_state = ("MT19937", np.full(624, i, np.uint32), i % 624, 0, 0.0)
    blobs = np.full(4, float(i)) if kind == "blobs" else None
    return emcee.State(np.full((4, 3), float(i)), log_prob=np.full(4, -float(i)), blobs=blobs,
                       random_state=random_state)

for k in range(kills):
    path = f"{directory}/{k}.h5"
    count = chosen.randrange(1, 60) if k % 2 else 0
    pid = os.fork()
    if pid == 0:
        save(path, count)
        os._exit(1)
    if not count:
        while not os.path.exists(path + ".flushed"):
            time.sleep(0.001)
        time.sleep(chosen.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
"""


def check(path, kind):
    """The file holds the steps up to some number, and fits that number; returns it."""
    with HDFBackend(path) as backend:
        n = backend.iteration
    backend = emcee.backends.HDFBackend(path, read_only=True)
    assert backend.iteration == n
    np.testing.assert_array_equal(backend.accepted, np.full(4, float(n)))
    if n:
        steps = np.arange(float(n))
        expected = np.broadcast_to(steps[:, None, None], (n, 4, 3))
        assert backend.get_chain().tobytes() == expected.tobytes()
        log_prob = np.broadcast_to(-steps[:, None], (n, 4))
        assert backend.get_log_prob().tobytes() == log_prob.tobytes()
        assert backend.random_state[1][0] == n - 1
        if kind == "blobs":
            np.testing.assert_array_equal(backend.get_blobs()[:, 2], steps)
    with h5py.File(path, "r") as file:
        assert list(file) == ["mcmc"]
        assert len(file["mcmc/chain"]) >= n
    return n


@pytest.mark.parametrize("kind", ["plain", "gzip", "blobs", "emcee"])
def test_a_killed_run_is_a_prefix_of_what_was_saved(tmp_path, kind):
    run(SAVE_AND_DIE, kind, tmp_path, KILLS)
    healed = 0
    for k in range(KILLS):
        path = str(tmp_path / f"{k}.h5")
        healed += left_behind(path)
        n = check(path, kind)
        if os.path.exists(path + ".flushed"):
            with open(path + ".flushed", "rb") as file:
                assert n >= int.from_bytes(file.read(), "little")
        # It goes on from there.
        with HDFBackend(path) as backend:
            blobs = np.zeros(4) if kind == "blobs" else None
            backend.grow(1, blobs)
            state = emcee.State(np.full((4, 3), float(n)), log_prob=np.full(4, -float(n)))
            state.blobs = np.full(4, float(n)) if kind == "blobs" else None
            state.random_state = ("MT19937", np.full(624, n, np.uint32), 0, 0, 0.0)
            backend.save_step(state, np.ones(4, bool))
        assert check(path, kind) == n + 1
        assert not os.path.exists(f"{path}-redo")
    assert healed > 0  # some died where the next open has work to do
