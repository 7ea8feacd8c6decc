"""A chain that this process is writing: its rows on their way into a store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .delivery import BLOCK_BYTES

if TYPE_CHECKING:
    from drawstore._core import Journal, JournalChain
    from drawstore.interface import Chain

    from .journals import JournalOptions

__all__ = ["Pending", "Waiting"]

_UNTIL_CHECKED = 256  # rows of changing size after which their bytes are counted at the latest


@dataclass(frozen=True)
class Waiting:
    """How rows of a chain wait.

    Attributes
    ----------
    journal : Journal
        In which they are.
    rows : JournalChain
        Of it.
    flush_interval : float
        Seconds after which a draw is in the store at the latest.
    block_bytes : int
        Of draws that are best delivered at once.
    row_bytes : int or None
        Of each, or None where they change.
    """

    journal: Journal
    rows: JournalChain
    flush_interval: float
    block_bytes: int
    row_bytes: int | None

    @classmethod
    def of(
        cls,
        journal: Journal,
        rows: JournalChain,
        options: JournalOptions,
        flush_interval: float,
        row_bytes: int | None,
    ) -> Waiting:
        """Make it for rows of which no more wait than the options say."""
        block_bytes = min(BLOCK_BYTES, 1 + options.max_buffer // 4)
        return cls(journal, rows, flush_interval, block_bytes, row_bytes)


class Pending:
    """A chain that is being written: what of it is not in the store yet.

    One thread appends, to `rows`; any thread may read.

    Parameters
    ----------
    rid : str
        Of the run.
    number : int
        Of the chain.
    waiting : Waiting
    delivered : int
        Rows that the store has.

    Attributes
    ----------
    delivered : int
    is_blocked : bool
        Whether the next append has to wait for room, or is refused: see `Writer.unblock`.
    """

    def __init__(self, rid: str, number: int, waiting: Waiting, delivered: int) -> None:
        self.rid = rid
        self.number = number
        self.journal = waiting.journal
        self.rows = waiting.rows
        self.flush_interval = waiting.flush_interval
        self.handle: Callable[[], Chain | None] = lambda: None  # a weak reference
        self.closed = False
        self.is_forked = False
        self.is_blocked = False
        self.announced = 0
        self.delivered = delivered
        self._attempted = delivered  # they may be in the store after an attempt that failed
        self._row_bytes = waiting.row_bytes
        self._block_bytes = waiting.block_bytes
        self._let_go: int | None = None  # rows there were when the journal forgot them
        self._lock = threading.Lock()  # held for moments
        self.ask()

    def check(self) -> bool:
        """Tell whether there is a block to deliver, and have `rows` tell of the next one."""
        left = self._block_bytes - self.size
        row_bytes = self._row_bytes or max(self._mean_bytes(), self._block_bytes // _UNTIL_CHECKED)
        rows = (left if left > 0 else self._block_bytes) // max(1, row_bytes)
        self.rows.notify_at = len(self.rows) + max(1, rows)
        return left <= 0

    def ask(self) -> None:
        """Have the next row tell of itself."""
        self.rows.notify_at = 0

    def close(self) -> None:
        """Refuse further rows."""
        self.closed = True
        self.rows.close()

    def abandon(self) -> None:
        """In a forked child: leave to the parent what is the parent's."""
        self._lock = threading.Lock()
        self.is_forked = self.is_blocked = True

    # What readers call.

    def __len__(self) -> int:
        with self._lock:
            return len(self.rows) if self._let_go is None else self._let_go

    @property
    def is_let_go(self) -> bool:
        """Whether all is in the store, and nothing of it here any more."""
        return self._let_go is not None

    @property
    def size(self) -> int:
        """Bytes of the rows that wait."""
        return self.rows.waiting_bytes

    def _mean_bytes(self) -> int:
        return self.size // max(1, len(self.rows) - self.delivered)

    # What delivers.

    def next_block(self, end: int, room: int) -> tuple[int, int] | None:
        """Give the rows to deliver next, where there are any before row ``end``.

        Those that came since fill the last block: many small ones cost the store more than few.

        Parameters
        ----------
        end : int
        room : int
            Bytes that they take at most, but for a single row.
        """
        start = self.delivered
        if end <= start:
            return None
        stop = len(self.rows)
        row_bytes = max(1, self._mean_bytes(), self._row_bytes or 0)
        return start, min(stop, start + max(1, room // row_bytes))

    def confirm(self) -> None:
        """Take note that the store has the rows that were attempted."""
        self.delivered = self._attempted
        self.rows.release(self.delivered)

    def release(self) -> None:
        """Forget the rows: the chain is closed, and the store has all of them."""
        with self._lock:
            self._let_go = len(self.rows)
            self.rows.discard()
