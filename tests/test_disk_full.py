"""A disk without room, without a journal: nothing is harmed, and the run goes on later."""

import os

import emcee
import h5py
import numpy as np
import pytest

from scripting import run

# The limit on a file's size is the full disk that every system has.
SAVE = """
import logging, os, resource, signal, sys
import emcee, h5py, numpy as np
from drawstore.emcee import HDFBackend

logging.disable()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, gzip, room = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def save(first, n):
    random = np.random.default_rng(first)
    for i in range(first, first + n):
        coords = random.normal(size=(32, 5))
        coords[0, 0] = i
        backend.save_step(emcee.State(coords, log_prob=np.zeros(32)), np.ones(32, bool))

backend = HDFBackend(path, flush_interval=1000, compression=gzip, journal=False)
backend.reset(32, 5)
backend.grow(10_000, None)
save(0, 100)
backend.flush()
limit(os.path.getsize(path) + room)
save(100, 3000)
for _ in range(3):
    try:
        backend.flush()
    except OSError as error:
        assert path in str(error), error
    else:
        sys.exit("there was room")
np.testing.assert_array_equal(backend.get_chain()[:, 0, 0], np.arange(3100))
with h5py.File(path, "r") as file:
    assert file["mcmc"].attrs["iteration"] == 100
    np.testing.assert_array_equal(file["mcmc/chain"][:100, 0, 0], np.arange(100))
save(3100, 5)
if len(sys.argv) == 4:
    limit(resource.RLIM_INFINITY)
    save(3105, 5)
    backend.flush()
    np.testing.assert_array_equal(backend.get_chain()[:, 0, 0], np.arange(3110))
"""


@pytest.mark.parametrize("room", [0, 3000, 100_000])
@pytest.mark.parametrize("gzip", ["", "gzip"])
def test_a_run_goes_on_when_there_is_room_again(tmp_path, gzip, room):
    path = tmp_path / "a.h5"
    run(SAVE, path, gzip, room)
    chain = emcee.backends.HDFBackend(path).get_chain()
    np.testing.assert_array_equal(chain[:, 0, 0], np.arange(3110))
    assert os.listdir(tmp_path) == ["a.h5"]


def test_the_end_says_what_is_lost(tmp_path):
    path = tmp_path / "a.h5"
    _, printed = run(SAVE, path, "", 3000, "to the end")
    assert "the last 3005 steps are lost" in printed
    assert str(path) in printed
    with h5py.File(path, "r") as file:
        assert file["mcmc"].attrs["iteration"] == 100


def test_a_reset_without_room_leaves_nothing(tmp_path):
    code = """
    import os, resource, signal, sys
    from drawstore.emcee import HDFBackend

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for room in 100, 1100, 3000, 5000:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            HDFBackend(sys.argv[1]).reset(32, 5)
        except OSError as error:
            assert sys.argv[1] in str(error), error
        else:
            sys.exit("there was room")
        assert os.listdir(os.path.dirname(sys.argv[1])) == [], room
    """
    run(code, tmp_path / "a.h5")
