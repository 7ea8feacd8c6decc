"""Which draws of a chain are warm-up: those that the sampler marked so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..interface import Chain
from .columns import Part

__all__ = ["is_mark", "split"]

_MARKS = ("tune", "in_warmup")


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
