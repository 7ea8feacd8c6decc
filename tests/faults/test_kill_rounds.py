"""SIGKILL: no row that was acknowledged is lost, torn or there twice, and the store can be read."""

import signal
import time

import pytest
from ledger import Ledger
from rows import LAYOUTS
from stores import STORES
from workloads import append_forever, die_at_change, die_while_healing

ROUNDS = 3


def check_survivors(name, path, layout, ledger):
    """Check all rows; returns their number."""
    appended, begun = ledger.appended, ledger.begun
    n = STORES[name].check(path, layout)
    assert appended <= n <= begun, f"{appended} appended, {begun} begun, {n} found"
    ledger.begun = ledger.appended = n + 1  # the check appends one
    return n


@pytest.fixture(params=STORES)
def name(request):
    return request.param


@pytest.mark.parametrize("pace", [0.0, 0.001], ids=["fast", "slow"])
def test_at_a_random_instant(nursery, rounds, name, pace):
    def fault(random, folder):
        path, layout = str(folder / "store"), random.choice(LAYOUTS)
        STORES[name].create(path, layout)
        ledger = Ledger(folder / "ledger")
        for k in range(2):  # killed, gone on with, killed again
            batch = random.choice([1, 1, 1, 40])
            child = nursery.start(append_forever, name, path, ledger, layout, pace, batch)
            ledger.wait_for("said", k + 1)
            time.sleep(random.uniform(0, 0.05))
            child.kill_and_wait()
            check_survivors(name, path, layout, ledger)

    rounds.play(fault)


def test_at_any_change_and_again_while_healing(nursery, rounds, name):
    """In the middle of growing, draining, closing and healing: at a counted change of a file."""

    def fault(random, folder):
        (folder / "it").mkdir()
        path, layout = str(folder / "it/store"), random.choice(LAYOUTS)
        STORES[name].create(path, layout)
        ledger = Ledger(folder / "ledger")
        for change in random.randrange(1, 60), random.randrange(1, 20):
            child = nursery.start(
                die_at_change, name, path, ledger, layout, random.random(), change
            )
            assert child.wait() == -signal.SIGKILL
            for _ in range(2):
                child = nursery.start(
                    die_while_healing, name, path, layout, random.randrange(1, 12)
                )
                assert child.wait() in (-signal.SIGKILL, 0)
            check_survivors(name, path, layout, ledger)

    rounds.play(fault)
