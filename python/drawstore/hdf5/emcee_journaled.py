"""A group in emcee's layout, as the journal writes to it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from drawstore.ensemble.random_states import state_at
from drawstore.ensemble.stored import StoredSteps, own

from .emcee_layout import (
    Stored,
    accepted_in,
    append_steps,
    keys_of,
    random_state_in,
    read_steps,
    split_rows,
    steps_meta,
    take_steps,
)
from .journaled import Journaled

if TYPE_CHECKING:
    from drawstore._core import Chain

    from .journal import Tail

__all__ = ["JournaledSteps", "stored_steps"]


class JournaledSteps(Journaled):
    """The group of a run of emcee."""

    number = 0

    def __init__(self, group: h5py.Group) -> None:
        super().__init__(group)
        self._stored = Stored.of(group)
        self.meta = steps_meta(self._stored)

    @property
    def rows(self) -> int:
        return int(self.group.attrs["iteration"])

    def append(self, chain: Chain, start: int) -> None:
        blobs = self._stored.blobs
        last = len(chain) - 1
        append_steps(
            self.group,
            start,
            {key: take_steps(chain, key, range(len(chain)), blobs) for key in keys_of(blobs)},
            start + len(chain),
            blobs,
            np.array(chain.get_stats_at(last, ["accepted"])["accepted"]),
            state_at(chain, last),
        )


def stored_steps(group: h5py.Group, tail: Tail | None) -> StoredSteps:
    """Give the steps of a run that this process does not write.

    Parameters
    ----------
    group : h5py.Group
        As long as it is open, they can be read.
    tail : Tail or None
        Steps that follow in a journal.
    """
    stored = Stored.of(group)
    if tail is None:
        return StoredSteps(
            stored.iteration,
            stored.blobs,
            functools.partial(read_steps, group),
            functools.partial(accepted_in, group),
            functools.partial(random_state_in, group),
        )
    meta, stop = steps_meta(stored), tail.stop

    def load(start: int, stop: int) -> Chain:
        return tail.load(meta, JournaledSteps.number, start, stop)

    def read(key: str, rows: range) -> NDArray[Any]:
        held, waiting = split_rows(rows, stored.iteration)
        if not waiting:
            return read_steps(group, key, held)
        chain = load(waiting[0], waiting[-1] + 1)
        every = range(0, len(chain), rows.step)
        values = take_steps(chain, key, every, stored.blobs)
        return np.concatenate([read_steps(group, key, held), values]) if held else own(values)

    return StoredSteps(
        stop,
        stored.blobs,
        read,
        lambda: np.array(load(stop - 1, stop).get_stats_at(0, ["accepted"])["accepted"]),
        lambda: state_at(load(stop - 1, stop), 0),
    )
