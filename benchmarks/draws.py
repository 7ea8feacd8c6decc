"""Draws of chains to be appended, the same for every store."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import drawstore

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ArviZ 1 warns of what McBackend imports from it
    import mcbackend

Draw = Mapping[str, np.ndarray]

DIFFERENT = 16  # draws, used over and over again


@dataclass(frozen=True)
class Load:
    """So many draws of some variables.

    Parameters
    ----------
    name : str
        Of the variables, in the table.
    shapes : sequence of tuple of int
        Of one draw of each variable.
    dtype : str
        Of all.
    n : int
        Draws.
    """

    name: str
    shapes: Sequence[tuple[int, ...]]
    dtype: str
    n: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one draw."""
        return sum(int(np.prod(shape)) for shape in self.shapes) * np.dtype(self.dtype).itemsize

    def draws(self) -> list[Draw]:
        """Make some draws as a sampler would."""
        rng = np.random.default_rng(5)
        return [
            {
                f"v{i}": rng.standard_normal(shape).astype(self.dtype)
                for i, shape in enumerate(self.shapes)
            }
            for _ in range(DIFFERENT)
        ]

    def meta(self) -> drawstore.RunMeta:
        """Describe the run."""
        return drawstore.make_meta(
            {f"v{i}": (self.dtype, shape) for i, shape in enumerate(self.shapes)}
        )

    def peers_chain(self) -> Any:
        """Begin a chain of McBackend's `NumPyBackend`."""
        variables = [
            mcbackend.Variable(f"v{i}", self.dtype, list(shape))
            for i, shape in enumerate(self.shapes)
        ]
        meta = mcbackend.RunMeta(rid="run", variables=variables)
        return mcbackend.NumPyBackend().init_run(meta).init_chain(0)


LOADS = [
    Load("variables of (), (3,), (5, 2)", [(), (3,), (5, 2)], "float32", 1_000_000),
    Load("300 variables of (), (5,) alternating", [(), (5,)] * 150, "float64", 20_000),
    Load(
        "variables of (100,), (1000,), (100, 100)", [(100,), (1000,), (100, 100)], "float32", 20_000
    ),
]


def append(chain: Any, draws: Sequence[Draw], n: int) -> None:
    """Append ``n`` draws, those given over and over again."""
    append_one = chain.append
    for draw in itertools.islice(itertools.cycle(draws), n):
        append_one(draw)
