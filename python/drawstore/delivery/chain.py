"""A handle on a chain whose draws gather on this machine before the store has them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import ArrayLike, NDArray

from drawstore.interface import Chain
from drawstore.read_only import only_row

from .delivery import EXIT_WAIT
from .pending import Pending
from .reading import View, read
from .writer import Writer

if TYPE_CHECKING:
    from drawstore.meta import RunMeta

__all__ = ["DeliveredChain"]

_T = TypeVar("_T")


class DeliveredChain(Chain):
    """A handle on a chain.

    Parameters
    ----------
    meta : RunMeta
    number : int
    writer, pending : optional
        Of the handle that appends.
    """

    def __init__(
        self,
        meta: RunMeta,
        number: int,
        writer: Writer | None = None,
        pending: Pending | None = None,
    ) -> None:
        self._meta = meta
        self._number = number
        self._writer = writer
        self._pending = pending

    @property
    def rid(self) -> str:
        return self._meta.rid

    @property
    def chain_number(self) -> int:
        return self._number

    # What the kind of store says.

    @abstractmethod
    def _look(self, read: Callable[[View], _T]) -> _T:
        """Read the chain as it is at one moment; again where rows moved to the store meanwhile."""

    @abstractmethod
    def _check_names(self, kind: str, names: Sequence[str]) -> None:
        """Raise KeyError for a name of none of the "variables" or "stats"."""

    # Writing.

    def append(
        self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        pending = self._pending
        if pending is None or pending.is_blocked:
            pending = self._unblocked()
        if pending.rows.append(draw, stats):
            self._appended(pending)

    def extend(
        self, draws: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        pending = self._pending
        if pending is None or pending.is_blocked:
            pending = self._unblocked()
        if pending.rows.extend(draws, stats):
            self._appended(pending)

    def _unblocked(self) -> Pending:
        if self._pending is None or self._writer is None:
            raise RuntimeError(
                f"this handle on chain {self._number} of run {self.rid!r} only reads; "
                f"init_chain({self._number}, resume=True) gives one that goes on with it"
            )
        self._writer.unblock(self._pending)
        return self._pending

    def _appended(self, pending: Pending) -> None:
        assert self._writer is not None
        self._writer.appended(pending)

    def announce(self, n_draws: int) -> None:
        if self._pending is not None:
            self._pending.announced = max(self._pending.announced, n_draws)

    def flush(self, sync: bool = False) -> None:
        if self._writer is not None and self._pending is not None and not self._is_forked():
            self._writer.flush(self._pending)

    def close(self, timeout: float = EXIT_WAIT) -> None:
        """Deliver all draws, and refuse further ones; reading goes on.

        Parameters
        ----------
        timeout : float
            Seconds to wait for a store that is in use, or does not answer.

        Raises
        ------
        TimeoutError
            Where that was in vain; the message says where the draws are kept.
        """
        if self._writer is not None and self._pending is not None and not self._is_forked():
            self._writer.close(self._pending, timeout)

    def _is_forked(self) -> bool:
        return self._pending is not None and self._pending.is_forked

    # Reading.

    def __len__(self) -> int:
        return self._look(lambda view: view.stop)

    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("variables", [name], slc)[name]

    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("stats", [name], slc)[name]

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        names = [v.name for v in self._meta.variables] if names is None else names
        return self._read_at("variables", i, names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        names = [v.name for v in self._meta.sample_stats] if names is None else names
        return self._read_at("stats", i, names)

    def _read_at(self, kind: str, i: int, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there is no draw {i}: the chain has {n}")
        rows = self._read(kind, names, slice(i % n, i % n + 1))
        return {name: only_row(row) for name, row in rows.items()}

    def _read(self, kind: str, names: Sequence[str], slc: slice) -> dict[str, NDArray[Any]]:
        self._check_names(kind, names)
        return self._look(lambda view: read(view, kind, names, slc))
