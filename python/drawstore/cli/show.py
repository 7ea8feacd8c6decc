"""`drawstore show`: what is kept somewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .options import json_option, run_argument, where_argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from drawstore.reports.show import ChainReport, PlaceReport, RunReport, VariableReport

__all__ = ["command"]

_KINDS = {
    "directory": "a directory of runs, each chain a file",
    "hdf5": "runs in an HDF5 file",
    "emcee": "an HDF5 file of emcee",
    "hdf5 and emcee": "an HDF5 file with runs, and with groups of emcee",
    "arviz": "a run in a netCDF file or Zarr directory of ArviZ",
    "stan": "files of Stan, each a chain",
    "clickhouse": "runs in a database of ClickHouse",
    "chdb": "runs in a folder of chDB",
    "other": "runs of another kind",
}
_NUMBERS = ("chain", "draws", "warm-up")
_OF_LAYOUT = ("layout", "parameters")  # attributes that say how an ensemble is kept


@click.command
@where_argument
@run_argument
@json_option
def command(where: str, rid: str | None, as_json: bool) -> None:
    """Show what runs are made of, how far they are, and who writes them.

    Also what waits beside them, or was left by a process that died.

    WHERE is a directory, an HDF5 file, clickhouse://user:password@host:8123/database, or files of
    Stan: one, or a pattern in quotes. Nothing is changed.
    """
    from drawstore.reports.show import show

    from .output import console, print_json

    report = show(where, rid)
    if as_json:
        print_json(report)
        return
    out = console()
    for part in _place(report):
        out.print(part)
    for run in report.runs:
        out.print()
        for part in _run(run):
            out.print(part)


def _place(report: PlaceReport) -> Iterator[RenderableType]:
    from .output import harmless, size_text

    yield harmless(f"{report.where}: {_KINDS[report.kind]}")
    if report.writer is not None and report.writer.holds:
        yield harmless(f"  being written by {report.writer}")
    elif report.writer is not None:
        yield harmless(f"  last written by {report.writer}, which died while it did")
    for file in report.beside:
        text = harmless(f"  beside it: {file.path}, {size_text(file.size)}, {file.what}")
        if file.is_trouble:
            text.stylize("yellow")
        yield text
    if not report.runs:
        yield "  there are no runs"


def _run(run: RunReport) -> Iterator[RenderableType]:
    from rich.padding import Padding

    from .output import STYLES, count, harmless, moment, plain, size_text, table

    if not run.is_readable:
        text = harmless(f"run {run.rid!r}: cannot be read: {run.error}")
        text.stylize(STYLES[run.state])
        yield text
        return
    text = harmless(f"run {run.rid!r}: ")
    text.append(run.state, STYLES[run.state])
    if run.made_at is not None:
        text.append(f", made {moment(run.made_at)}")
    if run.written_at is not None:
        text.append(f", last written {moment(run.written_at)}")
    text.append(f", {size_text(run.size)}")
    if run.rate is not None:
        unit = "draws" if run.walkers is None else "steps"
        text.append(f", {run.rate:.3g} {unit} a second")
    yield text
    if run.waiting:
        unit = "draws" if run.walkers is None else "steps"
        yield f"  {count(run.waiting)} {unit} wait in a journal; `drawstore recover` delivers them"
    if run.walkers is not None:
        steps = count(sum(run.draws.values()))
        by = [f", {_writer(chain)}" for chain in run.chains if chain.writer is not None]
        yield harmless(f"  an ensemble of {run.walkers} walkers, {steps} steps{''.join(by)}")
    else:
        rows = table("chain", "draws", "warm-up", "state", "writer", numbers=_NUMBERS)
        for chain in run.chains:
            rows.add_row(
                str(chain.number),
                count(chain.draws),
                "?" if chain.warmup is None else count(chain.warmup),
                chain.state,
                harmless(_writer(chain)),
            )
        yield Padding(rows, (0, 0, 0, 2), expand=False)
    for title, variables in (
        ("variable", run.variables),
        ("stat", run.sample_stats),
        ("observed data", [data for data in run.data if data.is_observed]),
        ("constant data", [data for data in run.data if not data.is_observed]),
    ):
        if variables:
            yield Padding(_variables(title, variables), (0, 0, 0, 2), expand=False)
    labels = ", ".join(f"{name} ({n})" for name, n in run.coords.items())
    facts = [("labels of", labels), ("added to it", ", ".join(run.groups))]
    for name, value in run.attributes.items():
        if run.walkers is None or name not in _OF_LAYOUT:
            is_text = isinstance(value, str)
            facts.append((name, value if is_text else json.dumps(plain(value), ensure_ascii=False)))
    for name, value in facts:
        if value:
            yield harmless(f"  {name}: {value}")


def _writer(chain: ChainReport) -> str:
    if chain.writer is None:
        return ""
    if chain.writer.holds:
        return f"being written by {chain.writer}"
    ended = ", which has ended" if chain.writer.lives is False else ""
    return f"last written by {chain.writer}{ended}"


def _variables(title: str, variables: Sequence[VariableReport]) -> RenderableType:
    from .output import harmless, table

    rows = table(title, "dtype", "shape", "dims")
    for variable in variables:
        shape = "any" if variable.shape is None else " × ".join(map(_extent, variable.shape))
        rows.add_row(
            harmless(variable.name), variable.dtype, shape, harmless(", ".join(variable.dims))
        )
    return rows


def _extent(n: int) -> str:
    return "any" if n < 0 else str(n)
