"""`drawstore convert`: runs to another place, in another format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from drawstore.text import escaped

from .options import json_option

if TYPE_CHECKING:
    from drawstore.convert import Plan

__all__ = ["command"]

_FORMATS = ("files", "hdf5", "database", "emcee", "netcdf", "zarr", "parquet", "arrow")


@click.command
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--run", "rid", metavar="RUN", help="Of several runs, the one of this id.")
@click.option(
    "--to-format",
    "to_format",
    type=click.Choice(_FORMATS),
    help="Of TO, where its name does not say it.",
)
@click.option("--force", is_flag=True, help="Replace what is at TO.")
@click.option("--dry-run", is_flag=True, help="Say what would be left out, and write nothing.")
@json_option
def command(
    source: str,
    target: str,
    rid: str | None,
    to_format: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Copy runs to another place, in another format.

    FROM is what drawstore reads: a directory, an HDF5 file of drawstore or emcee, a netCDF file or
    a Zarr directory of ArviZ, a data frame in a Parquet or Arrow file, files of Stan, or the URL of
    a database. TO is a directory, a URL, or a file whose
    name ends in .h5, .nc, .zarr, .parquet, .arrow or .feather; "--to-format emcee" makes a .h5 of
    emcee. It appears when it is whole. What it cannot hold is said before anything is written.
    """
    from drawstore.convert import convert, plan_conversion

    def tell(plan: Plan) -> None:
        if not as_json:
            _describe(plan)

    if dry_run:
        plan = plan_conversion(source, target, rid=rid, format=to_format)
        tell(plan)
    else:
        with _progress(shown=not as_json) as progress:
            plan = convert(
                source,
                target,
                rid=rid,
                format=to_format,
                force=force,
                progress=progress,
                planned=tell,
            )
    if as_json:
        from .output import print_json

        print_json({**asdict(plan), "is_done": not dry_run})


def _describe(plan: Plan) -> None:
    from drawstore.convert import FORMATS

    click.echo(escaped(f"{plan.source} to {plan.target}, {FORMATS[plan.format]}"))
    for run in plan.runs:
        click.echo(escaped(f"run {run.rid}: {run.draws:,} draws in {run.chains:,} chains"))
        for loss in run.losses:
            click.echo(escaped(f"  not kept: {loss}"))


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal, and nothing elsewhere."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    from .output import console

    terminal = console(stderr=True)
    if not shown or not terminal.is_terminal:
        yield None
        return
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
