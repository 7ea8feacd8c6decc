"""What `bench_memory.py` measures, apart from it so that a fresh process has little to import."""

from __future__ import annotations

import emcee.backends

import drawstore.emcee
from paired import Contender, memcpy, timed
from steps import DIFFERENT, Shape, draw_bytes, made_up_states, save

BACKENDS = {"drawstore": drawstore.emcee.Backend, "emcee": emcee.backends.Backend}


def contender(name: str, n: int, shape: Shape) -> Contender:
    """Make what is measured: from the empty backend to the last step, and giving it up again.

    drawstore keeps released memory for the next backend. Giving up is in the time, so that nobody
    does any of the work outside of it.
    """
    if name == "memcpy":
        return memcpy(draw_bytes(n, shape), draw_bytes(DIFFERENT, shape))
    states = made_up_states(shape)

    def run() -> None:
        backend = BACKENDS[name]()
        backend.reset(*shape)
        backend.grow(n, None)
        save(backend, states, n)

    return timed(run)


def first_time(name: str, n: int, shape: list[int]) -> float:
    """Run a contender that nothing was before, in a process of its own."""
    return contender(name, n, (shape[0], shape[1]))()
