"""Ctrl-C at a random instant of a program that writes to its file all the time."""

import signal
import time

import pytest
from ledger import Ledger
from rows import LAYOUTS
from stores import STORES
from workloads import sync_until_interrupted

ROUNDS = 3
LATEST = 5.0  # seconds that an interrupted program takes to deliver


@pytest.mark.parametrize("name", STORES)
def test_all_is_delivered_after_it(nursery, rounds, name):
    def fault(random, folder):
        path, ledger, layout = str(folder / "it"), Ledger(folder / "ledger"), LAYOUTS[0]
        STORES[name].create(path, layout)
        child = nursery.start(sync_until_interrupted, name, path, ledger, layout)
        ledger.wait_for("said", 1)
        time.sleep(random.uniform(0, 0.05))
        # h5py runs Python code where Python drops what a signal raises: people press again.
        for _ in range(10):
            child.kill(signal.SIGINT)
            start = time.monotonic()
            while ledger.said == 1 and time.monotonic() - start < 1.0:
                time.sleep(0.001)
            if ledger.said == 2:
                break
        child.finish()
        assert time.monotonic() - start < LATEST
        assert not list(folder.glob("it-*")), "something is left"
        n = STORES[name].check(path, layout)
        assert ledger.appended <= n <= ledger.begun

    rounds.play(fault)
