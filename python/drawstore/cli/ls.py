"""`drawstore ls`: the runs of places."""

from __future__ import annotations

import click

from .options import json_option, wheres_argument

__all__ = ["command"]


@click.command
@wheres_argument
@click.option("-r", "--recursive", is_flag=True, help="Look into all directories below, too.")
@json_option
def command(wheres: tuple[str, ...], recursive: bool, as_json: bool) -> None:
    """List the runs of stores, without reading draws.

    WHERE is a directory of runs, an HDF5 file, or clickhouse://user:password@host:8123/database; or
    a directory with such stores in it. By default it is the current directory.

    A run is "running" where a process writes it, "ended", "left" by a process that died, "damaged",
    or "unknown" where its writer leaves no mark that is seen from here, as emcee itself and other
    machines.
    """
    from drawstore.reports.listing import list_runs

    from .output import (
        STYLES,
        console,
        count,
        harmless,
        moment,
        plain,
        print_json,
        size_text,
        table,
    )

    found = [item for where in wheres or (".",) for item in list_runs(where, recursive=recursive)]
    if as_json:
        print_json({"runs": [{"where": where, **plain(run)} for where, run in found]})
        return
    out = console()
    rows = table("where", "run", "state", "made", "chains", "draws", "size", numbers=_NUMBERS)
    for where, run in found:
        if not run.is_readable:
            rows.add_row(
                harmless(where), harmless(run.rid), harmless(f"damaged: {run.error}"),
                style=STYLES[run.state],
            )  # fmt: skip
            continue
        least, most = min(run.draws.values(), default=0), max(run.draws.values(), default=0)
        rows.add_row(
            harmless(where),
            harmless(run.rid),
            run.state,
            moment(run.made_at),
            f"{len(run.draws)}" if run.walkers is None else f"{run.walkers} walkers",
            count(most) if least == most else f"{count(least)} to {count(most)}",
            size_text(run.size),
            style=STYLES[run.state],
        )
    out.print(rows if found else "there are no runs")


_NUMBERS = ("chains", "draws", "size")
