"""`drawstore recover`: put a store right after a crash."""

from __future__ import annotations

from pathlib import Path

import click

from .options import where_argument

__all__ = ["command"]


@click.command
@where_argument
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy what is intact into a new directory of runs.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Of an HDF5 file, where it is not beside it; of a database, the directory of journals.",
)
def command(where: str, dry_run: bool, to: Path | None, journal: Path | None) -> int:
    """Put a store right after a crash, and read all of it.

    Finishes what a process that died left half done, which opening the store does by itself, too;
    then reads every draw, and names those that are damaged. The exit code is 0 where nothing is.
    """
    from drawstore.recovery import recover

    is_intact = True
    for line in recover(where, dry_run=dry_run, to=to, journal=journal):
        is_intact = is_intact and not line.is_damage
        click.echo(line)
    return 0 if is_intact else 1
