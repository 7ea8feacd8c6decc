"""Levels of a series as their definition has them."""

import numpy as np


def naive(values, bucket):
    """The extremes of buckets of a series by their definition, shape (n, 2)."""
    pairs = []
    for begin in range(0, len(values), bucket):
        part = np.asarray(values[begin : begin + bucket], dtype=float)
        part = part[np.isfinite(part)]
        least, greatest = (part.argmin(), part.argmax()) if len(part) else (0, 0)
        pairs.append([part[i] if len(part) else np.nan for i in sorted([least, greatest])])
    return np.array(pairs, dtype=float).reshape(-1, 2)
