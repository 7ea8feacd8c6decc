"""SIGKILL at a random instant: no row whose append returned is lost, torn or there twice."""

import time

import pytest
from ledger import Ledger
from stores import STORES
from workloads import append_and_close, append_forever

ROUNDS = 8
WIDTHS = (3, 2000)  # small rows; and rows of which a few fill what is kept of the newest


def check_survivors(store, path, width, ledger):
    begun, appended = ledger.begun, ledger.appended  # before anything that might change them
    n = store.check(path, width)
    assert appended <= n <= begun, f"{appended} appended, {begun} begun, {n} found"


@pytest.mark.parametrize("pace", [0.0, 0.001], ids=["fast", "slow"])
@pytest.mark.parametrize("name", STORES)
def test_at_a_random_instant(nursery, rounds, name, pace):
    store = STORES[name]

    def fault(random, folder):
        path, width = str(folder / "store"), random.choice(WIDTHS)
        store.create(path, width)
        ledger = Ledger(folder / "ledger")
        for _ in range(2):  # killed, gone on with, killed again
            before = ledger.appended
            batch = random.choice([1, 1, 1, 40])
            child = nursery.start(append_forever, name, path, ledger, width, pace, batch)
            ledger.wait_for("appended", before + 1)
            time.sleep(random.uniform(0, 0.04))
            child.kill_and_wait()
            check_survivors(store, path, width, ledger)

    rounds.play(fault)


@pytest.mark.parametrize("name", STORES)
def test_while_growing_or_closing(nursery, rounds, name):
    store = STORES[name]

    def fault(random, folder):
        path, width = str(folder / "store"), random.choice(WIDTHS)
        store.create(path, width)
        ledger = Ledger(folder / "ledger")
        args = (random.randrange(1, 30), random.choice([1, 40]))
        child = nursery.start(append_and_close, name, path, ledger, width, *args)
        ledger.wait_for("said", 1)
        time.sleep(random.uniform(0, 0.02))
        child.kill_and_wait()
        check_survivors(store, path, width, ledger)

    rounds.play(fault)
