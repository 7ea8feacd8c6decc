"""SIGKILL in an unmodified script that is recorded: started again, it ends with the same draws."""

import time

import numpy as np
import pytest
import script_work
from ledger import Ledger
from nursery import Nursery
from script_work import N_STEPS, run_plainly, run_recorded, write_quickstart

from drawstore.emcee import HDFBackend

ROUNDS = 2


@pytest.fixture(scope="module")
def nursery():
    made = Nursery([script_work.__name__])
    yield made
    made.close()


def kept(path):
    """Read all steps that are kept, by part."""
    backends = {name: HDFBackend(path, name, read_only=True) for name in N_STEPS}
    return {
        name: backend.get_chain() if backend.initialized and backend.iteration else []
        for name, backend in backends.items()
    }


def test_the_quickstart_of_emcee(nursery, rounds, tmp_path):
    write_quickstart(tmp_path)
    began = time.monotonic()
    nursery.start(run_plainly, tmp_path).finish()
    taken = time.monotonic() - began
    theirs = dict(np.load(tmp_path / "out.npz"))

    def fault(random, folder):
        write_quickstart(folder)
        ledger = Ledger(folder / "ledger")
        before = {}
        for _ in range(3):
            child = nursery.start(run_recorded, folder, ledger.path)
            time.sleep(random.uniform(0, taken))
            child.kill()
            child.wait()
            if (folder / "kept/draws.h5").exists():
                steps = kept(folder / "kept/draws.h5")
                assert sum(map(len, steps.values())) >= ledger.appended
                for name, chain in before.items():
                    if len(chain):
                        np.testing.assert_array_equal(steps[name][: len(chain)], chain)
                before = steps
        nursery.start(run_recorded, folder, ledger.path).finish()
        ours = dict(np.load(folder / "out.npz"))
        np.testing.assert_array_equal(ours["chain"], theirs["chain"])
        np.testing.assert_array_equal(ours["fraction"], theirs["fraction"])
        steps = kept(folder / "kept/draws.h5")
        assert {name: len(chain) for name, chain in steps.items()} == N_STEPS
        assert ledger.appended <= sum(N_STEPS.values())

    rounds.play(fault)
