"""A look at all runs of a place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ..reports.head import reason
from ..reports.place import UNREADABLE
from ..watching import Sight, Watcher

__all__ = ["Look", "key_of", "look"]


def key_of(where: str, rid: str) -> str:
    """Give what stands for a run in addresses: it is the same each time, and tells nothing."""
    text = f"{len(where)}:{where}{rid}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:24]


@dataclass(frozen=True)
class Look:
    """What there is at one moment.

    Attributes
    ----------
    sights : dict of str to Sight
        By key.
    trouble : str
        Why nothing is seen.
    is_waiting : bool
        Whether there is nothing yet.
    """

    sights: dict[str, Sight] = field(default_factory=dict)
    trouble: str = ""
    is_waiting: bool = False


def look(watcher: Watcher) -> Look:
    """See what is there now; what went wrong is in it."""
    try:
        if not watcher.is_there():
            return Look(is_waiting=True)
        return Look({key_of(sight.where, sight.rid): sight for sight in watcher.see()})
    except (*UNREADABLE, ImportError) as error:
        return Look(trouble=reason(error))
