"""What stands for a chain of the core, or a backend in memory, in a pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from drawstore.groups import from_npz
from drawstore.interface import Chain, Run
from drawstore.meta import RunMeta

if TYPE_CHECKING:
    from drawstore._core import Chain as CoreChain

    from .core import MemoryBackend

__all__ = ["contents_of", "make_memory_backend", "reduce_chain"]

_Values = dict[str, NDArray[Any]]
_ChainContents = tuple[int, _Values, _Values]
_RunContents = tuple[bytes, list[_ChainContents]]


def reduce_chain(chain: CoreChain) -> tuple[Any, ...]:
    """Give a function, and its arguments, that makes a chain like this one.

    A chain in memory takes its draws along. A stored one is opened for reading where it lies.
    """
    if chain.origin is not None:
        return _open_chain, (chain.origin, chain.rid, chain.chain_number)
    meta = RunMeta.FromString(chain.message)
    meta.rid = chain.rid
    return _make_chain, (meta.SerializeToString(), _contents(chain, meta))


def _open_chain(directory: str, rid: str, chain_number: int) -> Chain:
    from .core import FileBackend

    run = FileBackend(directory, mode="r").get_run(rid)
    return next(chain for chain in run.get_chains() if chain.chain_number == chain_number)


def _contents(chain: CoreChain | Chain, meta: RunMeta) -> _ChainContents:
    return (
        chain.chain_number,
        {variable.name: chain.get_draws(variable.name) for variable in meta.variables},
        {stat.name: chain.get_stats(stat.name) for stat in meta.sample_stats},
    )


def contents_of(backend: MemoryBackend) -> list[_RunContents]:
    """Give all that `make_memory_backend` needs to make the runs again."""
    runs = [backend.get_run(info.rid) for info in backend.get_runs()]
    return [
        (run.meta.SerializeToString(), [_contents(chain, run.meta) for chain in run.get_chains()])
        for run in runs
    ]


def make_memory_backend(
    preallocate: int, runs: list[_RunContents], groups: dict[str, dict[str, bytes]]
) -> MemoryBackend:
    """Make a backend in memory with these runs."""
    from .core import MemoryBackend

    backend = MemoryBackend(preallocate)
    for message, chains in runs:
        run = backend.init_run(RunMeta.FromString(message))
        for contents in chains:
            _fill(run, contents)
        for name, group in groups.get(run.rid, {}).items():
            backend.save_group(run.rid, name, from_npz(group))
    return backend


def _make_chain(message: bytes, contents: _ChainContents) -> Chain:
    backend = make_memory_backend(0, [(message, [contents])], {})
    return backend.get_run(backend.get_runs()[0].rid).get_chains()[0]


def _fill(run: Run, contents: _ChainContents) -> Chain:
    number, draws, stats = contents
    chain = run.init_chain(number)
    lengths = {len(values) for values in (*draws.values(), *stats.values())}
    if lengths - {0}:
        chain.extend(draws, stats)
    return chain
