"""A server that the user reaches through a client of ``clickhouse_connect``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from .errors import ClickHouseError, UnreachableError, refusal
from .server import MOST_BYTES, Server
from .sql import quoted

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["ClientServer"]


class ClientServer(Server):
    """What a client speaks to.

    Parameters
    ----------
    client : clickhouse_connect.driver.client.Client
        It stays the user's, who closes it.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()  # a client refuses a second query of its session
        self.database = client.database or "default"
        if (path := getattr(client, "path", None)) is not None:  # of chDB
            self.place = f"chdb://{os.path.realpath(path)}"
        else:
            where = urlsplit(str(client.url)).netloc.rpartition("@")[2]
            self.place = f"clickhouse://{where}/{quote(self.database, safe='')}"

    def query(
        self,
        sql: str,
        settings: Mapping[str, str] | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        in_database: bool = True,
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        data: bytes = self._do(
            self._client.raw_query, sql, settings=dict(settings or {}), use_database=in_database
        )
        if len(data) > most_bytes:
            raise ClickHouseError(
                f"{self.place} answers more than was asked for: over {most_bytes} bytes"
            )
        return data

    def insert(
        self,
        table: str,
        columns: Sequence[str] | None,
        form: str,
        data: Buffer,
        settings: Mapping[str, str],
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._do(
            self._client.raw_insert,
            quoted(table),
            columns,
            bytes(data),
            settings=dict(settings),
            fmt=form,
        )

    def close(self) -> None:
        pass

    def _do(self, ask: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            with self._lock:
                return ask(*args, **options)
        except Exception as error:
            found = refusal(self.place, str(error))
            if found.code is None:
                raise UnreachableError(f"{self.place} did not answer: {error}") from error
            raise found from error
