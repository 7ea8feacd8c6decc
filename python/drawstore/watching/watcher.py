"""Looking at the runs of a place, again and again."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from glob import iglob
from typing import TYPE_CHECKING

from ..clickhouse.address import is_url, parse_url
from ..monitor import Monitor
from ..reports.head import RunHead, reason
from ..reports.listing import list_runs, stores_in
from ..reports.place import UNREADABLE, Place
from .sights import Sight
from .trace import Trace

if TYPE_CHECKING:
    from ..interface import Run

__all__ = ["Watcher"]

_FEW = 8
_STALLED = 10.0  # seconds without a draw, at least
_INTERVALS = 20.0  # between draws, that a run may take before it has stalled
_RATE_SPAN = 20.0  # seconds over which draws are counted, at most
_LEAST_RATE_SPAN = 0.5


@dataclass
class _Seen:
    """What is known of a run from earlier looks."""

    draws: int
    since: float | None  # when the last draw came, by the monotonic clock
    began: tuple[float, int]  # when it was first seen, and its draws then
    looks: deque[tuple[float, int]] = field(default_factory=deque)  # when, and its draws; the last
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

    @property
    def name(self) -> str:
        """The place, of a database without the password."""
        is_server = self.where.startswith("clickhouse://")
        return parse_url(self.where).place if is_server else self.where

    def is_there(self) -> bool:
        """Say whether there is anything to look at yet."""
        if is_url(self.where):
            return True
        if os.path.isdir(self.where):
            return any(stores_in(self.where)) or _has_runs(self.where)
        if os.path.exists(self.where):
            return os.path.getsize(self.where) > 0
        return any(iglob(self.where))  # of Stan's files

    def look(self) -> list[Sight]:
        """See the runs as they are now, and follow those that are to be followed.

        Returns
        -------
        list of Sight
            Those to which draws may come first.

        Raises
        ------
        OSError, ValueError, KeyError
            Where there is nothing, or something else; and where there is no such run.
        """
        sights = self.see()
        is_running = any(sight.head.state == "running" for sight in sights)
        follows_all = len(sights) == 1 or (len(sights) <= _FEW and not is_running)
        sights = [self._follow(sight, follows_all) for sight in sights]
        return sorted(sights, key=lambda sight: (sight.is_over, sight.status is None))

    def see(self) -> list[Sight]:
        """See the runs as they are now, without any of their draws, in the order of their stores.

        Raises
        ------
        OSError, ValueError, KeyError
            As `look` does.
        """
        found = list(list_runs(self.where, rid=self._rid))
        if self._rid is not None:
            found = [(where, head) for where, head in found if head.rid == self._rid]
            if not found:
                there = ", ".join(repr(head.rid) for _, head in list_runs(self.where)) or "none"
                raise KeyError(
                    f"there is no run {self._rid!r} in {self.name!r}; there are: {there}"
                )
        keys = {(where, head.rid) for where, head in found}
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}
        return [self._see(where, head) for where, head in found]

    def run(self, sight: Sight) -> Run:
        """Open a run that was seen.

        Raises
        ------
        OSError, RuntimeError, ValueError, KeyError
            Where it cannot be read any more.
        """
        return Place.at(self.store_of(sight)).run(sight.rid)

    def store_of(self, sight: Sight) -> str:
        """Give what opens the store of a run; of a database with the password, if there is one."""
        return self.where if is_url(self.where) else sight.where

    def _see(self, where: str, head: RunHead) -> Sight:
        now, draws = time.monotonic(), sum(head.draws.values())
        seen = self._seen.get((where, head.rid))
        if seen is None:
            since = None
            if head.written_at is not None:
                since = now - (datetime.now(UTC) - head.written_at).total_seconds()
            seen = self._seen[where, head.rid] = _Seen(draws, since, (now, draws))
        elif draws != seen.draws:
            seen.draws, seen.since, seen.is_followed = draws, now, True
        seen.looks.append((now, draws))
        while seen.looks[0][1] > draws or now - seen.looks[0][0] > _RATE_SPAN:
            seen.looks.popleft()
        age = None if seen.since is None else max(0.0, now - seen.since)
        state = _state(head, age, seen, now)
        is_over = state not in ("running", "unknown") and head.state != "running"
        return Sight(
            where,
            head.rid,
            state,
            dict(head.draws),
            head.walkers,
            age,
            error=head.error,
            is_over=is_over,
            rate=_rate(seen.looks),
            head=head,
        )

    def _follow(self, sight: Sight, is_chosen: bool) -> Sight:
        head, seen = sight.head, self._seen[sight.where, sight.rid]
        if not head.is_readable:
            return sight
        if not (is_chosen or seen.is_followed or head.state == "running"):
            return sight
        seen.is_followed = True
        try:
            return self._followed(sight, seen)
        except UNREADABLE as error:
            seen.monitor = seen.trace = None
            return replace(sight, error=reason(error))

    def _followed(self, sight: Sight, seen: _Seen) -> Sight:
        if seen.monitor is None:
            seen.monitor = Monitor(self.run(sight))
        status = seen.monitor.update()
        if status.names and (seen.trace is None or len(status.chains) != seen.n_chains):
            seen.trace = Trace(self.run(sight), status.names)
            seen.n_chains = len(status.chains)
        if seen.trace is not None:
            both = [chain.n_steps + chain.n_left_out for chain in status.chains]
            seen.trace.update(max(both, default=0))
        return replace(sight, status=status, trace=seen.trace)


def _has_runs(directory: str) -> bool:
    """Say whether a directory is of a kind that is not looked for in others, as of Stan's files."""
    try:
        return any(Place.at(directory).runs())
    except UNREADABLE:
        return False


def _rate(looks: Sequence[tuple[float, int]]) -> float | None:
    """Give draws a second between the first and the last of some looks."""
    (began, before), (ended, after) = looks[0], looks[-1]
    return (after - before) / (ended - began) if ended - began >= _LEAST_RATE_SPAN else None


def _state(head: RunHead, age: float | None, seen: _Seen, now: float) -> str:
    """Give the state, "stalled" where draws have come before and do not any more."""
    if head.state not in ("running", "unknown"):
        return head.state
    waited = age if age is not None else now - seen.began[0]
    grown = seen.draws - seen.began[1]
    interval = (now - waited - seen.began[0]) / grown if grown > 0 else 0.0
    return "stalled" if waited > max(_STALLED, _INTERVALS * interval) else head.state
