"""`drawstore recover`: put a store right after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import json_option, where_argument

if TYPE_CHECKING:
    from drawstore.recovery.salvage import Damage

__all__ = ["command", "print_found"]


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
@json_option
def command(where: str, dry_run: bool, to: Path | None, journal: Path | None, as_json: bool) -> int:
    """Put a store right after a crash, and read all of it.

    Finishes what a process that died left half done, which opening the store does by itself, too;
    then reads every draw, and names those that are damaged. The exit code is 0 where nothing is.
    """
    from drawstore.recovery import recover

    from .output import console, harmless, print_json, reading

    with reading() as progress:
        done = recover(where, dry_run=dry_run, to=to, journal=journal, progress=progress)
    draws = {} if done.found is None else done.found.draws
    damages = [] if done.found is None else done.found.damages
    copied = None if to is None or dry_run else str(to)
    if as_json:
        intact = [{"rid": rid, "chain": n, "draws": count} for (rid, n), count in draws.items()]
        report = {"where": where, "said": done.said, "copied_to": copied}
        print_json({**report, "intact": intact, "damages": damages})
    else:
        out = console()
        for line in done.said:
            out.print(harmless(line))
        print_found(draws, damages)
        if copied is not None:
            out.print(harmless(f"what is intact was copied to {copied!r}"))
    return 1 if damages else 0


def print_found(draws: Mapping[tuple[str, int], int], damages: Sequence[Damage]) -> None:
    """Print what is intact of each chain, alike neighbours together, and what is not."""
    from .output import STYLES, console, count, harmless

    out = console()
    for (rid, n), alike in groupby(draws.items(), key=lambda item: (item[0][0], item[1])):
        numbers = [number for (_, number), _ in alike]
        chains = f"chain {numbers[0]}"
        if len(numbers) > 1:
            chains = f"chains {numbers[0]} to {numbers[-1]}, each"
        out.print(harmless(f"run {rid!r}, {chains}: {count(n)} draws are intact"))
    for damage in damages:
        text = harmless(f"damaged: {damage}")
        text.stylize(STYLES["damaged"], 0, len("damaged"))
        out.print(text)
