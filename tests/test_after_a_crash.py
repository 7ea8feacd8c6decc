"""The code of cpp/AFTER_A_CRASH.md, on the files of a killed run."""

import re
import signal
from pathlib import Path

import emcee
import h5py
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from scripting import run

PAGE = Path(__file__).parent.parent / "cpp" / "AFTER_A_CRASH.md"
SHAPE = (4, 3)
N = 50

# Step i is i everywhere. The first 20 are in the file, the others when it dies.
SAVE_AND_DIE = """
import os, signal, sys
import emcee, numpy as np
from drawstore.emcee import HDFBackend
from drawstore.hdf5 import redo

path, where = sys.argv[1:]
backend = HDFBackend(path, flush_interval=1000)
backend.reset(4, 3)
backend.grow(51, None)

def save(first, stop):
    for i in range(first, stop):
        state = emcee.State(np.full((4, 3), float(i)), log_prob=np.full(4, float(i)))
        backend.save_step(state, np.ones(4, bool))

save(0, 20)
backend.flush()
save(20, 50)
if where == "in a change":
    def half(change, fd, check):
        start, data = change.runs[0]
        redo.write_pieces(fd, [(start, data[: len(data) // 2])])
        os.kill(os.getpid(), signal.SIGKILL)

    redo.Change.apply = half
    backend.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def page():
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names = {}
    for block in blocks:
        assert "drawstore" not in re.sub(r'b"\w+"', "", block)
        exec(compile(block, PAGE.name, "exec"), names)
    return names


@pytest.fixture(params=["in a change", "between changes"])
def killed(request, tmp_path):
    path = tmp_path / "chain.h5"
    run(SAVE_AND_DIE, path, request.param, code_expected=-signal.SIGKILL)
    return path, request.param


def test_the_change_is_finished_and_the_newest_steps_are_read(page, killed):
    path, where = killed
    assert page["finish_change"](str(path)) == (where == "in a change")
    Path(f"{path}-redo").unlink()
    with h5py.File(path, "r") as file:
        stored = file["mcmc/chain"][: file["mcmc"].attrs["iteration"], 0, 0]
    assert len(stored) == (N if where == "in a change" else 20)
    numbers, chain, log_prob = page["steps_in_journal"](f"{path}-journal", "mcmc", *SHAPE)
    np.testing.assert_array_equal(numbers[-30:], range(20, N))
    np.testing.assert_array_equal(chain, numbers[:, None, None] * np.ones(SHAPE))
    np.testing.assert_array_equal(log_prob, numbers[:, None] * np.ones(4))
    np.testing.assert_array_equal(stored, np.arange(len(stored)))


def test_emcee_itself_reads_the_file_then(page, killed):
    path, _ = killed
    page["finish_change"](str(path))
    backend = emcee.backends.HDFBackend(path, read_only=True)
    assert backend.get_chain().shape[1:] == SHAPE


def test_drawstore_still_has_every_step_afterwards(page, killed):
    path, _ = killed
    page["finish_change"](str(path))
    np.testing.assert_array_equal(HDFBackend(path).get_chain()[:, 0, 0], np.arange(N))
