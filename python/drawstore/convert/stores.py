"""Runs into drawstore's own stores."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..backends.core import FileBackend
from ..ensemble.blob_columns import spread
from ..ensemble.random_states import encode_state
from ..interface import Backend, Chain, Run
from .blocks import Rows, block_rows, blocks, row_bytes

if TYPE_CHECKING:
    from .steps import Steps

__all__ = ["add_run", "copy_run"]

_MARK = ".unfinished-"


def add_run(run: Run, store: Backend, rows: Rows) -> None:
    """Copy a run into a store that is there, in place of the run of its id, where there is one.

    The copy is made beside that, which is as it was until the copy is whole, and after an error. A
    copy that was left when a process was killed is deleted by the next of the same run: in a
    directory it is hidden, elsewhere it is a run ``<rid>.unfinished-...``.

    Parameters
    ----------
    run : Run
    store : FileBackend, HDF5Backend or ClickHouseBackend
    rows : Rows
        Told of each block.
    """
    token = f"{_MARK}{secrets.token_hex(4)}"
    if isinstance(store, FileBackend):
        folder = os.path.join(store.directory, token)
        _remove_hidden(store, run.rid)
        with FileBackend(folder) as beside:
            try:
                copy_run(run, beside, rows)
                store.take_run(beside, run.rid)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return
    assert isinstance(store, Replacing)
    _remove_unfinished(store, run.rid)
    beside_it = f"{run.rid}{token}"
    copy_run(run, store, rows, rid=beside_it)
    try:
        store.replace_run(run.rid, beside_it)
    except RuntimeError:  # one is written, which stays as it is
        store.delete_run(beside_it)
        raise


@runtime_checkable
class Replacing(Protocol):
    """A store that puts a run in the place of another."""

    def replace_run(self, rid: str, by: str) -> None: ...


def _remove_hidden(store: FileBackend, rid: str) -> None:
    for name in os.listdir(store.directory):
        folder = os.path.join(store.directory, name)
        if name.startswith(_MARK) and os.path.isdir(folder):
            with contextlib.suppress(KeyError, RuntimeError):  # another run; one that is written
                FileBackend(folder).delete_run(rid)
                os.rmdir(folder)


def _remove_unfinished(store: Backend, rid: str) -> None:
    left = re.compile(re.escape(f"{rid}{_MARK}") + "[0-9a-f]{8}")
    for info in store.get_runs():
        if left.fullmatch(info.rid):
            with contextlib.suppress(RuntimeError):  # one that is written
                store.delete_run(info.rid)


def copy_run(run: Run, target: Backend, rows: Rows, *, rid: str = "") -> None:
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
    rid : str, optional
        Of the copy, where it is another one.
    """
    steps = None
    if run._own_steps() is not None:
        from .steps import steps_of

        steps = steps_of(run)
    meta = run.meta if steps is None else steps.meta(run)
    meta.rid = rid or meta.rid
    copy = target.init_run(meta)
    try:
        if steps is not None:
            _copy_steps(steps, copy, rows)
        else:
            _copy_chains(run, copy, rows, apart=isinstance(target, FileBackend))
        for name, group in run._load_groups().items():
            copy._save_group(name, group)
    except BaseException:
        # What cannot be deleted, because the server is away, is told and deleted by the next one.
        with contextlib.suppress(OSError, RuntimeError):
            copy.close()
            target.delete_run(copy.rid)
        raise


def _copy_chains(run: Run, copy: Run, rows: Rows, apart: bool) -> None:
    """Copy chains; where they lie apart, the disk makes one durable while the next is read."""
    draws, stats = list(run.variables), list(run.sample_stats)
    chains = run.get_chains()
    lengths = [len(chain) for chain in chains]
    each = row_bytes([*run.variables.values(), *run.sample_stats.values()], run, sum(lengths))
    with ThreadPoolExecutor(1) as closer:
        closing: Future[None] | None = None
        for chain, n in zip(chains, lengths, strict=True):
            into = copy.init_chain(chain.chain_number)
            into.announce(n)
            for block in blocks(n, block_rows(each)):
                slc = slice(block.start, block.stop)
                into.extend(
                    {name: chain.get_draws(name, slc) for name in draws},
                    {name: chain.get_stats(name, slc) for name in stats},
                )
                rows.add(len(block))
            if not apart:  # they would wait for each other
                into.close()
                continue
            if closing is not None:
                closing.result()  # so that few are open at a time
            closing = closer.submit(into.close)
        if closing is not None:
            closing.result()


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
