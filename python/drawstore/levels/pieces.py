"""Where to look at draws of which there are more than can be read at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["places_of_pieces", "spreading_order"]


def places_of_pieces(start: int, stop: int, n: int, size: int) -> NDArray[np.int64]:
    """Give the first draws of n pieces of a range, the first and the last draw in them.

    Parameters
    ----------
    start, stop : int
        The range; of at least ``n * size`` draws.
    n : int
        At least 1.
    size : int
        Draws of a piece.
    """
    steps = np.arange(n, dtype=np.int64)
    return start + steps * (stop - start - size) // max(1, n - 1)


def spreading_order(n: int) -> list[int]:
    """Order the numbers 0 to n - 1 so that the first ones are spread evenly, whoever stops when.

    The first and the last come first; the rest as in the sequence of J. G. van der Corput, Proc.
    Akad. Amsterdam 38, 813, 1935.
    """
    n_bits = max(1, n - 1).bit_length()
    inner = sorted(range(1, n - 1), key=lambda i: int(f"{i:0{n_bits}b}"[::-1], 2))
    return [*dict.fromkeys([0, n - 1]), *inner] if n else []
