"""The chains that this process writes to one place, and how their draws get there."""

from __future__ import annotations

import functools
import math
import os
import threading
import time
import weakref
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from drawstore import drain
from drawstore._core import Holding

from .delivery import BLOCK_BYTES, Delivery
from .pending import Pending

if TYPE_CHECKING:
    from drawstore.interface import Chain

    from .journals import JournalOptions

__all__ = ["ChainConflict", "Part", "Writer", "begin", "exists", "find_pending", "find_writer"]

_IDLE = 1.0  # how often it is asked whether anyone still holds a chain

Key = tuple[str, int]
Part = tuple[Pending, int, int]  # of which chain, and the rows


class ChainConflict(RuntimeError):
    """A chain in the store is not as it was left.

    Attributes
    ----------
    pending : Pending
        Whose draws cannot be delivered; those of other chains can.
    """

    def __init__(self, pending: Pending, message: str) -> None:
        super().__init__(message)
        self.pending = pending


class Writer(Delivery):
    """Delivers what waits for one place; `begin` finds it.

    Parameters
    ----------
    place : str
        The store, as messages call it.
    options : JournalOptions
        Of the chain that is begun first.
    """

    noun: ClassVar[str] = "draws"
    chains_at_once: ClassVar[int] = 2**31  # in one change
    flush_patience: ClassVar[float] = math.inf  # seconds

    def __init__(self, place: str, options: JournalOptions) -> None:
        super().__init__(place, options)
        self.chains: dict[Key, Pending] = {}

    # What the kind of store says.

    @abstractmethod
    def put(self, parts: list[Part], timeout: float, cancelled: Callable[[], bool] | None) -> bool:
        """Write rows into the store, so that it has them durably, or find that it has them.

        Returns
        -------
        bool
            False where the wait was over, or cancelled, before.

        Raises
        ------
        OSError
            Where the store cannot be written.
        ChainConflict
            Where another program changed one of the chains.
        """

    @property
    def others_may_go_on(self) -> bool:
        """Whether other chains may be written where some could not be a moment ago."""
        return False

    @abstractmethod
    def released(self, pending: Pending) -> None:
        """Act on a chain that is closed, and of which the store has all rows."""

    # What handles call.

    @property
    def size(self) -> int:
        return sum(pending.size for pending in list(self.chains.values()))

    def appended(self, pending: Pending) -> None:
        """Act on draws that the journal told of."""
        urgent = pending.check()
        drain.schedule(self, 0.0 if urgent else pending.flush_interval)
        if urgent:
            pending.is_blocked = self.is_behind or self.size > self.max_buffer

    def unblock(self, pending: Pending) -> None:
        """Return when the next draw of a chain may be appended.

        Raises
        ------
        RuntimeError
            In a forked child, and where another program changed the chain.
        OSError
            Where there is no room for what waits, and more may not wait.
        """
        if pending.is_forked:
            raise RuntimeError(
                f"chain {pending.number} of run {pending.rid!r} is written by the process that "
                "this one was forked from; begin another chain here"
            )
        if self.size <= self.max_buffer:
            self.catch_up()
        else:
            self.wait_for_room(functools.partial(self.deliver, first=pending))
        pending.is_blocked = False

    def deliver(
        self,
        timeout: float = math.inf,
        cancelled: Callable[[], bool] | None = None,
        first: Pending | None = None,
    ) -> bool:
        """Write the draws that wait into the store; not those that come meanwhile.

        Parameters
        ----------
        timeout, cancelled
            As `Delivery.deliver` takes them.
        first : Pending, optional
            The chain whose conflict is raised, where there are several.

        Raises
        ------
        OSError
            Where the store cannot be written; the draws stay where they are.
        ChainConflict
            Where another program changed a chain. What waits for the others is delivered.
        """
        ends = {pending: len(pending) for pending in list(self.chains.values())}
        conflicts: list[ChainConflict] = []
        latest = time.monotonic() + timeout
        with Holding(self._delivering, timeout) as is_free:
            if not is_free:
                return False
            is_complete = True
            while parts := self._next_parts(ends):
                if cancelled is not None and cancelled():
                    return False
                begin, waited = time.monotonic(), self.size
                try:
                    if not self.put(parts, max(0.0, latest - time.monotonic()), cancelled):
                        if not self.others_may_go_on:
                            return False
                        is_complete = False
                        for pending, *_ in parts:
                            del ends[pending]
                        continue
                except ChainConflict as error:
                    conflicts.append(error)
                    del ends[error.pending]
                    continue
                for pending, *_ in parts:
                    pending.confirm()
                self._pace.note(max(0, waited - self.size), time.monotonic() - begin)
            if conflicts:
                # That of the chain which is asked for, or any.
                raise min(conflicts, key=lambda conflict: conflict.pending is not first)
            return is_complete

    def _next_parts(self, ends: dict[Pending, int]) -> list[Part]:
        """Choose the rows that go into the store at once."""
        parts: list[Part] = []
        room = BLOCK_BYTES
        for pending, end in ends.items():
            if parts and (room <= 0 or len(parts) == self.chains_at_once):
                break
            block = pending.next_block(end, room)
            if block is not None:
                start, stop = block
                parts.append((pending, start, stop))
                room -= pending.size * (stop - start) // (len(pending) - start)
        return parts

    def deliver_chain(
        self,
        pending: Pending,
        timeout: float = math.inf,
        cancelled: Callable[[], bool] | None = None,
    ) -> bool:
        """Write what waits of one chain, and of others where they can be written."""
        try:
            return self.deliver(timeout, cancelled, first=pending)
        except ChainConflict as error:
            if error.pending is pending or pending.delivered < len(pending):
                raise
            return True

    def flush(self, pending: Pending) -> None:
        """Deliver what a chain has now.

        Raises
        ------
        TimeoutError
            Where that was not possible for `flush_patience` seconds.
        """
        if not self.deliver_chain(pending, self.flush_patience):
            raise self.undelivered(len(pending) - pending.delivered, self.flush_patience)

    def close(self, pending: Pending, timeout: float) -> None:
        """Deliver everything and let go of a chain.

        Raises
        ------
        TimeoutError
            Where that was not possible for ``timeout`` seconds.
        """
        pending.close()
        if not self.deliver_chain(pending, timeout):
            raise self.undelivered(len(pending) - pending.delivered, timeout)
        self._let_go(pending)

    def _let_go(self, pending: Pending) -> None:
        with lock():
            key = (pending.rid, pending.number)
            if self.chains.get(key) is not pending:  # it was let go, and may have been begun again
                return
            del self.chains[key]
            pending.release()
            if not self.chains:
                drain.forget(self)
                _writers.pop(self.place, None)
            self.released(pending)

    # What the background thread and the end of the process call.

    def drain(self, cancelled: Callable[[], bool]) -> float | None:
        again = self.try_to_deliver(cancelled)
        chains = list(self.chains.values())
        if again is not None:
            for pending in chains:
                if pending.delivered == len(pending):
                    pending.ask()
            return again
        for pending in chains:
            pending.ask()
            with lock():
                if pending.handle() is None:
                    pending.close()  # nobody can append to it any more
                    if pending.delivered == len(pending):
                        self._let_go(pending)
        waiting = [p.flush_interval for p in chains if p.delivered < len(p)]
        if not self.chains:
            drain.forget(self)  # an append may have scheduled it since
            return None
        return min(waiting) if waiting else _IDLE

    def finish(self) -> None:
        if self.is_of_a_parent:
            return
        latest = time.monotonic() + self.exit_wait
        for pending in list(self.chains.values()):
            try:
                self.close(pending, max(0.0, latest - time.monotonic()))
            except Exception as error:
                self.report_lost(len(pending) - pending.delivered, error)


