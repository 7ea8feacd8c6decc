"""Journals after a loss of power: no synced row is missing that was not released, none is wrong."""

from journal_work import check_journal, journal_recorded
from recording import Recording
from rows import LAYOUTS
from workloads import Shim

ROUNDS = 20
CRASHES = 15  # of one recorded process


def test_loss_of_power(nursery, rounds):
    recorded = []

    def fault(random, folder):
        if not recorded or recorded[2] == 0:
            layout = random.choice(LAYOUTS)
            log = str(folder / "log")
            (folder / "it").mkdir()
            n = 400 if layout.width > 1000 else 3000
            args = str(folder / "it/journal"), log, layout, random.random(), n
            nursery.start(journal_recorded, *args).finish()
            recorded[:] = [layout, Recording(log), CRASHES]
        layout, recording, _ = recorded
        recorded[2] -= 1
        now = random.choice(recording.moments)
        image = folder / "image"
        image.mkdir()
        recording.crash(random, image, now)
        released, synced, begun = (
            recording.said(what, now) for what in (Shim.RELEASED, Shim.SYNCED, Shim.BEGUN)
        )
        check_journal(str(image / "journal"), layout, released, synced, begun)

    rounds.play(fault)
