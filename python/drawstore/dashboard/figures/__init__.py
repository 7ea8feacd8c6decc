"""What the page of a run shows: a figure is a module here."""

from __future__ import annotations

from functools import cache

from .figure import Figure

__all__ = ["figures"]


@cache
def figures() -> dict[str, Figure]:
    """Give all figures by name, in the order of the page."""
    from .acceptance import Acceptance
    from .autocorrelation import Autocorrelation
    from .convergence import Convergence
    from .pairs import Pairs
    from .ranks import Ranks
    from .sampler import Sampler
    from .traces import Traces

    every: list[Figure] = [
        Traces(),
        Convergence(),
        Ranks(),
        Autocorrelation(),
        Pairs(),
        Sampler(),
        Acceptance(),
    ]
    return {figure.name: figure for figure in every}
