"""`drawstore run`: a script whose samplers are recorded."""

from __future__ import annotations

import os

import click

__all__ = ["command"]


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where the draws go; by default SCRIPT-drawstore here.",
)
@click.option("--fresh", is_flag=True, help="Begin anew, and leave earlier draws as they are.")
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is the name of a module.")
@click.argument("script", metavar="SCRIPT")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def command(
    out: str | None, fresh: bool, is_module: bool, script: str, arguments: tuple[str, ...]
) -> int:
    """Run a script that uses emcee, itself or through lmfit or bilby, and keep what it draws.

    The script stays as it is. Each step that its samplers store goes into an HDF5 file as well,
    where `drawstore watch` sees it. Killed and started again, the script gets the steps that were
    kept, and samples from the last of them on.
    """
    if not is_module and not os.path.isfile(script):
        raise click.UsageError(f"there is no script {script!r}")
    from drawstore.script import run

    return run(script, arguments, is_module=is_module, out=out, fresh=fresh)
