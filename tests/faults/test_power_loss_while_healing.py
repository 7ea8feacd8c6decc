"""Loss of power, simulated, in the middle of healing what another one left: the same holds."""

import pytest
from power import Power, check
from recording import Recording
from stores import STORES
from workloads import Shim, be_recorded_while_healing

ROUNDS = 4


@pytest.mark.parametrize("name", STORES)
def test_loss_of_power_while_healing(nursery, rounds, name):
    power = Power(nursery, name)

    def fault(random, folder):
        crashed = power.lose(random, folder)
        image, log, path = folder / "image", folder / "healing", folder / "healed/it"
        if not STORES[name].has_run(str(image / "it")):
            return
        path.parent.mkdir()
        nursery.start(
            be_recorded_while_healing, name, str(image), str(path), str(log), crashed.layout
        ).finish()
        healing = Recording(log)
        now = random.choice([at for at in healing.moments if healing.said(Shim.BEGUN, at)])
        again = folder / "again"
        again.mkdir()
        healing.crash(random, again, now)
        check(name, again, crashed)

    rounds.play(fault)
