"""A chain that this process is writing: its rows on their way into a file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .binding import Binding
from .columns import Block, expected_rows
from .runs import Layout

if TYPE_CHECKING:
    from drawstore._core import Journal, JournalChain
    from drawstore.interface import Chain
    from drawstore.meta import RunMeta

__all__ = ["Pending"]

_UNTIL_CHECKED = 256  # rows of changing size after which their bytes are counted


class Pending:
    """A chain that is being written: what of it is not in the file yet.

    One thread appends, to `rows`; any thread may read.

    Parameters
    ----------
    meta : RunMeta
    number : int
        Of the chain.
    binding : Binding
        Of the group of the chain, which tells how many rows the file has.
    journal : Journal
        In which rows wait.
    rows : JournalChain
        Of it.
    flush_interval : float
        Seconds after which a draw is in the file at the latest.
    compression, compression_opts
        Of h5py.
    block_bytes : int
        Of draws that are best delivered at once.

    Attributes
    ----------
    delivered : int
        Rows that the file has.
    is_blocked : bool
        Whether the next append has to wait for room, or is refused: see `Writer.unblock`.
    """

    def __init__(
        self,
        meta: RunMeta,
        number: int,
        binding: Binding,
        journal: Journal,
        rows: JournalChain,
        flush_interval: float,
        compression: Any,
        compression_opts: Any,
        block_bytes: int,
    ) -> None:
        self.rid = meta.rid
        self.number = number
        self.journal = journal
        self.rows = rows
        self.flush_interval = flush_interval
        self.layout = Layout(meta)
        self.handle: Callable[[], Chain | None] = lambda: None  # a weak reference
        self.closed = False
        self.is_forked = False
        self.is_blocked = False
        self.announced = 0
        self.delivered = binding.rows
        self._binding = binding
        self._attempted = binding.rows  # they may be in the file after an attempt that failed
        self._compression = compression, compression_opts
        self._block_bytes = block_bytes
        self._let_go: int | None = None  # rows there were when the journal forgot them
        self._lock = threading.Lock()  # held for moments
        self.ask()

    def check(self) -> bool:
        """Tell whether there is a block to deliver, and have `rows` tell of the next one."""
        waiting = self.size
        left = self._block_bytes - waiting
        row_bytes = self._block_bytes // _UNTIL_CHECKED
        if not self.layout.is_ragged:
            row_bytes = self.layout.row_bytes
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
        """Whether all is in the file, and nothing of it here any more."""
        return self._let_go is not None

    @property
    def size(self) -> int:
        """Bytes of the rows that wait."""
        return self.rows.waiting_bytes

    # What delivers.

    def next_block(self, end: int, room: int) -> tuple[int, int] | None:
        """Give the rows to deliver next: those before row ``end``.

        Parameters
        ----------
        end : int
        room : int
            Bytes that they take at most, but for a single row.
        """
        start = self.delivered
        if end <= start:
            return None
        per_row = max(1, self.size // max(1, len(self.rows) - start), self.layout.row_bytes)
        return start, min(end, start + max(1, room // per_row))

    def write(self, group: Any, start: int, stop: int, found: int) -> bool:
        """Write rows into the group of the chain, which has ``found`` rows.

        What binds the journal to them changes with them.

        Returns
        -------
        bool
            False where another program has changed the chain.
        """
        binding = Binding.of(group)
        if found not in (start, self._attempted) or (binding and binding.id != self._binding.id):
            return False
        start, self._attempted = found, max(found, stop)
        if start >= stop:
            return True
        rows = slice(start, stop)
        block = Block(start, stop - start, expected_rows(self.announced, stop), *self._compression)
        draws = {name: self.rows.get_draws(name, rows) for name in self.layout.variables}
        stats = {name: self.rows.get_stats(name, rows) for name in self.layout.stats}
        self.layout.append(group, block, draws, stats)
        replace(self._binding, rows=stop, sum=self.rows.sum_of(stop - 1)).write(group)
        return True

    def confirm(self) -> None:
        """Take note that the file has the rows that `write` wrote."""
        self.delivered = self._attempted
        self.rows.release(self.delivered)

    def release(self) -> None:
        """Forget the rows: the chain is closed, and the file has all of them."""
        with self._lock:
            self._let_go = len(self.rows)
            self.rows.discard()
