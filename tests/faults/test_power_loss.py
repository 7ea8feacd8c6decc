"""Loss of power, simulated: no synced row is missing, no row is wrong, every store can be read."""

import pytest
from power import Power, check
from stores import STORES

ROUNDS = 15


@pytest.mark.parametrize("name", STORES)
def test_loss_of_power(nursery, rounds, name):
    power = Power(nursery, name)

    def fault(random, folder):
        crashed = power.lose(random, folder)
        check(name, folder / "image", crashed)

    rounds.play(fault)
