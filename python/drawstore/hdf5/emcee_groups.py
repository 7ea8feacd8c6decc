"""Which groups of an HDF5 file are chains of emcee, ours or its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py

__all__ = ["emcee_groups", "is_emcee_group"]


def is_emcee_group(found: Any) -> bool:
    """Whether an object of a file is a group in emcee's layout."""
    return (
        isinstance(found, h5py.Group)
        and {"chain", "log_prob", "accepted"} <= found.keys()
        and {"iteration", "nwalkers", "ndim", "has_blobs"} <= found.attrs.keys()
    )


def emcee_groups(
    group: h5py.Group, besides: str = "", path: str = "", within: Sequence[h5py.Group] = ()
) -> Iterator[tuple[str, h5py.Group]]:
    """Find all of them in an open file.

    Parameters
    ----------
    group : Group
        Where to look.
    besides : str
        The path of a group not to look into.
    path : str
        Of the group, with a slash at its end.
    within : sequence of Group
        That it is in. They are not looked into again where a link leads back to them.

    Yields
    ------
    tuple of str and Group
        Its path, and the group.
    """
    within = [*within, group]
    for name in group:
        found = group.get(name) if path + name != besides else None
        if is_emcee_group(found):
            yield path + name, found
        elif isinstance(found, h5py.Group) and found not in within:
            yield from emcee_groups(found, besides, f"{path}{name}/", within)
