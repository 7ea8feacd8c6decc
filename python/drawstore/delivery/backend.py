"""A backend whose draws gather on this machine before the store has them."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

from drawstore.interface import Backend

from .delivery import EXIT_WAIT
from .pending import Pending
from .writer import find_pending, find_writer

__all__ = ["DeliveredBackend"]


class DeliveredBackend(Backend):
    """A backend; its chains are `DeliveredChain`.

    Parameters
    ----------
    place : str
        Of its writer.
    flush_interval : float
        Seconds after which a draw is in the store at the latest.
    mode : {"a", "r"}
    """

    def __init__(self, place: str, flush_interval: float, mode: str) -> None:
        if not flush_interval >= 0:
            raise ValueError(f"flush_interval is a number of seconds, got {flush_interval!r}")
        if mode not in ("a", "r"):
            raise ValueError(f"mode is 'a' or 'r', got {mode!r}")
        self.place = place
        self.flush_interval = flush_interval
        self.mode = mode
        self._begun: weakref.WeakSet[Pending] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place!r}, mode={self.mode!r})"

    def close(self, timeout: float = EXIT_WAIT) -> None:
        """Close the chains that were begun through this object.

        Parameters
        ----------
        timeout : float
            Seconds to wait for a store that is in use, or does not answer.

        Raises
        ------
        TimeoutError
            Where that was in vain; the message says where the draws are kept.
        """
        self.close_chains(lambda pending: True, timeout)

    def _seconds_to_deliver(self) -> float:
        writer = find_writer(self.place)
        return 0.0 if writer is None else writer.seconds_to_deliver

    def close_chains(self, which: Callable[[Pending], bool], timeout: float) -> None:
        """Close some of the chains that were begun through this object."""
        latest = time.monotonic() + timeout
        for pending in [pending for pending in self._begun if which(pending)]:
            if found := find_pending(self.place, pending.rid, pending.number):
                found[0].close(found[1], max(0.0, latest - time.monotonic()))

    def note(self, pending: Pending) -> None:
        """Take note of a chain that was begun through this object."""
        self._begun.add(pending)

    def waiting(self, rid: str) -> list[Pending]:
        """Give the chains of a run that this process is writing."""
        writer = find_writer(self.place)
        chains = [] if writer is None else list(writer.chains.values())
        return [pending for pending in chains if pending.rid == rid]

    def check_writable(self) -> None:
        """Raise RuntimeError where the backend was opened to be read."""
        if self.mode == "r":
            raise RuntimeError(f"{self.place!r} was opened to be read; open it with mode='a'")

    def check_not_written(self, rid: str) -> None:
        """Raise RuntimeError where this process is writing a run."""
        if numbers := [pending.number for pending in self.waiting(rid)]:
            raise RuntimeError(f"run {rid!r} is being written: close its chains first, {numbers}")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_begun"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _begun=weakref.WeakSet())
