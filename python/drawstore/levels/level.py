"""A series of any length, in a bounded number of buckets."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .. import _core
from .pairs import Pairs, Values

__all__ = ["Extremes", "Level", "Means"]

FEWEST_DRAWS = 4  # of a bucket
_MOST_BUCKETS = 2**18


class Level(ABC):
    """What is kept of a series: two numbers for each bucket of draws.

    The buckets are of one size; where they become too many, they are joined two by two.

    Parameters
    ----------
    bucket : int
        Draws of a bucket, at first.

    Attributes
    ----------
    bucket : int
        As of now.
    n_draws : int
        That were taken in; the last bucket may not be full.
    """

    def __init__(self, bucket: int = FEWEST_DRAWS) -> None:
        self.bucket = bucket
        self.n_draws = 0
        self._room = np.empty((16, 2))

    @staticmethod
    @abstractmethod
    def of(values: Values, bucket: int) -> Pairs:
        """Give the pairs of buckets of a series."""

    @staticmethod
    @abstractmethod
    def joined(pairs: Pairs, n: int) -> Pairs:
        """Give the pairs of buckets that are n times as large."""

    @property
    def nbytes(self) -> int:
        """The room that it takes."""
        return self._room.nbytes

    @property
    def n_buckets(self) -> int:
        """How many there are."""
        return -(-self.n_draws // self.bucket)

    def append(self, values: Values) -> None:
        """Take in draws that follow, shape (n,)."""
        missing = -self.n_draws % self.bucket  # in the last bucket
        if missing and len(values):
            last = self.n_buckets - 1
            two = np.concatenate([self._room[last : last + 1], self.of(values[:missing], missing)])
            self._room[last] = self.joined(two, 2)[0]
            self.n_draws += min(missing, len(values))
            values = values[missing:]
        if len(values):
            begin = self.n_buckets
            pairs = self.of(values, self.bucket)
            self._make_room(begin + len(pairs))
            self._room[begin : begin + len(pairs)] = pairs
            self.n_draws += len(values)
        while self.n_buckets > _MOST_BUCKETS:
            self.coarsen()

    def coarsen(self) -> None:
        """Make the buckets twice as large."""
        self._room = self.joined(self._room[: self.n_buckets], 2)
        self.bucket *= 2

    def pairs(self, first: int, stop: int, n: int) -> Pairs:
        """Give the pairs of some buckets, n of them joined at a time."""
        pairs = self._room[first:stop]
        return pairs if n == 1 else self.joined(pairs, n)

    def _make_room(self, n: int) -> None:
        if n > len(self._room):
            room = np.empty((max(n, len(self._room) * 3 // 2), 2))
            room[: self.n_buckets] = self._room[: self.n_buckets]
            self._room = room


class Extremes(Level):
    """The least and the greatest value, in the order in which they come; NaN for a gap."""

    @staticmethod
    def of(values: Values, bucket: int) -> Pairs:
        """Find the extremes of buckets of a series."""
        return _core.extremes(values, bucket)

    @staticmethod
    def joined(pairs: Pairs, n: int) -> Pairs:
        """Find the extremes of larger buckets."""
        return _core.extremes(pairs.ravel(), 2 * n)


class Means(Level):
    """The sum of the values, and the number of those that are finite, which alone count."""

    @staticmethod
    def of(values: Values, bucket: int) -> Pairs:
        """Sum up buckets of a series."""
        counts = np.isfinite(values)
        return Means.joined(np.stack([np.where(counts, values, 0), counts], axis=1), bucket)

    @staticmethod
    def joined(pairs: Pairs, n: int) -> Pairs:
        """Sum up larger buckets."""
        sums: Pairs = np.add.reduceat(pairs, np.arange(0, len(pairs), n), axis=0)
        return sums
