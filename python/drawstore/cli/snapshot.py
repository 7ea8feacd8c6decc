"""`drawstore snapshot`: a closed copy of runs that are being written."""

from __future__ import annotations

from dataclasses import asdict

import click

from .options import json_option, where_argument

__all__ = ["command"]


@click.command
@where_argument
@click.argument("to", metavar="TO")
@click.option("--run", "rid", metavar="RUN", help="The only run that is wanted.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="To wait for a moment in which another program leaves an HDF5 file alone.",
)
@json_option
def command(where: str, to: str, rid: str | None, timeout: float, as_json: bool) -> None:
    """Copy runs as they are now, while other processes write them.

    WHERE is a directory, an HDF5 file, or the URL of a database. TO is a new directory, or a new
    file that ends in .h5; it appears when it is whole, is closed and compact, and needs no journal.
    From emcee's file to another the layout stays emcee's.
    """
    from drawstore.snapshots import snapshot

    from .output import console, harmless, print_json, size_text

    made = snapshot(where, to, rid=rid, timeout=timeout)
    if as_json:
        runs = [
            {"rid": run.rid, "chains": [{"chain": n, "draws": d} for n, d in run.draws.items()]}
            for run in made.runs
        ]
        print_json({**asdict(made), "runs": runs})
        return
    out = console()
    out.print(harmless(f"{made.source} -> {made.to}, {size_text(made.bytes)}"), soft_wrap=True)
    for run in made.runs:
        draws, chains = sum(run.draws.values()), len(run.draws)
        out.print(
            harmless(f"  run {run.rid}: {draws:,} draws in {chains:,} chains"), soft_wrap=True
        )
