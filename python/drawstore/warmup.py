"""Which draws of a chain are warm-up: those that the sampler marked so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .interface import Chain

__all__ = ["GrowingPart", "Part", "is_mark", "split"]

_MARKS = ("tune", "in_warmup")
_BLOCK = 2**20  # draws whose marks are read at a time


@dataclass(frozen=True)
class Part:
    """Draws of one chain that belong together: stretches of it, one after the other."""

    chain: Chain
    stretches: tuple[range, ...]

    def __len__(self) -> int:
        return sum(len(stretch) for stretch in self.stretches)

    def slices(self, rows: range) -> Iterator[slice]:
        """Give the slices of the chain that hold these rows of the part; the step is positive."""
        begin = 0
        for stretch in self.stretches:
            end = begin + len(stretch)
            first = rows.start
            if first < begin:
                first += -(-(begin - first) // rows.step) * rows.step
            if first < min(end, rows.stop):
                shift = stretch.start - begin
                yield slice(first + shift, min(end, rows.stop) + shift, rows.step)
            begin = end


def is_mark(stat: str) -> bool:
    """Say whether a stat marks warm-up: "tune", "in_warmup", or one of those of a sampler."""
    return stat in _MARKS or stat.endswith(tuple(f"__{mark}" for mark in _MARKS))


def split(
    chains: Sequence[Chain], marks: Sequence[str], *, ensemble: bool = False
) -> tuple[list[Part], list[Part]]:
    """Split the draws that the chains have now into those after warm-up, and warm-up.

    A chain that was warmed up again when it went on has several stretches of both. The walkers of
    an ensemble step together: one that has been asked later may have more draws only since then.

    Returns
    -------
    posterior, warmup : list of Part
        Of each chain.
    """
    posterior, warmup = [], []
    lengths = [len(chain) for chain in chains]
    if ensemble:
        lengths = [min(lengths, default=0)] * len(lengths)
    for chain, n in zip(chains, lengths, strict=True):
        stretches = list(_stretches(chain, marks, range(n)))
        warmup.append(Part(chain, tuple(s for s, is_warmup in stretches if is_warmup)))
        posterior.append(Part(chain, tuple(s for s, is_warmup in stretches if not is_warmup)))
    return posterior, warmup


class GrowingPart:
    """The draws of a chain after warm-up, while it grows: the marks of a draw are read once.

    Parameters
    ----------
    chain : Chain
    marks : sequence of str
        The stats that mark warm-up.

    Attributes
    ----------
    part : Part
        The draws after warm-up, as of the last `update`.
    n_draws : int
        The length of the chain then.
    """

    def __init__(self, chain: Chain, marks: Sequence[str]) -> None:
        self.part = Part(chain, ())
        self.n_draws = 0
        self._marks = marks

    @property
    def warmup(self) -> tuple[range, ...]:
        """The other draws: the stretches that are warm-up."""
        edges = [
            0,
            *(edge for s in self.part.stretches for edge in (s.start, s.stop)),
            self.n_draws,
        ]
        between = zip(edges[::2], edges[1::2], strict=True)
        return tuple(range(start, stop) for start, stop in between if start < stop)

    def update(self, most: int | None = None) -> None:
        """Take in the draws that came since, or the first so many of them."""
        n = len(self.part.chain)
        if most is not None:
            n = min(n, self.n_draws + most)
        for start in range(self.n_draws, n, _BLOCK):
            self._take_in(range(start, min(start + _BLOCK, n)))
        self.n_draws = n

    def _take_in(self, rows: range) -> None:
        chain, stretches = self.part.chain, list(self.part.stretches)
        for stretch, is_warmup in _stretches(chain, self._marks, rows):
            if is_warmup:
                continue
            if stretches and stretches[-1].stop == stretch.start:
                stretch = range(stretches.pop().start, stretch.stop)
            stretches.append(stretch)
        self.part = Part(chain, tuple(stretches))


def _stretches(chain: Chain, marks: Sequence[str], rows: range) -> Iterator[tuple[range, bool]]:
    """Cut rows of a chain where warm-up begins or ends; says of each stretch if it is warm-up."""
    if rows and not marks:
        yield rows, False
        return
    marked = np.zeros(len(rows), dtype=bool)
    for mark in marks:
        values = np.ma.filled(chain.get_stats(mark, slice(rows.start, rows.stop)), False)
        marked |= values.astype(bool).any(axis=tuple(range(1, values.ndim)))
    edges = [0, *(np.flatnonzero(np.diff(marked)) + 1).tolist(), len(rows)]
    for begin, end in pairwise(edges):
        if begin < end:
            yield rows[begin:end], bool(marked[begin])
