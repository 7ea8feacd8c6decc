"""`drawstore diff`: whether two runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import discard_option, json_option, run_ids, var_names_option

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["command"]

_SHOWN = 20  # comparisons, of those that are no differences


def _alpha(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not 0 < value < 1:
        raise click.BadParameter(f"{value} is no number between 0 and 1")
    return value


@click.command
@click.argument("a", metavar="A", type=click.Path())
@click.argument("b", metavar="B", type=click.Path())
@click.option("--run-a", metavar="RUN", shell_complete=run_ids(0), help="Where A has several.")
@click.option("--run-b", metavar="RUN", shell_complete=run_ids(1), help="Where B has several.")
@var_names_option
@discard_option
@click.option(
    "--alpha",
    type=float,
    default=0.01,
    show_default=True,
    callback=_alpha,
    help="The share of equal posteriors that may be said to differ.",
)
@json_option
def command(
    a: str,
    b: str,
    run_a: str | None,
    run_b: str | None,
    var_names: tuple[str, ...],
    discard: int,
    alpha: float,
    as_json: bool,
) -> int:
    """Compare the settings and the posteriors of two runs.

    Means, standard deviations and quantiles are compared by their Monte Carlo errors, corrected for
    the number of comparisons. The exit code is 0 where no posterior differs by more than that
    explains, and 1 where one does, or the runs have not the same variables.
    """
    from drawstore.reports.difference import difference

    from .output import console, harmless, paged, print_json, table

    report = difference(
        a, b, rid_a=run_a, rid_b=run_b, var_names=var_names, discard=discard, alpha=alpha
    )
    if as_json:
        print_json(report)
        return int(report.differs)
    verdict = harmless(report.verdict)
    verdict.stylize("yellow" if report.differs else "green")
    parts: list[RenderableType] = [harmless(f"A: {report.a}"), harmless(f"B: {report.b}"), verdict]
    if not report.is_reliable:
        parts.append("the chains are too short for errors to be trusted: below 50 tau")
    if report.settings:
        rows = table("setting", "A", "B")
        for setting in report.settings:
            one, other = setting.a or "not there", setting.b or "not there"
            rows.add_row(harmless(setting.what), harmless(one), harmless(other))
        parts.append(rows)
    n = sum(item.p < alpha for item in report.compared)
    shown = report.compared[: max(n, _SHOWN)]
    if shown:
        rows = table("parameter", "", *_NUMBERS, numbers=_NUMBERS)
        for item in shown:
            numbers = (item.a, item.b, item.error)
            rows.add_row(
                harmless(item.name),
                item.statistic,
                *(f"{value:.5g}" for value in numbers),
                f"{item.z:+.1f}",
                f"{item.p:.2g}",
                style="yellow" if item.p < alpha else "",
            )
        parts.append(rows)
    if rest := len(report.compared) - len(shown):
        parts.append(f"... and {rest:,} more that do not differ")
    paged(console(), parts)
    return int(report.differs)


_NUMBERS = ("A", "B", "error", "z", "p")
