"""Draws in blocks: so many rows at a time that the memory they take is bounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from ..dtypes import parse_dtype
from ..interface import Run
from ..meta import Variable

__all__ = ["Rows", "block_rows", "blocks", "row_bytes"]

_BLOCK_BYTES = 32 * 2**20
_VARYING_BYTES = 64  # of a value whose size no one declares


def row_bytes(variables: Iterable[Variable], run: Run, n_rows: int) -> int:
    """Estimate the bytes of one row of some variables.

    Parameters
    ----------
    variables : iterable of Variable
    run : Run
        To which they belong. Where the size of a value changes from draw to draw, it is taken from
        the size of the run.
    n_rows : int
        Rows of the run, those of all its chains together.
    """
    total, varies = 0, False
    for variable in variables:
        is_text = variable.dtype == "str"
        size = _VARYING_BYTES if is_text else parse_dtype(variable.dtype).itemsize
        if variable.undefined_ndim or any(n < 0 for n in variable.shape):
            varies = True
        else:
            size *= math.prod(variable.shape)
        varies = varies or is_text
        total += size
    return max(1, total, run.size // n_rows if varies and n_rows else 0)


def block_rows(bytes_of_row: int) -> int:
    """Give the rows of a block of about 32 MiB.

    A power of two: h5py chooses chunks by halving, so that blocks end where the chunks of most
    files do, and no chunk is read twice.
    """
    return 1 << max(0, (_BLOCK_BYTES // bytes_of_row).bit_length() - 1)


def blocks(n: int, size: int) -> Iterator[range]:
    """Cut the rows 0 to n into blocks."""
    for start in range(0, n, size):
        yield range(start, min(n, start + size))


class Rows:
    """Counts the rows that are done, and tells whoever wants to know.

    Parameters
    ----------
    total : int
        Rows there are.
    tell : callable, optional
        Is called with the rows that are done, and those there are.
    """

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        self._total = total
        self._tell = tell
        self._done = 0

    def add(self, n: int) -> None:
        """Say that so many more are done."""
        self._done += n
        if self._tell is not None:
            self._tell(self._done, self._total)
