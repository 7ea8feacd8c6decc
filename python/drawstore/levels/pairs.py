"""The arrays that levels are made of."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pairs", "Values"]

Values: TypeAlias = NDArray[Any]
"""Real numbers of any dtype."""

Pairs: TypeAlias = NDArray[np.float64]
"""Two numbers for each bucket of draws, shape (n, 2)."""
