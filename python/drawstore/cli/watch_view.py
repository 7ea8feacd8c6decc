"""What `drawstore watch` shows on a terminal, as wide and as high as that is, and in a pipe."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from drawstore.text import seconds_text
from drawstore.watching.sparkline import BLOCKS, PLAIN, sparkline

from .output import STYLES, harmless

if TYPE_CHECKING:
    from drawstore.monitor import Status
    from drawstore.watching import Sight

__all__ = ["Screen", "line"]

_STYLES = {**STYLES, "stalled": "bold red"}
_GAP = 2  # columns between two columns of a table
_NAME = 16  # characters of a name where there is no room for all
_CURVE = 8  # characters of a curve, at least


@dataclass(frozen=True)
class _Column:
    """A column of a table: the less its rank, the longer it stays where there is little room."""

    head: str
    rank: int
    cells: list[Text]
    is_number: bool = True

    @property
    def width(self) -> int:
        return max(len(self.head), *(cell.cell_len for cell in self.cells), 1)


class Screen:
    """The runs at one moment, for `rich` to draw.

    Parameters
    ----------
    title : str
    sights : sequence of Sight
    trouble : str
        What is to be said beside, or "".
    """

    def __init__(self, title: str, sights: Sequence[Sight], trouble: str = "") -> None:
        self._title = title
        self._sights = sights
        self._trouble = trouble

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> list[RenderableType]:
        """Draw it."""
        width, height = options.max_width, options.height or console.height
        levels = BLOCKS if _can_print(options.encoding, BLOCKS) else PLAIN
        parts: list[Text | Table] = [Text(harmless(self._title).plain, style="dim")]
        if self._trouble:
            parts.append(Text(harmless(self._trouble).plain, style="yellow"))
        left = height - len(parts) - 1
        shown = self._sights[: max(1, left - 1)]
        if shown:
            parts.append(_table(_runs(shown), width))
            left -= len(shown)
        if len(shown) < len(self._sights):
            parts.append(Text(f"and {len(self._sights) - len(shown):,} more runs", style="dim"))
            left -= 1
        for sight in shown:
            if sight.status is None or not sight.status.names:
                continue
            rows = min(len(sight.status.names), left - 4)
            if rows < 1:
                break
            parts += [Text(""), *_of_run(sight, sight.status, rows, width, levels)]
            left -= 3 + rows + (rows < len(sight.status.names))
        for part in parts:
            if isinstance(part, Text):
                part.no_wrap, part.overflow = True, "ellipsis"
        return [Group(*parts)]


def line(when: datetime, sight: Sight) -> str:
    """Say in one line how far a run is."""
    said = [f"{when.astimezone():%Y-%m-%d %H:%M:%S}", harmless(sight.rid).plain, sight.state]
    said.append(f"{sight.n_draws:,} draws")
    status = sight.status
    if status is not None:
        warmup = sum(chain.n_left_out for chain in status.chains)
        said += [f"{warmup:,} of them warm-up"] if warmup else []
        if status.rate is not None:
            said.append(f"{_short(status.rate)}/s")
        if status.acceptance is not None:
            said.append(f"acceptance {status.acceptance:.2f}")
        if status.names and math.isfinite(worst := _most(status.tau)):
            said += [f"tau {_short(worst)}", f"ESS {_short(_least(status.ess))}"]
        if status.rhat is not None and math.isfinite(worst := _most(status.rhat)):
            said.append(f"R-hat {worst:.3f}")
        said.append(_verdict_in_words(status))
    if sight.age is not None:
        said.append(f"last draw {seconds_text(sight.age)} ago")
    return "  ".join(said + ([harmless(sight.error).plain] if sight.error else []))


# The table of all runs.


def _runs(sights: Sequence[Sight]) -> list[_Column]:
    def column(head: str, rank: int, texts: Sequence[str], is_number: bool = True) -> _Column:
        return _Column(head, rank, [Text(text) for text in texts], is_number)

    followed = [sight.status for sight in sights]
    warmup = ["" if s is None else _count(sum(c.n_left_out for c in s.chains)) for s in followed]
    columns = [
        _Column("run", 0, [Text(harmless(s.rid or s.where).plain) for s in sights], False),
        _Column("state", 1, [Text(s.state, style=_STYLES[s.state]) for s in sights], False),
        column("draws", 2, [_count(sight.n_draws) for sight in sights]),
        column("warm-up", 7, warmup),
        column("age", 4, ["" if s.age is None else seconds_text(s.age) for s in sights]),
        column(
            "rate", 5, ["" if s is None or not s.rate else f"{_short(s.rate)}/s" for s in followed]
        ),
        column("acc.", 8, ["" if s is None else _fraction(s.acceptance) for s in followed]),
        column("tau", 6, ["" if s is None else _short(_most(s.tau)) for s in followed]),
        column("ESS", 3, ["" if s is None else _short(_least(s.ess)) for s in followed]),
        column("converged?", 9, ["" if s is None else _verdict(s) for s in followed], False),
        column("", 10, [harmless(sight.error).plain for sight in sights], False),
    ]
    return [c for c in columns if c.rank < 2 or any(cell.plain for cell in c.cells)]


def _table(columns: list[_Column], width: int) -> Table:
    """Make a table of those columns that have room; the first is cut where it has to be."""

    def needed(chosen: list[_Column]) -> int:
        first = min(chosen[0].width, _NAME)
        return first + sum(column.width + _GAP for column in chosen[1:])

    chosen = columns
    while len(chosen) > 1 and needed(chosen) > width:
        chosen = sorted(chosen, key=lambda column: column.rank)[:-1]
        chosen = [column for column in columns if column in chosen]
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for i, column in enumerate(chosen):
        made.add_column(
            column.head,
            justify="right" if column.is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if i == 0 else column.width,
        )
    for cells in zip(*(column.cells for column in chosen), strict=True):
        made.add_row(*cells)
    return made


# The parameters of a run.


def _of_run(sight: Sight, status: Status, rows: int, width: int, levels: str) -> list[Text | Table]:
    head = Text(harmless(sight.rid).plain, style="bold")
    head.append(f"  {_verdict_in_words(status)}", style="green" if status.converged else "")
    parts: list[Text | Table] = [head]
    names = [Text(harmless(name).plain) for name in status.names[:rows]]
    trace = sight.trace
    last = [Text("" if trace is None else _value(trace.last(i))) for i in range(rows)]
    columns = [
        _Column("", 0, names, False),
        _Column("last", 2, last),
        _Column("tau", 3, [Text(_short(tau)) for tau in status.tau[:rows]]),
        _Column("ESS", 4, [Text(_short(ess)) for ess in status.ess[:rows]]),
    ]
    if status.rhat is not None:
        rhat = [Text("" if math.isnan(x) else f"{x:.3f}") for x in status.rhat[:rows]]
        columns.append(_Column("R-hat", 5, rhat))
    if trace is not None:
        beside = min(columns[0].width, _NAME)
        room = width - beside - sum(c.width + _GAP for c in columns[1:]) - _GAP
        while len(columns) > 1 and room < _CURVE:
            room += columns.pop().width + _GAP
        warmup = max(chain.n_left_out for chain in status.chains)
        curves = []
        for i in range(rows):
            before, after = sparkline(*trace.values(i), max(room - 1, 1), levels, warmup)
            curve = Text(before, style="dim")
            curve.append("|" if before and after else "")
            curves.append(curve.append(after, style="cyan"))
        mean = "mean of walkers" if status.chains[0].is_ensemble else "mean of chains"
        columns.append(_Column(mean if room >= len(mean) else "", 1, curves, False))
    parts.append(_table(columns, width))
    if rows < len(status.names):
        parts.append(Text(f"and {len(status.names) - rows:,} more parameters", style="dim"))
    return parts


# Numbers in words.


def _verdict(status: Status) -> str:
    if not any(chain.n_steps for chain in status.chains):
        return "warming up" if any(chain.n_left_out for chain in status.chains) else "no draws yet"
    if status.converged:
        return "yes"
    if status.expected is None:
        return "not yet"
    left = (status.expected - status.time).total_seconds()
    return f"not yet, in {seconds_text(max(left, 0.0))}"


def _verdict_in_words(status: Status) -> str:
    words = {"yes": "converged", "not yet": "not converged yet"}
    verdict = _verdict(status)
    return words.get(verdict, verdict.replace("not yet,", "expected to converge"))


def _most(values: Iterable[float]) -> float:
    return max((float(x) for x in values if math.isfinite(x)), default=math.nan)


def _least(values: Iterable[float]) -> float:
    return min((float(x) for x in values if math.isfinite(x)), default=math.nan)


def _rate(value: float | None) -> str:
    return f"{_short(value)}/s" if value else ""


def _count(n: int) -> str:
    return f"{n:,}" if n else ""


def _fraction(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _short(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _value(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def _can_print(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True
