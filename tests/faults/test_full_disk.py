"""A full disk: an error from the append that found no room, and nothing else happens."""

import contextlib

import disks
import pytest
from ledger import Ledger
from rows import LAYOUTS
from stores import STORES
from workloads import meet_full_disk

ROUNDS = 1


@pytest.mark.parametrize("kind", disks.kinds())
@pytest.mark.parametrize("name", STORES)
def test_a_run_goes_on_when_there_is_room_again(nursery, rounds, name, kind):
    def fault(random, folder):
        layout = random.choice(LAYOUTS)
        with contextlib.nullcontext(folder) if kind == "limit" else disks.mounted(kind) as disk:
            path, ledger = f"{disk}/it", Ledger(folder / "ledger")
            before = random.choice([0, 1000, 100_000, 1_200_000]) // STORES[name].row_bytes(layout)
            room = random.choice([0, 5000, 100_000, 1_200_000])
            batch = 1 if "emcee" in name else random.choice([1, 1, 7])
            args = (name, path, layout, ledger, kind, before, room, batch)
            nursery.start(meet_full_disk, *args).finish()
            assert STORES[name].check(path, layout) == ledger.appended

    rounds.play(fault)
