"""Which draws of a chain are warm-up: those that the sampler marked so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .interface import Chain

__all__ = ["Part", "is_mark", "split"]

_MARKS = ("tune", "in_warmup")


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
        marked = np.zeros(n, dtype=bool)
        for mark in marks:
            values = np.ma.filled(chain.get_stats(mark, slice(0, n)), False)
            marked |= values.astype(bool).any(axis=tuple(range(1, values.ndim)))
        edges = [0, *(np.flatnonzero(np.diff(marked)) + 1).tolist(), n]
        stretches = [range(a, b) for a, b in pairwise(edges) if a < b]
        warmup.append(Part(chain, tuple(s for s in stretches if marked[s.start])))
        posterior.append(Part(chain, tuple(s for s in stretches if not marked[s.start])))
    return posterior, warmup
