"""How commands print: tables and colours for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import click
import numpy as np
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from drawstore.text import escaped, size_text

__all__ = [
    "STYLES",
    "console",
    "count",
    "harmless",
    "moment",
    "paged",
    "plain",
    "print_json",
    "reading",
    "size_text",
    "table",
]

STYLES = {
    "running": "green",
    "ended": "",
    "left": "yellow",
    "unknown": "dim",
    "damaged": "bold red",
}
"""Of the states of runs."""

_WIDE = 2**20  # columns of what is no terminal, where nothing is folded


def console(*, stderr: bool = False) -> Console:
    """Make a console that prints names as they are: neither markup nor emoji codes are read.

    Where it is no terminal there are no colours, and lines are as long as what they say.
    """
    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = _WIDE
    return made


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """Make a table without lines.

    Parameters
    ----------
    *columns : str
        Their headings.
    numbers : iterable of str
        Those of them that are aligned to the right, and not folded where room is scarce.
    """
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    numbers = set(numbers)
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in numbers else "left",
            no_wrap=name in numbers,
            overflow="fold",
        )
    return made


def harmless(text: str) -> Text:
    """Give a name or another text of the data as it may be printed: `escaped`."""
    return Text(escaped(text), overflow="fold")


def paged(out: Console, parts: Sequence[RenderableType]) -> None:
    """Print parts; on a terminal, through a pager where they are longer than it is."""
    height = sum(len(out.render_lines(part, pad=False)) for part in parts)
    if not out.is_terminal or height < out.size.height:
        for part in parts:
            out.print(part)
        return
    os.environ.setdefault("LESS", "FRX")  # colours; and none where the screen takes all
    with out.pager(styles=not out.no_color):
        for part in parts:
            out.print(part)


@contextmanager
def reading() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar of progress on stderr, where that is a terminal.

    Yields
    ------
    callable
        To be told the id of a run, how much of it was read, and how much there is.
    """
    out = console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(rid: str, done: int, total: int) -> None:
            if rid not in tasks:
                tasks[rid] = bar.add_task(harmless(rid).plain, total=total)
            bar.update(tasks[rid], completed=done)

        yield progress


def count(n: int) -> str:
    """Give a number of things with commas."""
    return f"{n:,}"


def moment(when: datetime | None) -> str:
    """Give a time to the minute."""
    return "" if when is None else when.strftime("%Y-%m-%d %H:%M UTC")


def print_json(report: Any) -> None:
    """Print a report as JSON (RFC 8259), where what is no finite number is null."""
    text = json.dumps(plain(report), ensure_ascii=False, allow_nan=False, indent=2)
    click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def plain(value: Any) -> Any:
    """Give a value as what JSON has: dataclasses, times, and NumPy's numbers and arrays, too."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.astype(str).tolist() if value.dtype.kind in "mM" else value.tolist())
    if isinstance(value, np.generic):
        return str(value) if value.dtype.kind in "mM" else plain(value.item())
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | complex | timedelta):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
