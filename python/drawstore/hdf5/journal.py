"""The journal beside an HDF5 file: what a killed process left in it, and what a live one holds.

Rows go through a journal in this order, whoever writes them (`writer` for chains of HDF5Backend,
emcee's runs in `drawstore.emcee`):

1. ``StoreFile.acquire(journal=options.path)`` heals the file first. In the change that begins a
   group, or goes on with it, call ``Binding.begin(group, rows)``. Then
   ``StoreFile.journal(options)`` gives the journal, and ``journal.begin_chain(binding.id, label,
   meta, number, binding.rows, binding.sum)`` the chain. The label is the path of the group in the
   file, without a slash in front.
2. Rows are appended; what belongs to a row is a column of its own.
3. ``journal.sync()``, and rows before ``chain.synced`` go into the file by `StoreFile.update`. The
   same change writes ``Binding(id, stop, chain.sum_of(stop - 1))``. Then ``chain.release(stop)``.
4. When all rows are delivered, or given up: ``chain.discard()``. The last `StoreFile.release`
   removes the journal.

Where the process dies in between, the next `StoreFile.acquire` calls `heal`; readers call
`find_tail`. Of a group they need no more than `Journaled` says.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

__all__ = ["JournalOptions", "journal_path"]


def journal_path(path: str, journal: bool | str | os.PathLike[str] = True) -> str:
    """Name the journal of a store.

    Parameters
    ----------
    path : str
        Of the store.
    journal : bool or path-like
        As `drawstore.HDF5Backend` takes it.
    """
    return path + "-journal" if isinstance(journal, bool) else os.path.realpath(os.fspath(journal))


@dataclass(frozen=True)
class JournalOptions:
    """Where rows wait for a file, and how.

    Attributes
    ----------
    path : str or None
        Of the journal; None where rows wait in memory.
    sync_interval : float
        Seconds after which a row survives a loss of power; 0: when it is flushed with ``sync``.
    max_buffer : int
        Bytes of rows that may wait.
    store : {"auto", "mapped", "written"}
        How rows get into the journal.
    """

    path: str | None
    sync_interval: float = 1.0
    max_buffer: int = 2**30
    store: Literal["auto", "mapped", "written"] = "auto"

    def __post_init__(self) -> None:
        if not self.sync_interval >= 0:
            raise ValueError(f"sync_interval is a number of seconds, got {self.sync_interval!r}")
        if not self.max_buffer > 0:
            raise ValueError(f"max_buffer is a number of bytes, got {self.max_buffer!r}")
        if self.store not in ("auto", "mapped", "written"):
            raise ValueError(f"store is 'auto', 'mapped' or 'written', got {self.store!r}")

    @classmethod
    def of(
        cls,
        path: str,
        journal: bool | str | os.PathLike[str],
        sync_interval: float,
        max_buffer: int,
        store: Literal["auto", "mapped", "written"],
    ) -> JournalOptions:
        """Make them from those of a backend that writes to the file ``path``."""
        where = None if journal is False else journal_path(path, journal)
        return cls(where, sync_interval, max_buffer, store)
