"""Draws of a chain that are on their way into a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from drawstore import _core
from drawstore.backends.core import tuples_of

from .binding import Binding
from .columns import Block, expected_rows
from .runs import Layout

if TYPE_CHECKING:
    from drawstore.interface import Chain
    from drawstore.meta import RunMeta

__all__ = ["Pending", "Segment", "Snapshot"]

_UNTIL_CHECKED = 256  # rows of changing size after which their bytes are counted


class Segment:
    """Draws that follow one another, in memory.

    Parameters
    ----------
    meta : RunMeta
    first : int
        The number of the first draw in the chain.
    """

    def __init__(self, meta: RunMeta, number: int, first: int) -> None:
        self.first = first
        variables, stats = tuples_of(meta.variables), tuples_of(meta.sample_stats)
        self._run = _core.memory_backend(0).init_run(meta.rid, variables, stats, b"")
        self.chain = self._run.init_chain(number, False)

    @property
    def stop(self) -> int:
        """The number of the draw that follows."""
        return self.first + len(self.chain)

    @property
    def size(self) -> int:
        """Bytes of the draws."""
        return int(self._run.size)


@dataclass(frozen=True)
class Snapshot:
    """What of a chain is where, at one moment: rows before `delivered` are in the file."""

    delivered: int
    stop: int
    segments: list[Segment]


class Pending:
    """A chain that is being written: what of it is not in the file yet.

    One thread appends; any thread may read. Draws go into the last segment. When it is full, or is
    drained, the next one follows it, and it is dropped when the file has its rows.

    Parameters
    ----------
    meta : RunMeta
    number : int
        Of the chain.
    binding : Binding
        Of the group of the chain, which tells how many draws it has.
    flush_interval : float
        Seconds after which a draw is in the file at the latest.
    compression, compression_opts
        Of h5py.
    block_bytes : int
        Of draws that are best delivered at once.
    """

    def __init__(
        self,
        meta: RunMeta,
        number: int,
        binding: Binding,
        flush_interval: float,
        compression: Any,
        compression_opts: Any,
        block_bytes: int,
    ) -> None:
        self.rid = meta.rid
        self.number = number
        self.flush_interval = flush_interval
        self.layout = Layout(meta)
        self.handle: Callable[[], Chain | None] = lambda: None  # a weak reference
        self.closed = False
        self.forked = False
        self.announced = 0
        self.binding = binding
        self.delivered = binding.rows
        # Rows up to here may be in the file after an attempt that failed.
        self.attempted = binding.rows
        self._meta = meta
        self._compression = compression, compression_opts
        self._lock = threading.Lock()  # held for moments
        self._segments = [Segment(meta, number, binding.rows)]
        self._current = self._segments[0].chain
        self._block_bytes = block_bytes
        self._due = 0  # rows until `append` tells of itself

    # What the sampler calls.

    def append(
        self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> bool:
        """Append a draw; returns whether there is something to do about it: see `check`."""
        with self._lock:
            if self.forked:
                raise _is_forked(self.rid, self.number)
            self._current.append(draw, stats)
            self._due -= 1
            return self._due < 0

    def extend(
        self, draws: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> bool:
        """Append a block of draws, as `append` does."""
        with self._lock:
            if self.forked:
                raise _is_forked(self.rid, self.number)
            before = len(self._current)
            self._current.extend(draws, stats)
            self._due -= len(self._current) - before
            return self._due < 0

    def check(self) -> bool:
        """Tell whether there is a block to deliver, and when to ask again."""
        with self._lock:
            last = self._segments[-1]
            if last.size >= self._block_bytes and not self.closed:
                last = self._follow(last)
            if self.layout.is_ragged:
                self._due = _UNTIL_CHECKED
            else:
                self._due = (self._block_bytes - last.size) // max(1, self.layout.row_bytes)
            return self._size() >= self._block_bytes

    def ask(self) -> None:
        """Have the next draw tell of itself."""
        with self._lock:
            self._due = 0

    def close(self) -> None:
        """Refuse further draws."""
        with self._lock:
            self.closed = True
            self._current.close()

    def abandon(self) -> None:
        """In a forked child: leave to the parent what is the parent's."""
        self._lock = threading.Lock()
        self.forked = True

    # What readers call.

    def __len__(self) -> int:
        return self._segments[-1].stop

    def snapshot(self) -> Snapshot:
        """Tell where the rows are."""
        with self._lock:
            return Snapshot(self.delivered, self._segments[-1].stop, list(self._segments))

    @property
    def size(self) -> int:
        """Bytes of the draws that wait."""
        with self._lock:
            return self._size()

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    # What delivers.

    def next_block(self, end: int, room: int) -> tuple[Segment, int, int] | None:
        """Give the rows to deliver next: those of one segment before row ``end``.

        Parameters
        ----------
        end : int
        room : int
            Bytes that they take at most, but for a single row.
        """
        with self._lock:
            segment = self._segments[0]
            stop = min(end, segment.stop)
            if stop <= self.delivered:
                return None
            if segment.chain is self._current and not self.closed:
                self._follow(segment)
            per_row = max(1, segment.size // len(segment.chain), self.layout.row_bytes)
            return segment, self.delivered, min(stop, self.delivered + max(1, room // per_row))

    def _follow(self, segment: Segment) -> Segment:
        following = Segment(self._meta, self.number, segment.stop)
        self._segments.append(following)
        self._current = following.chain
        return following

    def write(self, group: Any, segment: Segment, start: int, stop: int, found: int) -> bool:
        """Write rows of a segment into the group of the chain, which has ``found`` rows.

        What binds a journal to them changes with them.

        Returns
        -------
        bool
            False where another program has changed the chain.
        """
        binding = Binding.of(group)
        if found not in (start, self.attempted) or (binding and binding.id != self.binding.id):
            return False
        start, self.attempted = found, max(found, stop)
        if start >= stop:
            return True
        rows = slice(start - segment.first, stop - segment.first)
        chain = segment.chain
        block = Block(start, stop - start, expected_rows(self.announced, stop), *self._compression)
        draws = {name: chain.get_draws(name, rows) for name in self.layout.variables}
        stats = {name: chain.get_stats(name, rows) for name in self.layout.stats}
        self.layout.append(group, block, draws, stats)
        replace(self.binding, rows=stop).write(group)
        return True

    def confirm(self) -> None:
        """Take note that the file has the rows that `write` wrote."""
        with self._lock:
            self.delivered = self.attempted
            while len(self._segments) > 1 and self.delivered >= self._segments[0].stop:
                del self._segments[0]

    def release(self) -> None:
        """Forget the rows: the chain is closed, and the file has all of them."""
        with self._lock:
            self._segments = [Segment(self._meta, self.number, self.delivered)]
            self._current = self._segments[0].chain
            self._current.close()


def _is_forked(rid: str, number: int) -> RuntimeError:
    return RuntimeError(
        f"chain {number} of run {rid!r} is written by the process that this one was forked from; "
        "begin another chain here"
    )
