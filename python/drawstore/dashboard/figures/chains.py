"""The chains of a run: what figures call them, and which of them are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ...monitor.following import FollowedChain
from .figure import Colours
from .panel import colour_of

if TYPE_CHECKING:
    from ..view import RunView

__all__ = ["chain_entries", "chain_labels", "is_of_chains", "long_ones", "unit_of"]

_KEYED = 12

_T = TypeVar("_T")


def is_of_chains(view: RunView) -> bool:
    """Say whether the run has chains, and not the walkers of an ensemble."""
    return all(isinstance(followed, FollowedChain) for followed in view.followed)


def unit_of(view: RunView) -> str:
    """Say what there are many of."""
    return "draws" if is_of_chains(view) else "steps"


def chain_labels(view: RunView) -> list[str]:
    """Give the numbers of the chains; of an ensemble nothing."""
    if not is_of_chains(view):
        return []
    return [str(chain.chain_number) for chain in view.run.get_chains()][: len(view.followed)]


def chain_entries(view: RunView, colours: Colours) -> list[tuple[str, str, str]]:
    """Say which chain has which colour, for `panel.key`."""
    labels = chain_labels(view)
    shown = [
        ("line", colour_of(colours, i), f"chain {label}") for i, label in enumerate(labels[:_KEYED])
    ]
    if len(labels) > _KEYED:
        shown.append(("line", colours.faint, f"and {len(labels) - _KEYED} more"))
    return shown


def long_ones(each: Sequence[tuple[_T, int]]) -> list[_T]:
    """Leave out what is less than half as long as the longest, as chains that begin later."""
    longest = max((n for _, n in each), default=0)
    return [item for item, n in each if n and 2 * n >= longest]
