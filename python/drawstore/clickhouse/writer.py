"""The chains that this process writes to one database."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import ClassVar, cast

from drawstore.delivery.delivery import BACKLOG_BYTES, BACKLOG_WAIT, EXIT_WAIT
from drawstore.delivery.journals import JournalOptions
from drawstore.delivery.pending import Pending, Waiting
from drawstore.delivery.writer import ChainConflict, Part, Writer

from .ahead import Ahead
from .draws import DrawsTable
from .errors import CancelledError, ClickHouseError, UnreachableError
from .runs import Record, Runs
from .spool import block_token

__all__ = ["PendingDraws", "ServerWriter"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0  # seconds between attempts
_LONGEST_FOREGROUND_PAUSE = 1.0  # where somebody waits for it
_LEAST_PATIENCE = 0.25  # seconds, of somebody who does not wait
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
        self._ahead = Ahead(draws.layout, self.rows)

    def put(self, stop: int, cancelled: Callable[[], bool] | None) -> None:
        """Have the server have rows before ``stop``, or some of them.

        Where it did not answer the last time, it is asked first what came of that; the same rows
        are sent again where nothing did.
        """
        start = self.delivered
        is_retry = self._attempted > start
        stop = self._attempted if is_retry else self._ahead.stop_of(start, stop)
        if not is_retry and self._draws.tables.server.is_private:
            has_last, n = True, 0  # nobody can have changed that since
        else:
            has_last, n = self._draws.state(self.number, start, cancelled)
        if not has_last:
            raise self._conflict(f"draws before draw {start} are not on the server any more")
        if n == 0:
            self._attempted = stop
            token = block_token(self._record.journal_id, self.number, start, stop)
            block = self._ahead.block(start, stop)
            with self._ahead.making(stop):
                self._draws.insert(block, token, cancelled)
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
    flush_patience: ClassVar[float] = EXIT_WAIT
    patience: ClassVar[float] = 0.0  # others may have a server that answers
    held_because: ClassVar[str] = "does not take them"

    def __init__(self, place: str, options: JournalOptions) -> None:
        super().__init__(place, options)
        self._troubles: dict[Pending, ClickHouseError] = {}
        self._is_silent = False  # since the last attempt
        self._pause = _FIRST_PAUSE
        if self._is_safe:
            self._kept = f"in journals in {options.path!r}"

    @property
    def is_held(self) -> bool:
        return bool(self._troubles)

    @property
    def others_may_go_on(self) -> bool:
        # One that does not answer would not answer them, either.
        return not self._is_silent

    def put(self, parts: list[Part], timeout: float, cancelled: Callable[[], bool] | None) -> bool:
        ((pending, _, stop),) = parts
        try:
            cast(PendingDraws, pending).put(stop, cancelled)
        except CancelledError:
            return False
        except ClickHouseError as error:
            self._troubles[pending] = error
            self._is_silent = isinstance(error, UnreachableError)
            return False
        self._is_silent = False
        self._troubles.pop(pending, None)
        if not self._troubles:
            self._pause = _FIRST_PAUSE
        return True

    def deliver_chain(
        self,
        pending: Pending,
        timeout: float = math.inf,
        cancelled: Callable[[], bool] | None = None,
    ) -> bool:
        """Write what waits of one chain; where that may help, again and again until it is there."""
        latest = time.monotonic() + max(timeout, _LEAST_PATIENCE)
        end = len(pending)
        pause = _FIRST_PAUSE

        def is_over() -> bool:
            return time.monotonic() > latest or (cancelled is not None and cancelled())

        while not super().deliver_chain(pending, max(0.0, latest - time.monotonic()), is_over):
            if pending.delivered >= end:
                return True
            trouble = self._troubles.get(pending)
            if is_over() or (trouble is not None and not trouble.is_temporary):
                return False
            _wait(pause, is_over)
            pause = min(2 * pause, _LONGEST_FOREGROUND_PAUSE)
        return True

    def catch_up(self) -> None:
        """Let the background thread deliver for a moment; nothing is given up after that."""
        _wait(BACKLOG_WAIT, lambda: self.is_held or self.size <= BACKLOG_BYTES // 2)

    def wait_for_room(self, deliver: Callable[[float, Callable[[], bool]], bool]) -> None:
        since = time.monotonic()
        pause = _FIRST_PAUSE

        def has_room() -> bool:
            if self.size <= self.max_buffer:
                return True
            if time.monotonic() - since > BACKLOG_WAIT:
                self.say_that_it_waits(self.is_held)
            return False

        while not has_room():
            if deliver(BACKLOG_WAIT, has_room):
                continue
            _wait(pause, has_room)
            pause = min(2 * pause, _LONGEST_FOREGROUND_PAUSE)

    def busy_pause(self) -> float:
        if not self._troubles:
            return super().busy_pause()
        self.warn(next(iter(self._troubles.values())))
        pause = self._pause
        self._pause = min(2 * pause, _LONGEST_PAUSE)
        return pause

    def undelivered(self, waiting: int, timeout: float) -> TimeoutError:
        why = next(iter(self._troubles.values()), None) or "the server is slow"
        return TimeoutError(
            f"{waiting} {self.noun} are not in {self.place!r} yet ({why}). They are kept "
            f"{self._kept}: call close() again, or let drawstore.open({self.place!r}, 'a') or "
            "`drawstore recover` deliver them later"
            if self._is_safe
            else f"{waiting} {self.noun} are not in {self.place!r} yet ({why}). They are kept in "
            "memory: call close() again before the process ends"
        )

    def released(self, pending: Pending) -> None:
        self._troubles.pop(pending, None)
        pending.journal.close(remove=True)


def _wait(seconds: float, is_over: Callable[[], bool]) -> None:
    again = time.monotonic() + seconds
    while not is_over() and (left := again - time.monotonic()) > 0:
        time.sleep(min(left, _SLICE))
