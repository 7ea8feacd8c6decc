"""A chain in a database, with what of it still waits for the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from drawstore.delivery.chain import DeliveredChain
from drawstore.delivery.pending import Pending
from drawstore.delivery.reading import Rows, View
from drawstore.delivery.writer import Writer, find_pending

if TYPE_CHECKING:
    from drawstore.backends.clickhouse import ClickHouseRun

__all__ = ["ClickHouseChain"]

_T = TypeVar("_T")


class ClickHouseChain(DeliveredChain):
    """A chain in a database; `ClickHouseRun` makes it.

    Parameters
    ----------
    run : ClickHouseRun
    number : int
    writer, pending : optional
        Of the handle that appends.
    """

    def __init__(
        self,
        run: ClickHouseRun,
        number: int,
        writer: Writer | None = None,
        pending: Pending | None = None,
    ) -> None:
        super().__init__(run.draws.meta, number, writer, pending)
        self._run = run
        self._draws = run.draws
        self._known = 0  # draws that were there when they were counted last

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._run, self._number)

    def _check_names(self, kind: str, names: Sequence[str]) -> None:
        variables, stats = (names, ()) if kind == "variables" else ((), names)
        self._draws.layout.columns_of(variables, stats)

    def _look(self, read: Callable[[View], _T]) -> _T:
        while found := find_pending(self._run.place, self.rid, self._number):
            pending = found[1]
            held = pending.delivered
            try:
                return read(
                    View(held, len(pending), lambda *_: (pending.rows, 0), self._stored)  # noqa: B023
                )
            except (OSError, RuntimeError, ValueError):
                if pending.delivered == held and not pending.is_let_go:
                    raise
        self._known = self._draws.count(self._number, self._known)
        return read(View(self._known, self._known, _nothing_waits, self._stored))

    def _stored(self, kind: str, names: Sequence[str], rows: range) -> dict[str, Rows]:
        return self._draws.read(self._number, kind, names, rows)


def _nothing_waits(start: int, stop: int) -> NoReturn:
    raise AssertionError(f"rows {start} to {stop} wait nowhere")
