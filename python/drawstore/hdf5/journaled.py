"""Groups of an HDF5 file to which rows come from a journal, of whichever kind they are."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import h5py

from .binding import Binding
from .columns import Block, expected_rows
from .emcee_groups import emcee_groups, is_emcee_group
from .runs import ROOT, Layout, read_meta

if TYPE_CHECKING:
    from drawstore._core import Chain
    from drawstore.meta import RunMeta

__all__ = ["Journaled", "JournaledChain", "find_journaled"]


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


def find_journaled(file: h5py.File, id: bytes, label: str) -> Journaled | None:
    """Find the group that is bound to an id.

    Parameters
    ----------
    file : h5py.File
    id : bytes
        Of a chain of a journal.
    label : str
        The path of the group when the chain was begun; of copies, that one is meant.

    Returns
    -------
    Journaled or None
        None where there is no such group.
    """
    for group in _groups(file, label):
        binding = Binding.of(group)
        if binding is not None and binding.id == id:
            return _journaled(group)
    return None


def _groups(file: h5py.File, first: str) -> Iterator[h5py.Group]:
    found = file.get(first)
    if isinstance(found, h5py.Group):
        yield found
    root = file.get(ROOT)
    if isinstance(root, h5py.Group):
        for rid in root:
            chains = root[rid]["chains"]
            yield from (chains[number] for number in chains)
    for _, group in emcee_groups(file, ROOT):
        yield group


def _journaled(group: h5py.Group) -> Journaled:
    if not is_emcee_group(group):
        return JournaledChain(group)
    # By its name, because it needs emcee, which need not be installed for what is above.
    steps: type[Journaled] = importlib.import_module("drawstore.emcee.journaled").JournaledSteps
    return steps(group)
