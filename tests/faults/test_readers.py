"""Readers at 100 Hz, and one that holds the file: the writer goes on, and they see whole rows."""

import h5py
import pytest
from ledger import Ledger
from reading_work import append_until_asked, poll
from rows import Rows
from stores import STORES

ROUNDS = 1
LAYOUT = Rows(3, False)
FEW, MANY = 2000, 20_000  # steps of each round; many where more rounds are asked for

READERS = {
    "files-mapped": ("afresh", "held"),
    "files-written": ("afresh", "held"),
    "hdf5": ("afresh", "held", "h5py"),
    "hdf5-gzip": ("afresh", "held", "h5py"),
    "emcee": ("afresh", "h5py", "emcee"),
    "emcee-gzip": ("afresh", "h5py", "emcee"),
}


@pytest.mark.parametrize("name", READERS)
def test_readers_at_100_hz(nursery, rounds, name):
    steps = FEW if rounds.n == ROUNDS else MANY

    def fault(random, folder):
        path, ledger = str(folder / "store"), Ledger(folder / "ledger")
        STORES[name].create(path, LAYOUT)
        writer = nursery.start(append_until_asked, name, path, ledger, LAYOUT, steps, 0.0002)
        readers = [
            nursery.start(poll, reader, name, path, ledger, LAYOUT) for reader in READERS[name]
        ]
        writer.finish()
        for reader in readers:
            reader.finish()
        assert STORES[name].check(path, LAYOUT) == steps

    rounds.play(fault)


@pytest.mark.parametrize("name", [name for name in READERS if "files" not in name])
def test_a_reader_that_holds_the_file(nursery, rounds, name):
    def fault(random, folder):
        path, ledger = str(folder / "store"), Ledger(folder / "ledger")
        STORES[name].create(path, LAYOUT)
        writer = nursery.start(append_until_asked, name, path, ledger, LAYOUT, 10**9, 0.0)
        ledger.wait_for("appended", 100)
        for _ in range(1000):
            try:
                holder = h5py.File(path)
                break
            except BlockingIOError:
                pass
        with holder:
            ledger.wait_for("appended", ledger.appended + 10_000)
        ledger.asked = 1
        writer.finish()
        assert STORES[name].check(path, LAYOUT) == ledger.appended

    rounds.play(fault)
