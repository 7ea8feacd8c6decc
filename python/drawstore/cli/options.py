"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["json_option", "run_argument", "where_argument"]

F = TypeVar("F", bound=Callable[..., Any])


def where_argument(f: F) -> F:
    """Take WHERE: a directory, a file, or the URL of a database, as `drawstore.open` does."""
    return click.argument("where", metavar="WHERE")(f)


def run_argument(f: F) -> F:
    """Take RUN, the id of a run, which is None where it is left out."""
    return click.argument("rid", metavar="[RUN]", required=False)(f)


def json_option(f: F) -> F:
    """Take --json: the report as JSON, of the schema that lies in ``schemas`` by the command."""
    return click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")(f)
