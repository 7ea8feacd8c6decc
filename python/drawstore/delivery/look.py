"""Looking at journals again and again."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

from drawstore._core import JournalScan

__all__ = ["Look"]


class Look:
    """What a journal holds now, which another process may be writing.

    What an earlier look of this process has read is not read again, so that who looks often does
    not pay for all that waits.

    Parameters
    ----------
    path : str
        Of the journal.

    Attributes
    ----------
    scan : JournalScan
        What it holds.

    Raises
    ------
    OSError
        Where it cannot be read.
    """

    _MOST = 64  # journals of which something is known
    _known: ClassVar[OrderedDict[str, JournalScan.Known]] = OrderedDict()

    def __init__(self, path: str) -> None:
        self._path = path
        known = self._known
        self.scan = JournalScan(path, known.pop(path, None))
        known[path] = self.scan.known
        while len(known) > self._MOST:
            known.popitem(last=False)

    def forget(self) -> None:
        """Have the next look read all."""
        self._known.pop(self._path, None)
