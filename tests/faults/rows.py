"""Rows that carry their number in every value, so that one of another place is seen."""

from dataclasses import dataclass

import numpy as np

from drawstore import make_meta
from drawstore.backends.core import tuples_of

RID = "run"


@dataclass(frozen=True)
class Rows:
    """Rows of one layout.

    Attributes
    ----------
    width : int
        Numbers of 8 bytes in the widest variable.
    ragged : bool
        Whether there are variables of any length, which are kept in another way.
    mark : int
        What is added to the numbers, to know the rows of one run from those of another.
    """

    width: int
    ragged: bool
    mark: int = 0

    def meta(self):
        variables = {"i": ("int64", ()), "x": ("float64", (self.width,))}
        if self.ragged:
            variables |= {"r": ("int32", (-1,)), "t": ("str", ())}
        return make_meta(variables, {"s": ("int64", ())}, rid=RID)

    def core_meta(self):
        """Describe the run as the core takes it."""
        meta = self.meta()
        return RID, tuples_of(meta.variables), tuples_of(meta.sample_stats), b""

    def append(self, chain, i):
        i += self.mark
        draw = {"i": i, "x": i + np.arange(float(self.width))}
        if self.ragged:
            draw |= {"r": np.full(i % 4, i, np.int32), "t": f"row {i}"}
        chain.append(draw, {"s": i} if i % 2 else None)

    def extend(self, chain, i, n):
        """Append n rows at once."""
        numbers = np.arange(i, i + n) + self.mark
        draws = {"i": numbers, "x": numbers[:, None] + np.arange(float(self.width))}
        if self.ragged:
            ragged = np.empty(n, object)
            ragged[:] = [np.full(k % 4, k, np.int32) for k in numbers]
            draws |= {"r": ragged, "t": np.array([f"row {k}" for k in numbers])}
        chain.extend(draws, {"s": np.ma.MaskedArray(numbers, numbers % 2 == 0)})

    def check(self, chain, first=0):
        """Every row is whole and in its place, the first one being number ``first``.

        Returns how many rows there are.
        """
        n = len(chain)
        some = slice(0, n)
        numbers = np.arange(first, first + n) + self.mark
        np.testing.assert_array_equal(chain.get_draws("i", some), numbers)
        expected = numbers[:, None] + np.arange(float(self.width))
        np.testing.assert_array_equal(chain.get_draws("x", some), expected)
        found = np.ma.MaskedArray(chain.get_stats("s", some)).tolist()
        assert found == [int(i) if i % 2 else None for i in numbers]
        if self.ragged:
            assert chain.get_draws("t", some).tolist() == [f"row {i}" for i in numbers]
            found = [r.tolist() for r in chain.get_draws("r", some)]
            assert found == [[i] * (i % 4) for i in numbers]
        return n


# Small rows; and rows of which a few fill the space for the newest.
LAYOUTS = (Rows(3, True), Rows(3, False), Rows(2000, True), Rows(2000, False))
