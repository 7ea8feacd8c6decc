"""What a conversion is going to do, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Plan", "PlannedRun"]


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be converted.

    Attributes
    ----------
    rid : str
    chains : int
    draws : int
        Of all chains together.
    losses : tuple of str
        What the format cannot hold, a sentence each.
    """

    rid: str
    chains: int
    draws: int
    losses: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a conversion is going to do.

    Attributes
    ----------
    source, target : str
    format : str
        Of the target; one of `drawstore.convert.FORMATS`.
    exists : bool
        Whether there is something at the target: a store, which gets further runs, or what is
        replaced where that is said to be meant.
    runs : tuple of PlannedRun
    """

    source: str
    target: str
    format: str
    exists: bool
    runs: tuple[PlannedRun, ...]
