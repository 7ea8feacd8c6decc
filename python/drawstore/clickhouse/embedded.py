"""ClickHouse inside this process: chDB, in a directory."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from .errors import refusal
from .server import MOST_BYTES, Server
from .sql import literal

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["EmbeddedServer", "embedded"]

_SCHEME = "chdb://"


class EmbeddedServer(Server):
    """The engine in a directory; `embedded` gives each directory its one object in a process.

    Parameters
    ----------
    directory : str
        Absolute. It is made where there is none.

    Raises
    ------
    ImportError
        Where there is no chDB.
    ClickHouseError
        Where another process has it open, or this one another directory.
    """

    database = "default"
    is_private: ClassVar[bool] = True

    def __init__(self, directory: str) -> None:
        try:
            import chdb
        except ImportError as error:
            raise ImportError(
                "without a URL, ClickHouse is chDB in this process: pip install 'drawstore[chdb]', "
                "or name a server, clickhouse://user:password@host:8123/database"
            ) from error
        self.place = _SCHEME + directory
        self._pid = os.getpid()
        self._lock = threading.Lock()
        try:
            self._connection: Any = chdb.connect(directory)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise refusal(
                self.place,
                f"chDB cannot open it: {error}. A directory is open in one process at a time, and "
                "a process has one directory open",
            ) from error

    def query(
        self,
        sql: str,
        settings: Mapping[str, str] | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        in_database: bool = True,
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        self._check_process()
        sql += _clause(settings)
        try:
            with self._lock:
                return self._connection.query(sql, "RowBinary").bytes() or b""
        except RuntimeError as error:
            raise refusal(self.place, str(error)) from error

    def insert(
        self,
        table: str,
        columns: Sequence[str] | None,
        form: str,
        data: Buffer,
        settings: Mapping[str, str],
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._check_process()
        into = self.insertion(table, columns) + _clause(settings)
        try:
            with self._lock, self._connection.send_insert(into, form) as inserter:
                inserter.append(data)
                inserter.finish()
        except RuntimeError as error:
            raise refusal(self.place, str(error)) from error

    def close(self) -> None:
        pass  # it stays open as long as anybody holds it

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None and self._pid == os.getpid():
            connection.close()

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise RuntimeError(
                f"{self.place} is open in the process that this one was forked from, and chDB "
                "cannot be used in both; start workers with the 'spawn' method, or use a server"
            )


def _clause(settings: Mapping[str, str] | None) -> str:
    if not settings:
        return ""
    return " SETTINGS " + ", ".join(f"{name} = {literal(v)}" for name, v in settings.items())


_servers: weakref.WeakValueDictionary[str, EmbeddedServer] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def embedded(url: str) -> EmbeddedServer:
    """Open ``chdb://directory``, or find that it is open."""
    directory = os.path.realpath(unquote(url.removeprefix(_SCHEME)))
    with _lock:
        server = _servers.get(directory)
        if server is None:
            server = _servers[directory] = EmbeddedServer(directory)
        return server
