"""From what the user names to the engine."""

from __future__ import annotations

import os
from typing import Any

from .address import parse_url
from .embedded import EmbeddedServer
from .http import HttpServer
from .server import Server

__all__ = ["DIRECTORY", "connect"]

DIRECTORY = "drawstore.chdb"  # of chDB, where none is named


def connect(where: Any, timeout: float) -> Server:
    """Find an engine; nothing is asked of a server yet.

    Parameters
    ----------
    where : str, None or client
        As `drawstore.ClickHouseBackend` takes it.
    timeout : float
        Seconds.

    Raises
    ------
    ValueError
        For a URL that is none.
    TypeError
        For something else.
    """
    if where is None:
        where = f"chdb://{DIRECTORY}"
    if isinstance(where, str):
        return (
            EmbeddedServer(where)
            if where.startswith("chdb://")
            else HttpServer(parse_url(where), timeout)
        )
    if hasattr(where, "raw_query") and hasattr(where, "raw_insert"):
        from .client import ClientServer

        return ClientServer(where)
    raise TypeError(
        "a URL, or a client of clickhouse_connect, was expected, got "
        f"{os.fspath(where) if isinstance(where, os.PathLike) else type(where).__name__}"
    )
