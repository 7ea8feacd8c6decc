"""What writes one run into a file or a directory of its own."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from ..interface import Run
from .blocks import Rows

__all__ = ["STATE_OF_ENSEMBLE", "Writer"]

STATE_OF_ENSEMBLE = "how many proposals were accepted, and the state of the random numbers"
"""What only stores and files of emcee hold of an ensemble."""


class Writer(ABC):
    """Writes a run, as it is when the writer is made.

    Parameters
    ----------
    run : Run

    Attributes
    ----------
    losses : list of str
        What the format cannot hold.
    n_rows : int
        Rows that `write` tells of in all.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.losses: list[str] = []
        self.n_rows = 0

    @abstractmethod
    def write(self, path: str, rows: Rows) -> None:
        """Write all of it to a path where nothing is, and tell of each block."""

    def check_replaced(self, path: str) -> None:
        """Raise FileExistsError where what is at a path is not to be replaced by such a run."""
        if os.path.isdir(path):
            raise FileExistsError(f"{path!r} is a directory, and is not replaced by a file")
