"""How commands print: tables and colours for people, JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np
from rich.console import Console

__all__ = ["console", "plain", "print_json"]


def console(*, stderr: bool = False) -> Console:
    """Make a console that prints names as they are: neither markup nor emoji codes are read."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_json(report: Any) -> None:
    """Print a report as JSON (RFC 8259), where what is no finite number is null."""
    click.echo(json.dumps(plain(report), ensure_ascii=False, allow_nan=False, indent=2))


def plain(value: Any) -> Any:
    """Give a value as what JSON has: NumPy's numbers and arrays, too."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
