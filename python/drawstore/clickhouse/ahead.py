"""The next block of a chain, made while a server is busy with the one before."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from drawstore.threads import join

if TYPE_CHECKING:
    from drawstore._core import Chain, ClickHouseTable

__all__ = ["Ahead"]


class Ahead:
    """Makes blocks of a chain, one of them ahead; one thread at a time calls its methods.

    Parameters
    ----------
    layout : ClickHouseTable
        Of the run.
    rows : Chain
    """

    def __init__(self, layout: ClickHouseTable, rows: Chain) -> None:
        self._layout = layout
        self._rows = rows
        self._range = (0, 0)
        self._block: memoryview | None = None

    def stop_of(self, start: int, stop: int) -> int:
        """Tell where a block ends that begins at a row, and may go on to another."""
        if self._block is not None and self._range[0] == start:
            return self._range[1]
        return start + self._layout.rows_fitting(self._rows, start, stop)

    def block(self, start: int, stop: int) -> memoryview:
        """Give a block of rows."""
        block, self._block = self._block, None
        if block is None or self._range != (start, stop):
            block = self._layout.encode(self._rows, start, stop)
        return block

    @contextlib.contextmanager
    def making(self, start: int) -> Iterator[None]:
        """Make the block that begins at a row, where there are rows enough to fill it."""
        there = stop = len(self._rows)
        if start < there:
            stop = start + self._layout.rows_fitting(self._rows, start, there)
        thread = threading.Thread(target=self._make, args=(start, stop), name="drawstore-block")
        is_started = False
        if stop < there:
            with contextlib.suppress(RuntimeError):  # too many threads, or the interpreter ends
                thread.start()
                is_started = True
        try:
            yield
        finally:
            if is_started:
                join(thread)

    def _make(self, start: int, stop: int) -> None:
        with contextlib.suppress(RuntimeError, ValueError):  # who wants the block meets it, too
            block = self._layout.encode(self._rows, start, stop)
            self._range, self._block = (start, stop), block
