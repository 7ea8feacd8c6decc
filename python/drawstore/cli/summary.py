"""`drawstore summary`: the posterior of a run in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import discard_option, json_option, run_argument, var_names_option, where_argument

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["command"]

_ORDERS = ("name", "mean", "sd", "tau", "ess", "rhat")


def _levels(ctx: click.Context, param: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        levels = tuple(float(level) for level in text.split(",") if level.strip())
    except ValueError:
        levels = (-1.0,)
    if not all(0 <= level <= 1 for level in levels):
        raise click.BadParameter(f"{text!r} is no list of numbers from 0 to 1, as 0.05,0.5,0.95")
    return levels


@click.command
@where_argument
@run_argument
@click.option(
    "--quantiles",
    metavar="LEVELS",
    default="0.05,0.5,0.95",
    show_default=True,
    callback=_levels,
    help="Numbers from 0 to 1.",
)
@var_names_option
@discard_option
@click.option("--sort", type=click.Choice(_ORDERS), help="The worst, or the least, comes first.")
@json_option
def command(
    where: str,
    rid: str | None,
    quantiles: tuple[float, ...],
    var_names: tuple[str, ...],
    discard: int,
    sort: str | None,
    as_json: bool,
) -> None:
    """Summarize a run: mean, sd, quantiles, ess, tau, R-hat.

    Warm-up is left out. tau is the integrated autocorrelation time; ess is the number of draws, of
    all chains or walkers, divided by it. R-hat compares independent chains, and is not given for
    the walkers of an ensemble, which are none. RUN is not needed where there is one.
    """
    from drawstore.reports.statistics import statistics

    from .output import console, count, harmless, paged, print_json, table

    report = statistics(
        where, rid, quantiles=quantiles, var_names=var_names, discard=discard, sort=sort
    )
    if as_json:
        print_json(report)
        return
    headings = ["mean", "sd", *(f"{100 * level:g}%" for level in report.levels), "ess", "tau"]
    if report.layout == "chains":
        headings.append("rhat")
    rows = table("", *headings, numbers=headings)
    for p in report.parameters:
        cells = [f"{value:.6g}" for value in (p.mean, p.sd, *p.quantiles)]
        cells += [f"{p.ess:.0f}", f"{p.tau:.1f}"]
        if p.rhat is not None:
            cells.append(f"{p.rhat:.3f}")
        rows.add_row(harmless(p.name), *cells)
    of = "walkers" if report.layout == "ensemble" else "chains"
    draws = count(sum(report.chains.values()))
    title = harmless(f"run {report.rid!r}: {draws} draws in {len(report.chains)} {of}")
    parts: list[RenderableType] = [title, rows]
    if not report.is_reliable:
        parts.append("the chains are too short for tau and ess to be trusted: below 50 tau")
    paged(console(), parts)
