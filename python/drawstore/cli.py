"""The command `drawstore`."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_WHERE = "a directory, an HDF5 file, or clickhouse://user:password@host:8123/database"
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
        return int(options.command(options))
    except BrokenPipeError:
        # Who reads has seen enough. Nothing is left to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
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
    demo.set_defaults(command=_demo)
    show = commands.add_parser(
        "show",
        help="list the runs and chains of a store, who writes them, and what waits beside it",
        description="List the runs and chains of a directory, an HDF5 file or a database, who "
        "writes them, and what waits beside it. Nothing is changed.",
    )
    show.add_argument("where", metavar="WHERE", help=_WHERE)
    show.set_defaults(command=_show)
    recover = commands.add_parser(
        "recover",
        help="put a store right after a crash, and read all of it",
        description="Finish what a process that died left half done, which opening the store does "
        "by itself, too; then read every draw, and name those that are damaged. The exit code is 0 "
        "where nothing is.",
    )
    recover.add_argument("where", metavar="WHERE", help=_WHERE)
    recover.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and change nothing"
    )
    recover.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="copy what is intact into a new directory of runs",
    )
    recover.add_argument(
        "--journal",
        type=Path,
        metavar="PATH",
        help="of an HDF5 file, where it is not beside it; of a database, the directory of journals",
    )
    recover.set_defaults(command=_recover)
    return parser


def _show(options: argparse.Namespace) -> int:
    from drawstore.recovery.show import describe

    for line in describe(options.where):
        print(line)
    return 0


def _recover(options: argparse.Namespace) -> int:
    from drawstore.recovery import recover

    is_intact = True
    lines = recover(options.where, dry_run=options.dry_run, to=options.to, journal=options.journal)
    for line in lines:
        is_intact = is_intact and not line.is_damage
        print(line)
    return 0 if is_intact else 1


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