_writers: dict[str, Writer] = {}
_lock = threading.RLock()


def lock() -> threading.RLock:
    """Give the lock of what is known here; who begins a chain holds it all the while."""
    return _lock


def find_pending(place: str, rid: str, number: int) -> tuple[Writer, Pending] | None:
    """Find a chain that this process is writing."""
    writer = _writers.get(place)
    pending = None if writer is None else writer.chains.get((rid, number))
    return None if writer is None or pending is None else (writer, pending)


def find_writer(place: str) -> Writer | None:
    """Find what this process is writing to a place."""
    return _writers.get(place)


def begin(
    place: str,
    rid: str,
    number: int,
    resume: bool,
    patience: float,
    make_pending: Callable[[], Pending],
    make_writer: Callable[[], Writer],
    make_handle: Callable[[Writer, Pending], Chain],
) -> Chain:
    """Become the writer of a chain, or find that this process is.

    Parameters
    ----------
    place : str
        Of the writer.
    rid : str
    number : int
        Of the chain.
    resume : bool
        Go on with the chain where it exists.
    patience : float
        Seconds to wait for a chain that is closed and not delivered yet.
    make_pending : callable
        Begins the chain in the store.
    make_writer : callable
        Makes the writer, where there is none yet.
    make_handle : callable
        Makes the handle, where there is none yet.

    Raises
    ------
    ValueError
        Where the chain exists and ``resume`` is not said.
    """
    with lock():
        if found := find_pending(place, rid, number):
            if not resume:
                raise exists(rid, number, len(found[1]))
            if not found[1].closed:
                return _handle(*found, make_handle)
            found[0].close(found[1], patience)
        pending = make_pending()
        writer = _writers.get(place)
        if writer is None:
            writer = _writers[place] = make_writer()
        handle = _handle(writer, pending, make_handle)
        writer.chains[rid, number] = pending
        drain.register(writer)  # it has something to let go of, draws or not, until it is finished
        return handle


def _handle(
    writer: Writer, pending: Pending, make_handle: Callable[[Writer, Pending], Chain]
) -> Chain:
    handle = pending.handle()
    if handle is None:
        handle = make_handle(writer, pending)
        pending.handle = weakref.ref(handle)
    return handle


def exists(rid: str, number: int, draws: int) -> ValueError:
    """Make the error for a chain that is there already."""
    return ValueError(
        f"run {rid!r} has a chain {number} already, with {draws} draws; to go on with it, resume it"
    )


def _forget_in_child() -> None:
    global _lock
    for writer in _writers.values():
        for pending in writer.chains.values():
            pending.abandon()
    _writers.clear()
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
