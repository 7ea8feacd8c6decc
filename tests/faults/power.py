"""Processes that are recorded, and what losses of power leave of their stores."""

from dataclasses import dataclass

from recording import Recording
from rows import LAYOUTS, Rows
from stores import STORES
from workloads import Shim, be_recorded

CRASHES = 15  # of one recorded process


@dataclass(frozen=True)
class Crashed:
    """What a process had said when the power went: how many rows were synced, and begun."""

    layout: Rows
    synced: int
    begun: int


class Power:
    """Takes the power away from processes that write to a store of one kind."""

    def __init__(self, nursery, name):
        self._nursery = nursery
        self._name = name
        self._left = 0

    def lose(self, random, folder):
        """Put what a loss of power leaves of a store "it" into ``folder / "image"``."""
        if self._left == 0:
            self._record(random, folder)
        self._left -= 1
        recording, now = self._recording, random.choice(self._recording.moments)
        (folder / "image").mkdir()
        recording.crash(random, folder / "image", now)
        said = recording.said(Shim.SYNCED, now), recording.said(Shim.BEGUN, now)
        return Crashed(self._layout, *said)

    def _record(self, random, folder):
        self._layout = random.choice(LAYOUTS)
        log = str(folder / "log")
        (folder / "store").mkdir()
        path = str(folder / "store/it")
        n = random.choice([100, 300, 600])
        call = (self._name, path, log, self._layout, random.random(), n)
        self._nursery.start(be_recorded, *call).finish()
        self._recording = Recording(log)
        self._left = CRASHES


def check(name, image, crashed):
    """Check the rows in an image as a reader and as the next writer find them."""
    path = str(image / "it")
    if crashed.synced == 0 and not STORES[name].has_run(path):
        return
    n = STORES[name].check(path, crashed.layout)
    assert crashed.synced <= n <= crashed.begun, f"{crashed}, {n} found"
