"""What there is in a broken file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Found", "FoundRun"]


@dataclass(frozen=True)
class Found:
    """A dataset.

    Attributes
    ----------
    shape : tuple of int
    kind : bytes
        Its type, as HDF5 encodes it.
    unit : int
        Rows that are lost together: those of a chunk.
    rows : int
        Behind which there is nothing in the file.
    is_checked : bool
        Whether its chunks have checksums.
    """

    shape: tuple[int, ...]
    kind: bytes
    unit: int
    rows: int
    is_checked: bool


@dataclass
class FoundRun:
    """A group that holds, or held, a run of emcee.

    Attributes
    ----------
    attributes : dict of str to value
        Those that can be read.
    datasets : dict of str to Found
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    datasets: dict[str, Found] = field(default_factory=dict)
