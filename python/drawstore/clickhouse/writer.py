"""The chains that this process writes to one database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, cast

from drawstore.delivery.delivery import EXIT_WAIT
from drawstore.delivery.journals import JournalOptions
from drawstore.delivery.pending import Pending, Waiting
from drawstore.delivery.writer import ChainConflict, Part, Writer

from .draws import DrawsTable
from .errors import ClickHouseError
from .runs import Record, Runs
from .spool import block_token

__all__ = ["PendingDraws", "ServerWriter"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0  # seconds between attempts
_SLICE = 0.05  # in which it is asked whether to go on


class PendingDraws(Pending):
    """A chain on its way into the table of its run.

    Parameters
    ----------
    runs : Runs
    record : Record
        Of the run.
    draws : DrawsTable
        Likewise.
    number : int
        Of the chain.
    waiting : Waiting
    delivered : int
        Draws that the server has.
    """

    def __init__(
        self,
        runs: Runs,
        record: Record,
        draws: DrawsTable,
        number: int,
        waiting: Waiting,
        delivered: int,
    ) -> None:
        super().__init__(record.rid, number, waiting, delivered)
        self._runs = runs
        self._record = record
        self._draws = draws

    def put(self, stop: int, cancelled: Callable[[], bool] | None) -> None:
        """Have the server have rows before ``stop``, or some of them.

        Where it did not answer the last time, it is asked first what came of that; the same rows
        are sent again where nothing did.
        """
        start = self.delivered
        if self._attempted > start:
            stop = self._attempted
        else:
            stop = start + self._draws.layout.rows_fitting(self.rows, start, stop)
        has_last, n = self._draws.state(self.number, start)
        if not has_last:
            raise self._conflict(f"draws before draw {start} are not on the server any more")
        if n == 0:
            self._attempted = stop
            token = block_token(self._record.journal_id, self.number, start, stop)
            self._draws.insert(self.rows, start, stop, token, cancelled)
        elif self._attempted != stop or n != stop - start:
            raise self._conflict(
                f"another program wrote {n} draws from draw {start} on, which are left as they are"
            )

    def _conflict(self, what: str) -> ChainConflict:
        writers = ", ".join(self._runs.writers(self._record, self.number))
        return ChainConflict(
            self,
            f"{self._runs.place}, run {self.rid!r}, chain {self.number}: {what}. Processes that "
            f"have begun the chain, or gone on with it: {writers}",
        )


class ServerWriter(Writer):
    """Delivers what waits for one database.

    Parameters
    ----------
    place : str
    options : JournalOptions
    """

    chains_at_once: ClassVar[int] = 1
    patience: ClassVar[float] = 0.0  # others may have a server that answers
    flush_patience: ClassVar[float] = EXIT_WAIT

    def __init__(self, place: str, options: JournalOptions) -> None:
        super().__init__(place, options)
        self._trouble: ClickHouseError | None = None
        self._pause = _FIRST_PAUSE
        if self._is_safe:
            self._kept = f"in journals in {options.path!r}"

    @property
    def is_held(self) -> bool:
        return self._trouble is not None

    def put(self, parts: list[Part], timeout: float, cancelled: Callable[[], bool] | None) -> bool:
        ((pending, _, stop),) = parts
        latest = time.monotonic() + timeout
        while True:
            try:
                cast(PendingDraws, pending).put(stop, cancelled)
            except ClickHouseError as error:
                self._trouble = error
            else:
                self._trouble = None
                self._pause = _FIRST_PAUSE
                return True
            if not self._trouble.is_temporary or not self._waited(latest, cancelled):
                return False

    def _waited(self, latest: float, cancelled: Callable[[], bool] | None) -> bool:
        """Wait before the next attempt; False where there is no time for one."""
        again = time.monotonic() + self._next_pause()
        if again > latest:
            return False
        while time.monotonic() < again:
            if cancelled is not None and cancelled():
                return False
            time.sleep(_SLICE)
        return True

    def _next_pause(self) -> float:
        pause = self._pause
        self._pause = min(2 * pause, _LONGEST_PAUSE)
        return pause

    def busy_pause(self) -> float:
        if self._trouble is None:
            return super().busy_pause()
        self.warn(self._trouble)
        return self._next_pause()

    def undelivered(self, waiting: int, timeout: float) -> TimeoutError:
        why = self._trouble or "the server is slow"
        return TimeoutError(
            f"{waiting} {self.noun} are not in {self.place!r} yet ({why}). They are kept "
            f"{self._kept}: call close() again, or let drawstore.open({self.place!r}, 'a') or "
            "`drawstore recover` deliver them later"
            if self._is_safe
            else f"{waiting} {self.noun} are not in {self.place!r} yet ({why}). They are kept in "
            "memory: call close() again before the process ends"
        )

    def released(self, pending: Pending) -> None:
        pending.journal.close(remove=True)
