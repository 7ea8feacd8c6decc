"""The directory of the journals in which draws wait for a server, one journal a chain."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import quote, unquote

from drawstore._core import Journal, JournalScan
from drawstore.backends.core import core_meta
from drawstore.delivery import journals
from drawstore.delivery.delivery import BLOCK_BYTES
from drawstore.delivery.journals import JournalOptions, UnfitError, first_missing
from drawstore.delivery.look import Look

from .draws import DrawsTable
from .runs import Runs

__all__ = ["Spool", "journals_directory", "last_sum"]

_SUFFIX = ".journal"
_LONGEST = 200  # bytes of the name of a file


def journals_directory(journal: bool | str | os.PathLike[str]) -> str | None:
    """Say where journals are.

    Parameters
    ----------
    journal : bool or path-like
        As `drawstore.ClickHouseBackend` takes it.
    """
    if journal is False:
        return None
    if journal is not True:
        return os.path.realpath(os.fspath(journal))
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    else:
        base = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(base, "drawstore", "journals")


class Spool:
    """The journals of the chains that this machine writes to one place.

    Parameters
    ----------
    runs : Runs
        Of the place.
    options : JournalOptions
        The path is that of the directory of the journals of all places.
    """

    def __init__(self, runs: Runs, options: JournalOptions) -> None:
        self.options = options
        self._runs = runs
        self.directory = (
            None if options.path is None else os.path.join(options.path, _file_name(runs.place))
        )

    def path_of(self, rid: str, number: int) -> str | None:
        """Give the path of the journal of a chain; None where there are no journals."""
        if self.directory is None:
            return None
        return os.path.join(self.directory, f"{_file_name(rid)}-{number}{_SUFFIX}")

    def all(self) -> Iterator[str]:
        """Give the paths of the journals there are, also of those that are being written."""
        if self.directory is not None and os.path.isdir(self.directory):
            for name in sorted(os.listdir(self.directory)):
                if name.endswith(_SUFFIX):
                    yield os.path.join(self.directory, name)

    def make(self, rid: str, number: int) -> Journal:
        """Make the journal of a chain.

        Raises
        ------
        OSError
            Where there is no room for it.
        """
        path = self.path_of(rid, number)
        if path is not None:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return Journal(path, store=self.options.store, sync_interval=self.options.sync_interval)

    def heal(self, path: str) -> None:
        """Deliver what a process that died has left in a journal, and remove it.

        Raises
        ------
        BlockingIOError
            Where another process writes it.
        ClickHouseError
            Where the server cannot be reached, or refuses; the journal is as it was.
        """
        journals.heal(path, self._runs.place, self._deliver)

    def waiting(self, path: str) -> int:
        """Count the draws in a journal that the server lacks, and would take."""
        n = 0
        for piece in Look(path).scan.chains:
            with contextlib.suppress(UnfitError):
                n += piece.stop - self._find(piece)[2]
        return n

    def explain(self, path: str) -> list[str]:
        """Say what `heal` would do with a journal; nothing is changed."""
        scan = JournalScan(path)
        lines = [scan.damaged, *(piece.damaged for piece in scan.chains)]
        for piece in scan.chains:
            try:
                first = self._find(piece)[2]
            except UnfitError as error:
                lines.append(f"the journal {path!r} would be set aside: {error}")
            else:
                if first < piece.stop:
                    lines.append(
                        f"{piece.stop - first} draws of {piece.label!r} would be delivered from "
                        f"the journal {path!r}"
                    )
        return [line for line in lines if line]

    def _deliver(self, scan: JournalScan, piece: JournalScan.Chain, size: int) -> int:
        draws, number, begin = self._find(piece)
        meta = core_meta(draws.meta)
        at = begin
        rows = max(1, BLOCK_BYTES * (piece.stop - piece.first) // max(1, size))
        while at < piece.stop:
            stop = min(piece.stop, at + rows)
            chain = scan.load(piece.id, meta, number, at, stop)
            # There they are rows 0, 1, ...
            block = Journal(None).begin_chain(piece.id, "", meta, number, at, 0)
            block.extend(
                {v.name: chain.get_draws(v.name) for v in draws.meta.variables},
                {v.name: chain.get_stats(v.name) for v in draws.meta.sample_stats},
            )
            while at < stop:
                fitting = at + draws.layout.rows_fitting(block, at, stop)
                token = block_token(piece.id, number, at, fitting)
                draws.insert(draws.layout.encode(block, at, fitting), token)
                at = fitting
        return at - begin

    def _find(self, piece: JournalScan.Chain) -> tuple[DrawsTable, int, int]:
        """Find the chain of rows in a journal, and the first of them that the server lacks."""
        rid, _, number = piece.label.rpartition("/")
        rid = unquote(rid)
        records = [r for r in self._runs.all(rid) if r.journal_id == piece.id]
        if not records:
            raise UnfitError(f"run {rid!r} is not there any more, or was begun anew")
        meta = self._runs.meta_of(records[0])
        draws = DrawsTable(self._runs.tables, records[0].table, meta)
        n = draws.count(int(number))
        known = min(n, piece.stop)
        if known > piece.first and piece.sum_before(known) != last_sum(draws, int(number), known):
            raise UnfitError(f"another program went on with {piece.label!r}, which has {n} draws")
        return draws, int(number), first_missing(piece, n, None)


def label_of(rid: str, number: int) -> str:
    """Give the label of a chain in its journal."""
    return f"{quote(rid, safe=' ')}/{number}"


def block_token(id_: bytes, number: int, start: int, stop: int) -> str:
    """Name a block of draws, so that a server knows it when it comes again."""
    return f"{id_.hex()}-{number}-{start}-{stop}"


def last_sum(draws: DrawsTable, number: int, stop: int) -> int:
    """Give the checksum of the draw before draw ``stop``, as a journal has it; 0 before the first.

    Parameters
    ----------
    draws : DrawsTable
    number : int
        Of the chain.
    stop : int
    """
    if stop == 0:
        return 0
    meta = draws.meta
    row = range(stop - 1, stop)
    chain = Journal(None).begin_chain(bytes(16), "", core_meta(meta), number, stop - 1, 0)
    chain.extend(
        draws.read_masked(number, "variables", [v.name for v in meta.variables], row),
        draws.read_masked(number, "stats", [v.name for v in meta.sample_stats], row),
    )
    return chain.sum_of(stop - 1)


def _file_name(text: str) -> str:
    """Name a file after a text: readable, and after no other text."""
    name = quote(text, safe="").replace(".", "%2E")
    if len(name) <= _LONGEST and name:
        return name
    return f"{name[: _LONGEST - 40]}%{sha256(text.encode()).hexdigest()[:32]}"
