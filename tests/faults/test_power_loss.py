"""Loss of power, simulated: no synced row is missing, no row is wrong, every store can be read."""

import pytest
from recording import Recording
from rows import LAYOUTS
from stores import STORES
from workloads import Shim, be_recorded

ROUNDS = 15
CRASHES = 15  # of one recorded process


@pytest.mark.parametrize("name", STORES)
def test_loss_of_power(nursery, rounds, name):
    recorded = []

    def record(random, folder):
        layout = random.choice(LAYOUTS)
        log = str(folder / "log")
        (folder / "store").mkdir()
        path = str(folder / "store/it")
        n = random.choice([100, 300, 600])
        nursery.start(be_recorded, name, path, log, layout, random.random(), n).finish()
        recorded[:] = [layout, Recording(log), CRASHES]

    def fault(random, folder):
        if not recorded or recorded[2] == 0:
            record(random, folder)
        layout, recording, _ = recorded
        recorded[2] -= 1
        now = random.choice(recording.moments)
        image = folder / "image"
        image.mkdir()
        recording.crash(random, image, now)
        begun, synced = recording.said(Shim.BEGUN, now), recording.said(Shim.SYNCED, now)
        path = str(image / "it")
        if synced == 0 and not STORES[name].has_run(path):
            return
        n = STORES[name].check(path, layout)
        assert synced <= n <= begun, f"{synced} synced, {begun} begun, {n} found"

    rounds.play(fault)
