"""Journals by themselves: killed, and with a byte that is not what it was."""

import time

from journal_work import check_journal, journal_forever, pieces_in, read_flipped
from ledger import Ledger
from rows import LAYOUTS

from drawstore._core import JournalScan

ROUNDS = 20


def killed(nursery, random, folder):
    """Fill a journal until a random instant; returns where it is, its layout and its ledger."""
    path, layout = str(folder / "journal"), random.choice(LAYOUTS)
    ledger = Ledger(folder / "ledger")
    child = nursery.start(journal_forever, path, ledger, layout, random.random())
    ledger.wait_for("appended", 1)
    time.sleep(random.uniform(0, 0.04))
    child.kill_and_wait()
    return path, layout, ledger


def test_kills(nursery, rounds):
    def fault(random, folder):
        path, layout, ledger = killed(nursery, random, folder)
        check_journal(path, layout, ledger.released, ledger.appended, ledger.begun)

    rounds.play(fault)


def test_one_byte(nursery, rounds):
    made = []

    def fault(random, folder):
        if not made:
            path, layout, _ = killed(nursery, random, folder)
            (piece,) = pieces_in(JournalScan(path))
            with open(path, "rb") as file:
                made[:] = [layout, piece.first, piece.stop, file.read()]
        layout, first, stop, data = made
        path = str(folder / "flipped")
        data = bytearray(data)
        at = random.randrange(random.choice([len(data), 4096 + 64]))
        data[at] ^= random.choice([1 << random.randrange(8), 255])
        with open(path, "wb") as file:
            file.write(data)
        code = nursery.start(read_flipped, path, layout, first, stop).wait()
        assert code == 0, f"byte {at} of {len(data)}: code {code}"
        if random.random() < 0.05:
            made.clear()

    rounds.play(fault)
