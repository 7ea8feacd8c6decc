"""What a run goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drawstore.hdf5.binding import Binding
    from drawstore.hdf5.emcee_layout import Stored

__all__ = ["Begun"]


@dataclass(frozen=True)
class Begun:
    """What a group holds when a run goes on there.

    Attributes
    ----------
    stored : Stored
    accepted : ndarray, shape (nwalkers,)
        Accepted steps of each walker.
    random_state : list or None
        After the last step.
    binding : Binding or None
        None until the group has one.
    """

    stored: Stored
    accepted: NDArray[Any]
    random_state: list[Any] | None
    binding: Binding | None
