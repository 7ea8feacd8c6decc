"""`drawstore demo`: see it work."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]

_NEEDS = ("emcee", "matplotlib", "corner", "tqdm")


def _steps(ctx: click.Context, param: click.Parameter, text: str) -> int:
    try:
        steps = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        steps = 0
    if steps < 1:
        raise click.BadParameter(f"{text!r} is no number of steps; give 1 or more")
    return steps


@click.command
@click.option(
    "--steps", metavar="N", default="20000", show_default=True, callback=_steps, help="To sample."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the file and the pictures go; by default a new folder, demo-out.",
)
def command(steps: int, out: Path | None) -> None:
    """Sample a posterior with emcee into an HDF5 file, and show the result.

    A straight line is fitted to 20 points with outliers (Hogg, Bovy & Lang 2010).
    """
    try:
        from drawstore.demo import run
    except ModuleNotFoundError as error:
        if error.name not in _NEEDS:
            raise
        raise click.ClickException(
            f"the demo needs {error.name}: pip install 'drawstore[demo]'"
        ) from error
    run(steps, out)
