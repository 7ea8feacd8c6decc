"""A journal by itself, filled and emptied by a process that dies, and what is found in it then."""

import os
import random
import time

from workloads import Shim

from drawstore._core import Journal, JournalScan

ID = bytes(range(16))
LABEL = "run/chain 0"
SEGMENT = 16384


class Work:
    """Appends rows, and releases those that a store would have by now.

    ``said`` is told beforehand what may be found, and afterwards what has to be.
    """

    def __init__(self, path, layout, chosen, said):
        self._chosen = chosen
        self._said = said
        self._layout = layout
        store = chosen.choice(["mapped", "written"])
        interval = chosen.choice([-1.0, 0.001])
        self._journal = Journal(path, segment_bytes=SEGMENT, store=store, sync_interval=interval)
        meta = layout.core_meta()
        self._chain = self._journal.begin_chain(ID, LABEL, meta, 0, 0, 0)

    def step(self):
        """Append some rows; perhaps sync, or release synced ones. Returns how many there are."""
        i, batch = len(self._chain), self._chosen.choice([1, 1, 1, 20])
        self._said("begun", i + batch)
        if batch == 1:
            self._layout.append(self._chain, i)
        else:
            self._layout.extend(self._chain, i, batch)
        i += batch
        self._said("appended", i)
        if self._chosen.random() < 0.1:
            self._journal.sync()
            self._said("synced", i)
        if self._chosen.random() < 0.1:
            released = self._chosen.randint(self._chain.released, self._chain.synced)
            self._said("released", released)
            self._chain.release(released)
        return i


def journal_forever(path, ledger, layout, seed):
    def said(what, number):
        if what != "synced":
            setattr(ledger, what, number)

    work = Work(path, layout, random.Random(seed), said)
    while 8 * layout.width * work.step() < 50_000_000:
        pass
    time.sleep(60)


def journal_recorded(path, log, layout, seed, n):
    shim, chosen = Shim(), random.Random(seed)
    shim.follow(os.path.dirname(path), log)
    whats = {"begun": shim.BEGUN, "synced": shim.SYNCED, "released": shim.RELEASED}

    def said(what, number):
        if what in whats:
            shim.say(whats[what], number)
        elif chosen.random() < 0.3:
            shim.look()

    work = Work(path, layout, chosen, said)
    while work.step() < n:
        pass
    shim.look()


def pieces_in(scan):
    """Rows of the chain without a gap; there are several pieces where damage lies between."""
    return [piece for piece in scan.chains if piece.id == ID]


def check_piece(scan, piece, layout):
    rows = scan.load(ID, layout.core_meta(), 0, piece.first, piece.stop)
    assert layout.check(rows, piece.first) == piece.stop - piece.first


def check_journal(path, layout, released, kept, begun):
    """The rows that a store would lack are there, those that were kept at least; none is wrong."""
    scan = JournalScan(path) if os.path.exists(path) else None
    pieces = pieces_in(scan) if scan else []
    for piece in pieces:
        assert piece.stop <= begun
        check_piece(scan, piece, layout)
    if kept > released:
        found = [(piece.first, piece.stop) for piece in pieces]
        whole = any(first <= released and kept <= stop for first, stop in found)
        assert whole, f"rows {found}, {released} released, {kept} kept"


def read_flipped(path, layout, first, stop):
    """All rows are found and right, or what is wrong is said."""
    try:
        scan = JournalScan(path)
        pieces = pieces_in(scan)
        if [(piece.first, piece.stop) for piece in pieces] != [(first, stop)]:
            assert scan.damaged or any(piece.damaged for piece in pieces), "damage, in silence"
        for piece in pieces:
            check_piece(scan, piece, layout)
    except (OSError, RuntimeError, ValueError) as error:
        if path not in str(error):
            raise
