"""`drawstore rescue`: what can be read of a broken file of emcee."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import json_option

if TYPE_CHECKING:
    from drawstore.rescue import Rescued

__all__ = ["command"]


@click.command
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.argument("to", type=click.Path(path_type=Path), metavar="TO")
@click.option("--fill", is_flag=True, help="Keep steps of which a part is lost, with NaN there.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For HDF5 to read a piece.",
)
@json_option
def command(file: Path, to: Path, fill: bool, timeout: float, as_json: bool) -> int:
    """Save what can be read of a broken HDF5 file of emcee to the new file TO.

    For files that were cut off, that a kill has left, or that the disk has damaged. FILE is not
    changed. The exit code is 0 where everything was saved, and 1 where something was lost.
    """
    from drawstore.rescue import rescue

    from .output import print_json

    report = rescue(file, to, fill=fill, timeout=timeout)
    if as_json:
        print_json({**asdict(report), "is_complete": report.is_complete})
    else:
        _show(report)
    return 0 if report.is_complete else 1


def _show(report: Rescued) -> None:
    from rich.table import Table

    from .output import console, harmless

    out = console()
    out.print(harmless(f"{report.file} -> {report.to}"), soft_wrap=True)
    for run in report.runs:
        said = "unknown" if run.announced is None else f"{run.announced:,}"
        table = Table("", "steps", "readable", "checksums", "lost", "why", title_justify="left")
        table.title = harmless(f"{run.name}: {said} steps announced")
        for dataset in run.datasets:
            cells = [dataset.name, f"{dataset.steps:,}", f"{dataset.readable:,}"]
            cells.append("yes" if dataset.is_checked else "none")
            for span, why in [(_span(x.start, x.stop), x.why) for x in dataset.lost] or [("", "")]:
                table.add_row(*map(harmless, [*cells, span, why]))
                cells = [""] * len(cells)
        out.print(table)
        for stretch in run.stretches:
            span = _span(stretch.start, stretch.stop)
            out.print(harmless(f"  saved as {stretch.name}: steps {span}"), soft_wrap=True)
        for note in run.notes:
            out.print(harmless(f"  {note}"), soft_wrap=True)
    for note in filter(None, [report.how, *report.notes]):
        out.print(note, soft_wrap=True)
    out.print("everything was saved" if report.is_complete else "not everything could be saved")


def _span(start: int, stop: int) -> str:
    return f"{start:,} to {stop - 1:,}" if stop > start else "none"
