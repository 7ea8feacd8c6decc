"""`drawstore check`: whether all is as it was written."""

from __future__ import annotations

import click

from .options import json_option, run_argument, where_argument

__all__ = ["command"]


@click.command
@where_argument
@run_argument
@json_option
def command(where: str, rid: str | None, as_json: bool) -> int:
    """Read everything, and verify counts and checksums.

    Each damage is named with its run, chain and draws. Nothing is changed. The exit code is 0 where
    all is intact, and 1 where anything is damaged.
    """
    from drawstore.reports.check import check

    from .output import print_json, reading
    from .recover import print_found

    with reading() as progress:
        report = check(where, rid, progress)
    if as_json:
        print_json(report)
    else:
        intact = {(found.rid, found.chain): found.draws for found in report.intact}
        print_found(intact, report.damages)
    return 1 if report.damages else 0
