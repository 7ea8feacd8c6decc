"""Finding the group of an HDF5 file to which the rows of a journal belong."""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from .binding import Binding
from .emcee_groups import emcee_groups, is_emcee_group
from .emcee_journaled import JournaledSteps
from .journaled import Journaled, JournaledChain
from .runs import ROOT

__all__ = ["find_journaled"]


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
            return JournaledSteps(group) if is_emcee_group(group) else JournaledChain(group)
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
