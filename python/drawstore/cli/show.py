"""`drawstore show`: what is kept somewhere."""

from __future__ import annotations

import click

from .options import where_argument

__all__ = ["command"]


@click.command
@where_argument
def command(where: str) -> None:
    """List the runs and chains of a store, who writes them, and what waits beside it.

    WHERE is a directory, an HDF5 file, clickhouse://user:password@host:8123/database, or files of
    Stan: one, or a pattern in quotes. Nothing is changed.
    """
    from drawstore.recovery.show import describe

    for line in describe(where):
        click.echo(line)
