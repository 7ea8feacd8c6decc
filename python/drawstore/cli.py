"""The command `drawstore`."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_DEMO_NEEDS = ("emcee", "matplotlib", "corner", "tqdm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        After the command's name; by default those of the process.

    Returns
    -------
    int
        The exit code: 0, or 1 where the command could not do its work, or 130 where it was
        interrupted. Arguments that make no sense end the process with 2.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may know no "±"
    options = _parser().parse_args(arguments)
    try:
        return _demo(options)
    except OSError as error:
        print(f"drawstore: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndrawstore: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="drawstore", description="Storage for MCMC draws.")
    version = importlib.metadata.version("drawstore")
    parser.add_argument("--version", action="version", version=f"drawstore {version}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="sample a posterior with emcee into an HDF5 file, and show the result",
        description="Fit a straight line to 20 points with outliers (Hogg, Bovy & Lang 2010) with "
        "emcee, keep every step in an HDF5 file, and show the result.",
    )
    demo.add_argument(
        "--steps", type=_steps, default=20_000, metavar="N", help="to sample (default: %(default)s)"
    )
    demo.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the file and the pictures go (default: a new folder, demo-out)",
    )
    return parser


def _steps(text: str) -> int:
    try:
        steps = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        steps = 0
    if steps < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps; give 1 or more")
    return steps


def _demo(options: argparse.Namespace) -> int:
    try:
        from drawstore.demo import run
    except ModuleNotFoundError as error:
        if error.name not in _DEMO_NEEDS:
            raise
        print(
            f"drawstore: the demo needs {error.name}: pip install 'drawstore[demo]'",
            file=sys.stderr,
        )
        return 1
    run(options.steps, options.out)
    return 0
