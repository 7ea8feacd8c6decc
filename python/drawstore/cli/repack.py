"""`drawstore repack`: an HDF5 file of runs, made small."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .options import json_option

__all__ = ["command"]


@click.command
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.argument("to", type=click.Path(path_type=Path), metavar="[TO]", required=False)
@click.option(
    "--compression",
    type=click.Choice(["gzip", "lzf", "none"]),
    default="gzip",
    show_default=True,
    help="Of steps and draws.",
)
@json_option
def command(file: Path, to: Path | None, compression: str, as_json: bool) -> None:
    """Write an HDF5 file of runs anew, compactly: emcee's own, or drawstore's.

    Room for steps that were never sampled, and space that HDF5 has lost, go; every value stays as
    it is, and so does what else is in the file. It is done in place, or into the new file TO. The
    new file is compared with the old one before it takes its name.
    """
    from typing import Literal, cast

    from drawstore.repacking import repack

    from .output import console, harmless, print_json, size_text

    done = repack(file, to, compression=cast(Literal["gzip", "lzf", "none"], compression))
    if as_json:
        print_json(asdict(done))
        return
    out = console()
    before, after = size_text(done.bytes_before), size_text(done.bytes_after)
    where = "" if done.to == done.file else f" -> {done.to}"
    out.print(harmless(f"{done.file}{where}: {before} -> {after}"), soft_wrap=True)
    for rows in done.datasets:
        padding = f", {rows.padding:,} never sampled are gone" if rows.padding else ""
        out.print(harmless(f"  {rows.name}: {rows.rows:,} rows{padding}"), soft_wrap=True)
