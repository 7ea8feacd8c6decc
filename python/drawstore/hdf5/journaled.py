"""Groups of an HDF5 file to which rows come from a journal, of whichever kind they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import h5py

from .columns import Block, expected_rows
from .runs import Layout, read_meta

if TYPE_CHECKING:
    from drawstore._core import Chain
    from drawstore.meta import RunMeta

__all__ = ["Journaled", "JournaledChain"]


class Journaled(ABC):
    """A group in an open file, as the journal needs it.

    Parameters
    ----------
    group : h5py.Group

    Attributes
    ----------
    meta : RunMeta
        With which `_core.Journal.begin_chain` was called.
    number : int
        Likewise.
    """

    meta: RunMeta
    number: int

    def __init__(self, group: h5py.Group) -> None:
        self.group = group

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many the group has."""

    @abstractmethod
    def append(self, chain: Chain, start: int) -> None:
        """Write all rows of a chain in memory: the first becomes row ``start`` of the group.

        What belongs to the last row, as emcee's random state, goes with them. The attributes of
        `Binding` are none of its business.
        """


class JournaledChain(Journaled):
    """The group of a chain of `drawstore.HDF5Backend`."""

    def __init__(self, group: h5py.Group) -> None:
        super().__init__(group)
        self.meta = read_meta(group.parent.parent)
        self.number = int(group.name.rpartition("/")[2])

    @property
    def rows(self) -> int:
        return int(self.group.attrs["draws"])

    def append(self, chain: Chain, start: int) -> None:
        layout = Layout(self.meta)
        n_rows = len(chain)
        # Its datasets are there, with their filters, but for those of the first rows of all.
        block = Block(start, n_rows, expected_rows(0, start + n_rows), None, None)
        draws = {name: chain.get_draws(name) for name in layout.variables}
        stats = {name: chain.get_stats(name) for name in layout.stats}
        layout.append(self.group, block, draws, stats)
