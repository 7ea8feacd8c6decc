"""What growing and thousands of backends take in memory, each measured in a process of its own."""

from __future__ import annotations

import functools
import math

import emcee.backends

import drawstore.emcee
from child import available, extra_peak, in_child, resident
from steps import Shape, draw_bytes, made_up_states, save
from table import Bar, Table

_BACKENDS = {"drawstore": drawstore.emcee.Backend, "emcee": emcee.backends.Backend}
_GROWN: Shape = (128, 20)
_LIVE: Shape = (32, 3)
_LIVE_STEPS = 200
_MEGABYTE = 1e6


def peak_of_growth(name: str, n: int) -> int:
    """Extra bytes at most while a full backend of ``n`` steps grows by one, which is then saved."""
    states = made_up_states(_GROWN)
    backend = _BACKENDS[name]()
    backend.reset(*_GROWN)
    backend.grow(n, None)
    save(backend, states, n)

    def grow() -> None:
        backend.grow(1, None)
        save(backend, states, 1)

    return extra_peak(grow)


def bytes_of_live_backends(n: int) -> int:
    """Bytes that so many backends take, all of them full and alive."""
    states = made_up_states(_LIVE)
    before = resident()
    backends = []
    for _ in range(n):
        backend = drawstore.emcee.Backend()
        backend.reset(*_LIVE)
        backend.grow(_LIVE_STEPS, None)
        save(backend, states, _LIVE_STEPS)
        backends.append(backend)
    assert all(backend.iteration == _LIVE_STEPS for backend in backends)
    return resident() - before


def bench_growth_of_a_big_store(quick: bool, table: Table) -> None:
    size = 88e6 if quick else 880e6
    n = round(size / draw_bytes(1, _GROWN))
    ours, theirs = (in_child(peak_of_growth, name, n) / _MEGABYTE for name in _BACKENDS)
    table.number(
        f"`grow(1)` on a store of {size / _MEGABYTE:.0f} MB: extra peak memory",
        "emcee `Backend`",
        ours,
        Bar("under", 5.0, "MB"),
        remark=f"emcee: {theirs:.0f} MB",
    )


def bench_live_backends(quick: bool, table: Table) -> None:
    n = 500 if quick else 50_000
    draws = n * draw_bytes(_LIVE_STEPS, _LIVE)
    add = functools.partial(
        table.number,
        f"{n:,} live backends of {_LIVE_STEPS} steps of {_LIVE[0]} × {_LIVE[1]}: memory",
        "bytes of the draws",
        bar=Bar("at most", 1.2),
    )
    if available() < 1.3 * draws:
        add(math.nan, remark=f"needs {1.3 * draws / 1e9:.0f} GB of free memory")
        return
    taken = in_child(bytes_of_live_backends, n)
    add(taken / draws, remark=f"{taken / 1e9:.3g} GB against {draws / 1e9:.3g} GB")
