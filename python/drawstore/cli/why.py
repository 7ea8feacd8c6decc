"""`drawstore why`: what a run was doing when it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import json_option, run_argument, where_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drawstore.reports.why import Why

__all__ = ["command"]


@click.command
@where_argument
@run_argument
@json_option
def command(where: str, rid: str | None, as_json: bool) -> None:
    """Say what a run was doing when it ended, or is doing.

    Who wrote it, in which batch job, how fast, and whether that process lives; walkers that are
    stuck, divergences, chains that ended before the others, and what waits in journals. RUN is not
    needed where there is one. Nothing is changed.
    """
    from drawstore.reports.why import why

    from .output import STYLES, console, harmless, print_json, table

    report = why(where, rid)
    if as_json:
        print_json(report)
        return
    out = console()
    text = harmless(f"run {report.run.rid!r}: {report.verdict}")
    text.stylize(STYLES[report.run.state])
    out.print(text)
    for finding in report.findings:
        out.print(harmless(f"  {finding}"), style="yellow")
    rows = table("", "")
    rows.show_header = False
    for name, value in _facts(report):
        rows.add_row(f"  {name}", harmless(value))
    out.print(rows)


def _facts(report: Why) -> Iterator[tuple[str, str]]:
    import numpy as np

    from .output import count, moment, size_text

    run = report.run
    unit = "steps" if run.layout == "ensemble" else "draws"
    if run.made_at:
        yield "made", moment(run.made_at)
    if run.written_at:
        yield "last written", moment(run.written_at)
    least, most = min(run.draws.values(), default=0), max(run.draws.values(), default=0)
    yield unit, count(most) if least == most else f"{count(least)} to {count(most)}"
    for writer in report.writers:
        lives = {True: "lives", False: "has ended", None: "is on another machine"}[writer.lives]
        yield "writer", f"{writer}, which {lives}"
    if report.job:
        yield "batch job", report.job
    if report.rate is not None:
        yield "rate", f"{report.rate:.4g} {unit} a second"
    if report.rate_at_end is not None:
        yield "rate at the end", f"{report.rate_at_end:.4g} {unit} a second"
    if report.ensemble is not None and report.ensemble.acceptance:
        shares = np.array(report.ensemble.acceptance)
        low, mid, high = shares.min(), np.median(shares), shares.max()
        of = f"walkers {int(shares.argmin())} and {int(shares.argmax())}"
        yield "acceptance", f"{mid:.3f} in the middle, {low:.3f} to {high:.3f} ({of})"
    if report.divergences is not None:
        yield "divergences", f"{count(report.divergences.n)} of {count(report.divergences.of)}"
    if report.disk_free is not None:
        yield "free on the disk", size_text(report.disk_free)
