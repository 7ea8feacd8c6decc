"""Whether there is more to be expected of what a monitor watches."""

from __future__ import annotations

import os
from typing import Any

from ..interface import Backend, Run
from ..reports.head import head_of
from ..reports.place import Place
from ..reports.writers import ENDED, LEFT

__all__ = ["are_over"]


def are_over(watched: Any, rid: str | None) -> bool:
    """Say whether the runs have draws, and no process writes them any more.

    False where that cannot be seen: of files of emcee's own, and of what others write to a server.

    Parameters
    ----------
    watched, rid
        As given to `Monitor`.

    Raises
    ------
    OSError, RuntimeError, ValueError, KeyError
        Where they cannot be read.
    """
    items = watched if isinstance(watched, list | tuple) else [watched]
    return all(_is_over(item, rid) for item in items)


def _is_over(item: Any, rid: str | None) -> bool:
    if isinstance(item, Run):
        rid, item = item.rid, getattr(item, "backend", None) or getattr(item, "_backend", None)
    elif not isinstance(item, Backend | str | os.PathLike):  # a sampler of emcee, or its backend
        item = getattr(item, "backend", item)
        rid = getattr(item, "rid", None) or getattr(item, "name", None)
        item = getattr(item, "store", None) or getattr(item, "filename", None)
    place = Place.of(item) if isinstance(item, Backend) else item and Place.at(item)
    if not place:
        return False
    head, _ = head_of(place, place.run(rid))
    return head.state in (ENDED, LEFT) and any(head.draws.values())
