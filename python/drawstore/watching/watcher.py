"""Looking at the runs of a place, again and again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..clickhouse.address import is_url
from ..monitor import Monitor
from ..reports.head import RunHead, reason
from ..reports.listing import list_runs, stores_in
from ..reports.place import UNREADABLE, Place
from .sights import Sight
from .trace import Trace

__all__ = ["Watcher"]

_FEW = 8
_STALLED = 10.0  # seconds without a draw, at least
_INTERVALS = 20.0  # between draws, that a run may take before it has stalled


@dataclass
class _Seen:
    """What is known of a run from earlier looks."""

    draws: int
    since: float | None  # when the last draw came, by the monotonic clock
    began: tuple[float, int]  # when it was first seen, and its draws then
    is_followed: bool = False
    monitor: Monitor | None = None
    trace: Trace | None = None
    n_chains: int = 0


class Watcher:
    """Looks at the runs of a place; a look costs the draws that came since the last one.

    Runs that grow are followed: a `Monitor` reads their draws. Of the others there is what can be
    told without, unless they are few and none is running.

    Parameters
    ----------
    where : str
        As `drawstore.open` takes it; or a directory with such places. There may be nothing yet.
    rid : str, optional
        The run to watch; by default all, those among them that are still to come.
    """

    def __init__(self, where: str, rid: str | None = None) -> None:
        self.where = where
        self._rid = rid
        self._seen: dict[tuple[str, str], _Seen] = {}

    def is_there(self) -> bool:
        """Say whether there is anything to look at yet."""
        if is_url(self.where):
            return True
        if os.path.isdir(self.where):
            return any(stores_in(self.where))
        return os.path.exists(self.where) and os.path.getsize(self.where) > 0

    def look(self) -> list[Sight]:
        """See the runs as they are now.

        Returns
        -------
        list of Sight
            Those to which draws may come first.

        Raises
        ------
        OSError, ValueError, KeyError
            Where there is nothing, or something else; and where there is no such run.
        """
        found = list(list_runs(self.where))
        if self._rid is not None:
            chosen = [(where, head) for where, head in found if head.rid == self._rid]
            if not chosen:
                there = ", ".join(repr(head.rid) for _, head in found) or "none"
                raise KeyError(
                    f"there is no run {self._rid!r} in {self.where!r}; there are: {there}"
                )
            found = chosen
        is_running = any(head.state == "running" for _, head in found)
        follows_all = len(found) == 1 or (len(found) <= _FEW and not is_running)
        sights = [self._see(where, head, follows_all) for where, head in found]
        return sorted(sights, key=lambda sight: (sight.is_over, sight.status is None))

    def _see(self, where: str, head: RunHead, is_chosen: bool) -> Sight:
        now, draws = time.monotonic(), sum(head.draws.values())
        seen = self._seen.get((where, head.rid))
        if seen is None:
            since = None
            if head.written_at is not None:
                since = now - (datetime.now(UTC) - head.written_at).total_seconds()
            seen = self._seen[where, head.rid] = _Seen(draws, since, (now, draws))
        elif draws != seen.draws:
            seen.draws, seen.since, seen.is_followed = draws, now, True
        age = None if seen.since is None else max(0.0, now - seen.since)
        state = _state(head, age, seen, now)
        is_over = state not in ("running", "unknown") and head.state != "running"
        sight = Sight(
            where,
            head.rid,
            state,
            dict(head.draws),
            head.walkers,
            age,
            error=head.error,
            is_over=is_over,
        )
        if head.is_readable and (is_chosen or seen.is_followed or head.state == "running"):
            seen.is_followed = True
            try:
                return self._follow(sight, seen)
            except UNREADABLE as error:
                seen.monitor = seen.trace = None
                return replace(sight, error=reason(error))
        return sight

    def _follow(self, sight: Sight, seen: _Seen) -> Sight:
        if seen.monitor is None:
            seen.monitor = Monitor(Place.at(sight.where).run(sight.rid))
        status = seen.monitor.update()
        if status.names and (seen.trace is None or len(status.chains) != seen.n_chains):
            seen.trace = Trace(Place.at(sight.where).run(sight.rid), status.names)
            seen.n_chains = len(status.chains)
        if seen.trace is not None:
            both = [chain.n_steps + chain.n_left_out for chain in status.chains]
            seen.trace.update(max(both, default=0))
        return replace(sight, status=status, trace=seen.trace)


def _state(head: RunHead, age: float | None, seen: _Seen, now: float) -> str:
    """Give the state, "stalled" where draws have come before and do not any more."""
    if head.state not in ("running", "unknown"):
        return head.state
    waited = age if age is not None else now - seen.began[0]
    grown = seen.draws - seen.began[1]
    interval = (now - waited - seen.began[0]) / grown if grown > 0 else 0.0
    return "stalled" if waited > max(_STALLED, _INTERVALS * interval) else head.state
