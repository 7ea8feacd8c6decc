"""Runs into drawstore's own stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..groups import SAMPLING
from ..interface import Backend, Chain, Group, Run
from .blocks import Rows, block_rows, blocks, row_bytes

if TYPE_CHECKING:
    from .steps import Steps

__all__ = ["copy_run", "is_unfinished"]

_UNFINISHED = "unfinished_conversion"


def is_unfinished(run: Run) -> bool:
    """Whether a run is what a conversion that was killed has left."""
    after = run._load_groups().get(SAMPLING)
    return after is not None and _UNFINISHED in after.attrs


def copy_run(run: Run, target: Backend, rows: Rows, source: str = "") -> None:
    """Copy a run, in blocks; after an error the copy is deleted.

    Files of emcee become what `drawstore.emcee.Backend` makes of them in a store, from which a
    sampler can go on.

    Parameters
    ----------
    run : Run
    target : Backend
        Which has no run of that id.
    rows : Rows
        Told of each block.
    source : str, optional
        Whence the run comes. Until all of it is there, the attribute "unfinished_conversion" of the
        copy says so, which is how the next conversion knows it.
    """
    steps = None
    if run._own_steps() is not None:
        from .steps import steps_of

        steps = steps_of(run)
    copy = target.init_run(run.meta if steps is None else steps.meta(run))
    try:
        if source:
            copy._save_group(SAMPLING, Group({}, {}, attrs={_UNFINISHED: source}))
        if steps is not None:
            _copy_steps(steps, copy, rows)
        else:
            _copy_chains(run, copy, rows)
        groups = run._load_groups()
        for name, group in groups.items():
            if name != SAMPLING:
                copy._save_group(name, group)
        if source or SAMPLING in groups:
            copy._save_group(SAMPLING, groups.get(SAMPLING, Group({}, {})))
    except BaseException:
        copy.close()
        target.delete_run(copy.rid)
        raise


def _copy_chains(run: Run, copy: Run, rows: Rows) -> None:
    draws, stats = list(run.variables), list(run.sample_stats)
    chains = run.get_chains()
    lengths = [len(chain) for chain in chains]
    each = row_bytes([*run.variables.values(), *run.sample_stats.values()], run, sum(lengths))
    for chain, n in zip(chains, lengths, strict=True):
        with copy.init_chain(chain.chain_number) as into:
            into.announce(n)
            for block in blocks(n, block_rows(each)):
                slc = slice(block.start, block.stop)
                into.extend(
                    {name: chain.get_draws(name, slc) for name in draws},
                    {name: chain.get_stats(name, slc) for name in stats},
                )
                rows.add(len(block))


def _copy_steps(steps: Steps, copy: Run, rows: Rows) -> None:
    """Copy steps, the last of which alone knows how many proposals were accepted."""
    with copy.init_chain(0) as into:
        into.announce(steps.count)
        for block in blocks(max(0, steps.count - 1), block_rows(steps.row_bytes)):
            _extend(into, steps, block, last=False)
            rows.add(len(block) * steps.nwalkers)
        if steps.count:
            _extend(into, steps, range(steps.count - 1, steps.count), last=True)
            rows.add(steps.nwalkers)


def _extend(into: Chain, steps: Steps, block: range, last: bool) -> None:
    from drawstore.emcee.blob_columns import spread
    from drawstore.emcee.random_states import encode_state

    draws = {"coords": steps.read("chain", block), "log_prob": steps.read("log_prob", block)}
    if steps.blobs is not None:
        draws |= spread(steps.blobs, steps.read("blobs", block))
    stats = {}
    if last:
        stats["accepted"] = steps.accepted[None]
        state = encode_state(steps.random_state)
        if state is not None:
            stats["random_state"] = state[None]
    into.extend(draws, stats)
