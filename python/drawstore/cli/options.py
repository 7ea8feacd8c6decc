"""Arguments and options that several commands have."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

__all__ = [
    "discard_option",
    "json_option",
    "run_argument",
    "run_ids",
    "var_names_option",
    "where_argument",
    "wheres_argument",
]

F = TypeVar("F", bound=Callable[..., Any])


def where_argument(f: F) -> F:
    """Take WHERE: a directory, a file, or the URL of a database, as `drawstore.open` does."""
    return click.argument("where", metavar="WHERE", type=click.Path())(f)


def wheres_argument(f: F) -> F:
    """Take any number of WHERE, as a tuple."""
    return click.argument("wheres", metavar="[WHERE]...", type=click.Path(), nargs=-1)(f)


def run_argument(f: F) -> F:
    """Take RUN, the id of a run, which is None where it is left out."""
    complete = run_ids()
    return click.argument("rid", metavar="[RUN]", required=False, shell_complete=complete)(f)


def var_names_option(f: F) -> F:
    """Take --var-names any number of times, as a tuple of globs."""
    return click.option(
        "--var-names",
        metavar="GLOB",
        multiple=True,
        help="Variables to choose, as 'b*'; may be said several times.",
    )(f)


def discard_option(f: F) -> F:
    """Take --discard, a number of draws."""
    return click.option(
        "--discard",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        help="Leave out so many draws, or steps, at the start of each chain.",
    )(f)


def json_option(f: F) -> F:
    """Take --json: the report as JSON, of the schema that lies in ``schemas`` by the command."""
    return click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")(f)


def run_ids(at: int = 0) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Make what completes the id of a run in the store that the argument number ``at`` names."""

    def complete(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        from drawstore.reports.place import UNREADABLE, Place

        # Behind an option that lacks its value, click leaves the arguments as they are.
        names = [param.name for param in ctx.command.params if isinstance(param, click.Argument)]
        where = ctx.params.get(names[at] or "") or next(iter(ctx.args[at:]), None)
        try:
            ids = [] if where is None else [rid for rid, _ in Place.at(where).runs()]
        except UNREADABLE:
            return []
        # A shell takes a line for an id.
        fitting = [rid for rid in ids if rid.startswith(begun) and rid.isprintable()]
        is_bash = os.environ.get("_DRAWSTORE_COMPLETE", "").startswith("bash")
        return [CompletionItem(shlex.quote(rid) if is_bash else rid) for rid in fitting]

    return complete
