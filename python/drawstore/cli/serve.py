"""`drawstore serve`: runs as they grow, in a browser."""

from __future__ import annotations

import contextlib
import os

import click

from .options import where_argument

__all__ = ["command"]

_NICENESS = 10  # where all cores are busy, a page is still made within seconds


@click.command
@where_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="By default 8778, or the next one that is free.",
)
@click.option(
    "--address",
    default="127.0.0.1",
    metavar="ADDRESS",
    show_default=True,
    help="Listen there; any address but this machine's own needs a token.",
)
@click.option(
    "--token",
    envvar="DRAWSTORE_TOKEN",
    metavar="TOKEN",
    help="What a browser has to know; '' makes one. Where it is needed, one is made by default.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
def command(
    where: str, port: int | None, address: str, token: str | None, open_browser: bool
) -> None:
    """Show runs as they grow in a browser: traces, convergence, and whether all is well.

    WHERE is a directory of runs, an HDF5 file, a directory with such places, or
    clickhouse://user:password@host:8123/database; what is not there yet is waited for.

    By default only this machine can ask, but all of its users: on a machine that is shared, say
    --token ''. From elsewhere, a tunnel leads there: ssh -L 8778:localhost:8778 HOST. Traffic is
    not encrypted. The token can be given by the variable DRAWSTORE_TOKEN, too, which other users do
    not see.
    """
    from drawstore.dashboard import serve
    from drawstore.dashboard.threads import Crew

    with contextlib.suppress(KeyboardInterrupt):  # that is how one ends it
        serve(
            where,
            port=port,
            address=address,
            token=token,
            open_browser=open_browser,
            niceness=_NICENESS,
        )
    if Crew.is_left():  # a database does not answer
        os._exit(0)
