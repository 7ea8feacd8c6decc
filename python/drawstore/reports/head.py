"""A run in short: what tells it from others, and how far it is. No draws are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from drawstore.ensemble import is_ensemble

from .place import UNREADABLE, Place, layout_of
from .writers import Marks, marks_of

if TYPE_CHECKING:
    from drawstore.interface import Run

__all__ = ["DAMAGED", "RunHead", "head_of", "list_run", "reason"]

DAMAGED = "damaged"


@dataclass(frozen=True)
class RunHead:
    """A run in short.

    Attributes
    ----------
    rid : str
    state : str
        "running": a process writes it; "ended"; "left": by a process that died; "unknown": whoever
        writes it leaves no mark that is seen from here, as emcee itself and other machines;
        "damaged": it cannot be read.
    error : str
        Why it cannot be read; empty where it can.
    kind : str
        As `Place.kind`.
    layout : str
        "chains", or "ensemble": then there is one chain, whose draws are the steps of all walkers.
    walkers : int or None
        Of an ensemble.
    made_at, written_at : datetime or None
        In UTC, where it is known: by what the run says, and by the times of its files.
    size : int
        Bytes.
    draws : dict of int to int
        Of each chain, by number; of an ensemble its steps.
    """

    rid: str
    state: str
    error: str = ""
    kind: str = ""
    layout: str = ""
    walkers: int | None = None
    made_at: datetime | None = None
    written_at: datetime | None = None
    size: int = 0
    draws: dict[int, int] = field(default_factory=dict)

    @property
    def is_readable(self) -> bool:
        """Whether there is more to be said than why it cannot be read."""
        return self.state != DAMAGED


def head_of(place: Place, run: Run) -> tuple[RunHead, Marks]:
    """Say what a run is in short, and who writes it.

    Raises
    ------
    OSError, RuntimeError, ValueError, KeyError
        Where it cannot be read.
    """
    kind, layout, walkers = place.kind_of(run), layout_of(run), None
    if info := place.infos.get(run.rid):
        draws, size = info.chains, info.size
    else:
        draws, size = {chain.chain_number: len(chain) for chain in run.get_chains()}, run.size
    marks = marks_of(place, run, draws)
    if is_ensemble(run):
        walkers = int(run.variables["log_prob"].shape[0])
    elif layout == "ensemble":
        walkers, draws = len(draws), {0: min(draws.values(), default=0)}
    made, written = place.made_at(run), place.written_at(run)
    head = RunHead(run.rid, marks.state, "", kind, layout, walkers, made, written, size, draws)
    return head, marks


def list_run(place: Place, rid: str, open_run: Callable[[], Run]) -> RunHead:
    """Say what a run is in short; one that cannot be read is damaged."""
    try:
        return head_of(place, open_run())[0]
    except UNREADABLE as error:
        return RunHead(rid, DAMAGED, reason(error))


def reason(error: Exception) -> str:
    """Give the text of an error; that of a KeyError without quotes around it."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)
