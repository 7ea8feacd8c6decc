"""The steps of a run as they are at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from .blobs import BlobLayout

__all__ = ["StoredSteps", "own"]


@dataclass(frozen=True)
class StoredSteps:
    """The steps of a run as they are at one moment.

    Attributes
    ----------
    count : int
        How many there are.
    blobs : BlobLayout or None
        Of their blobs.
    read : callable
        ``read(name, rows)`` gives those of a range of "chain", "log_prob" or "blobs": an array
        that the caller may change.
    accepted : callable
        Gives the accepted proposals of each walker up to the last of them.
    random_state : callable
        Gives the state of the sampler's random numbers after the last of them, or None.
    """

    count: int
    blobs: BlobLayout | None
    read: Callable[[str, range], NDArray[Any]]
    accepted: Callable[[], NDArray[Any]]
    random_state: Callable[[], Any]

    @property
    def all(self) -> range:
        """The numbers of the steps."""
        return range(self.count)


def own(values: NDArray[Any]) -> NDArray[Any]:
    """Give values that the caller may change."""
    if not values.flags.owndata:
        return values.copy()
    values.flags.writeable = True
    return values
