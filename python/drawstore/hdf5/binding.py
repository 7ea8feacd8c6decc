"""What binds the rows of a journal to a group of an HDF5 file.

Attributes of the group, changed in the same atomic change as its rows:

- ``drawstore_id``: 16 random bytes, new when the group is made or begun anew
- ``drawstore_rows``: rows of the group after our last change
- ``drawstore_sum``: checksum of the last of them as a journal knows it, or 0

A group that has other rows than that was changed by another program. ``drawstore_writer`` says
who appended the last of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import h5py
import numpy as np

from drawstore.origin import Origin, read_signature, signature

from .attributes import change, read

__all__ = ["Binding", "sign", "signed_by"]

_ID = "drawstore_id"
_ROWS = "drawstore_rows"
_SUM = "drawstore_sum"
_WRITER = "drawstore_writer"
_WRITER_BYTES = 256  # always so many, so that it changes in its place


@dataclass(frozen=True)
class Binding:
    """Which rows a group had after our last change.

    Attributes
    ----------
    id : bytes
        Of the run of rows.
    rows : int
        How many there were.
    sum : int
        Of the last one.
    """

    id: bytes
    rows: int = 0
    sum: int = 0

    @classmethod
    def new(cls, rows: int = 0) -> Binding:
        """Make one with a fresh id, for a group that has so many rows."""
        return cls(os.urandom(16), rows)

    @classmethod
    def of(cls, group: h5py.Group) -> Binding | None:
        """Read it from a group, if that has one."""
        found = read(group, _ID, (16,), np.uint8)
        rows, sum_ = (read(group, name, (), np.uint64) for name in (_ROWS, _SUM))
        if found is None or rows is None or sum_ is None:
            return None
        return cls(found.tobytes(), int(rows), int(sum_))

    def is_of(self, group: h5py.Group) -> bool:
        """Whether the group has the same rows, but for how many of them."""
        found = read(group, _ID, (16,), np.uint8)
        return found is not None and found.tobytes() == self.id

    @classmethod
    def begin(cls, group: h5py.Group, rows: int) -> Binding:
        """Give the binding of a group that has ``rows`` rows, of which more will follow.

        It is made anew, and written to the group, where there is none, or where another program
        has changed the group: a journal from before does not fit it any more.
        """
        binding = cls.of(group)
        if binding is None or binding.rows != rows:
            binding = cls.new(rows)
            binding.write(group)
        return binding

    def write(self, group: h5py.Group) -> None:
        """Write it to a group."""
        if not self.is_of(group):
            change(group, _ID, np.frombuffer(self.id, dtype=np.uint8))
        change(group, _ROWS, np.uint64(self.rows))
        change(group, _SUM, np.uint64(self.sum))


def sign(group: h5py.Group) -> None:
    """Write to a group that this process has appended to it."""
    text = signature().encode(errors="replace")[:_WRITER_BYTES]
    change(group, _WRITER, np.array(text, dtype=f"S{_WRITER_BYTES}"))


def signed_by(group: h5py.Group) -> Origin | None:
    """Tell who was the last to append to a group, where it says so."""
    found = group.attrs.get(_WRITER)
    return read_signature(found.decode(errors="replace")) if isinstance(found, bytes) else None
