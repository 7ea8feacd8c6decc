"""A run as it is at one moment, while its chains grow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from numpy.typing import NDArray

from .interface import Chain, Group, Run
from .meta import RunMeta
from .read_only import ReadOnlyChain

__all__ = ["FrozenRun"]


class FrozenRun(Run):
    """A view of a run that has the draws it has now, whatever is appended; it can only be read.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._chains = [FrozenChain(chain) for chain in run.get_chains()]

    @property
    def meta(self) -> RunMeta:
        return self._run.meta

    @property
    def rid(self) -> str:
        return self._run.rid

    @property
    def created_at(self) -> datetime:
        return self._run.created_at

    @property
    def size(self) -> int:
        return self._run.size

    def init_chain(self, chain_number: int, *, resume: bool = False) -> NoReturn:
        raise _only_read()

    def get_chains(self) -> list[Chain]:
        return list(self._chains)

    def _save_group(self, name: str, group: Group) -> NoReturn:
        raise _only_read()

    def _load_groups(self) -> dict[str, Group]:
        return self._run._load_groups()


class FrozenChain(ReadOnlyChain):
    """A chain that does not grow any more; `FrozenRun` makes it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._draws = len(chain)

    @property
    def rid(self) -> str:
        return self._chain.rid

    @property
    def chain_number(self) -> int:
        return self._chain.chain_number

    def __len__(self) -> int:
        return self._draws

    def _refusal(self) -> RuntimeError:
        return _only_read()

    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._chain.get_draws(name, self._within(slc))

    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._chain.get_stats(name, self._within(slc))

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._chain.get_draws_at(self._row(i), names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._chain.get_stats_at(self._row(i), names)

    def _within(self, slc: slice) -> slice:
        start, stop, step = slc.indices(self._draws)
        return slice(start, None if stop < 0 else stop, step)


def _only_read() -> RuntimeError:
    return RuntimeError("a run as it was at one moment can only be read")
