"""`drawstore watch`: runs as they grow."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from .options import run_argument, where_argument

if TYPE_CHECKING:
    from drawstore.watching import Sight, Watcher

__all__ = ["command"]

_INTERVAL = 1.0  # seconds
_SHARE = 25  # times what a look takes go by to the next one, for whoever samples
_TICK = 0.2  # seconds from one look at the size of the terminal to the next


@click.command
@where_argument
@run_argument
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05),
    metavar="SECONDS",
    help="From one look to the next; by default 1, or 25 times what a look takes.",
)
@click.option("-n", "looks", type=click.IntRange(min=1), metavar="N", help="End after N looks.")
@click.option("--once", is_flag=True, help="Look once.")
@click.option("--until-end", is_flag=True, help="End when all runs have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a look, in one line.")
def command(
    where: str,
    rid: str | None,
    interval: float | None,
    looks: int | None,
    once: bool,
    until_end: bool,
    as_json: bool,
) -> None:
    """Watch runs as they grow: draws, rate, tau, ESS, whether they have converged, and values.

    WHERE is a directory of runs, an HDF5 file, a directory with such places, or
    clickhouse://user:password@host:8123/database; what is not there yet is waited for. On a
    terminal a table is kept up to date until q or Ctrl-C is pressed; elsewhere a line a run is
    printed at each look.

    A run has stalled when no draw came for 10 seconds, and for 20 times as long as one used to
    take. Numbers of several parameters are those of the worst.
    """
    try:
        from drawstore.watching import Watcher

        from .output import console

        watching = _Watching(Watcher(where, rid), 1 if once else looks, until_end)
        if as_json or not console().is_terminal:
            _print(watching, interval, as_json)
        else:
            _show(watching, interval)
    except KeyboardInterrupt:
        pass  # that is how one ends it


class _Watching:
    """Looks, and when they end."""

    def __init__(self, watcher: Watcher, looks: int | None, until_end: bool) -> None:
        self.watcher = watcher
        self.sights: list[Sight] = []
        self.trouble = ""
        self.when = datetime.now(UTC)
        self._left = looks
        self._until_end = until_end
        self._has_seen = self._was_over = False

    def look(self) -> bool:
        """Look once more; say whether that was the last time."""
        from drawstore.reports.head import reason
        from drawstore.reports.place import UNREADABLE

        self.when = datetime.now(UTC)
        self.trouble = ""
        try:
            if self._left is None and not (self._has_seen or self.watcher.is_there()):
                self.sights, self.trouble = [], f"waiting for {self.watcher.name}"
            else:
                self.sights = self.watcher.look()
                self._has_seen = True
        except UNREADABLE as error:
            if not self._has_seen:
                raise
            self.trouble = reason(error)
        if self._left is not None:
            self._left -= 1
        over = self._until_end and bool(self.sights) and all(s.is_over for s in self.sights)
        # A script's next run may be about to begin.
        is_last = self._left == 0 or (over and self._was_over)
        self._was_over = over
        return is_last


def _next_look(began: float, interval: float | None) -> float:
    """Say when to look again after a look that has just ended."""
    if interval is not None:
        return began + interval
    took = time.monotonic() - began
    return began + max(_INTERVAL, _SHARE * took)


def _print(watching: _Watching, interval: float | None, as_json: bool) -> None:
    """Print lines."""
    from drawstore.watching.sights import report

    from .output import plain
    from .watch_view import line

    said = ""
    for _ in _looks(watching, interval):
        if watching.trouble != said and watching.trouble:
            click.echo(f"drawstore: {watching.trouble}", err=True)
        said = watching.trouble
        if as_json:
            click.echo(json.dumps(plain(report(watching.when, watching.sights)), allow_nan=False))
        else:
            for sight in watching.sights:
                click.echo(line(watching.when, sight))
        sys.stdout.flush()


def _looks(watching: _Watching, interval: float | None) -> Iterator[None]:
    while True:
        began = time.monotonic()
        is_last = watching.look()
        again = _next_look(began, interval)
        yield
        if is_last:
            return
        time.sleep(max(0.0, again - time.monotonic()))


def _show(watching: _Watching, interval: float | None) -> None:
    """Keep a table up to date."""
    from rich.live import Live

    from .keys import keys
    from .output import console
    from .watch_view import Screen

    if hasattr(os, "nice"):
        os.nice(10)  # where all cores are busy, whoever samples goes first
    out = console()

    def screen() -> Screen:
        title = f"{watching.watcher.name}  {watching.when.astimezone():%H:%M:%S}  q ends"
        return Screen(title, watching.sights, watching.trouble)

    with keys() as pressed, Live(console=out, screen=True, auto_refresh=False) as live:
        is_last = False
        while not is_last:
            began = time.monotonic()
            is_last = watching.look()
            live.update(screen(), refresh=True)
            end = _next_look(began, interval)
            size = out.size
            while not is_last and (left := end - time.monotonic()) > 0:
                is_last = pressed.wait(min(left, _TICK)) in ("q", "Q")
                if out.size != size:
                    size = out.size
                    live.refresh()
    out.print(screen())
