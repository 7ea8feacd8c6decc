"""What chains that can only be read have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .interface import Chain

__all__ = ["ReadOnlyChain", "only_row"]


class ReadOnlyChain(Chain):
    """A chain to which nothing can be appended here; so nothing waits, and nothing is open."""

    @abstractmethod
    def _refusal(self) -> RuntimeError:
        """Say why nothing can be appended."""

    def append(
        self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> NoReturn:
        """Refuse."""
        raise self._refusal()

    def extend(
        self, draws: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> NoReturn:
        """Refuse."""
        raise self._refusal()

    def announce(self, n_draws: int) -> None:
        """Nothing is allocated."""

    def flush(self, sync: bool = False) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def _row(self, i: int) -> int:
        """Give the number of a draw, counted from the first one; raises IndexError for none."""
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there is no draw {i}: the chain has {n}")
        return i % n


def only_row(rows: NDArray[Any]) -> NDArray[Any]:
    """Give the one row of what was read, as `drawstore.Chain.get_draws_at` gives it."""
    if rows.dtype == object and rows.ndim == 1 and not np.ma.is_masked(rows):
        item = rows[0]
        if isinstance(item, np.ndarray):
            return item
    return rows.reshape(rows.shape[1:])
