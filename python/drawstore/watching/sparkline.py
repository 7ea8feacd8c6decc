"""Curves that are as high as a line of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["BLOCKS", "PLAIN", "sparkline"]

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-=+*#@"  # for terminals without Unicode


def sparkline(
    at: ArrayLike, values: ArrayLike, width: int, levels: Sequence[str] = BLOCKS, warmup: int = 0
) -> tuple[str, str]:
    """Draw values over the numbers of draws.

    Parameters
    ----------
    at : array_like of int, shape (n,)
        The numbers of the draws, ascending.
    values : array_like, shape (n,)
        Those that are not finite leave a gap.
    width : int
        Characters, at most; draws that share one are averaged.
    levels : sequence of str
        Characters from low to high.
    warmup : int
        The first draw that counts.

    Returns
    -------
    warmup, rest : str
        The part before that draw, and what follows.
    """
    at, values = np.asarray(at), np.asarray(values, dtype=np.float64)
    if len(at) == 0 or width < 1:
        return "", ""
    n_columns = min(width, len(at))
    column = np.arange(len(at)) * n_columns // len(at)
    finite = np.isfinite(values)
    counts = np.bincount(column[finite], minlength=n_columns)
    with np.errstate(invalid="ignore"):
        heights = np.bincount(column[finite], values[finite], minlength=n_columns) / counts
    drawn = heights[counts > 0]
    low, high = (drawn.min(), drawn.max()) if len(drawn) else (0.0, 0.0)
    with np.errstate(over="ignore"):
        span = high - low
    text = ""
    for height in heights:
        if not np.isfinite(height):
            text += " "
        elif not (np.isfinite(span) and span > 0):
            text += levels[len(levels) // 2]
        else:
            text += levels[min(len(levels) - 1, int((height - low) / span * len(levels)))]
    n_warmup = int(np.count_nonzero(at < warmup))
    cut = int(column[n_warmup]) if n_warmup < len(at) else n_columns
    return text[:cut], text[cut:]
