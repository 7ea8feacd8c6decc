"""ClickHouse inside this process: chDB, in a directory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from .errors import refusal
from .server import MOST_BYTES, Server
from .sql import literal

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["EmbeddedServer"]

_SCHEME = "chdb://"


class EmbeddedServer(Server):
    """The engine in a directory.

    A process has one directory open at a time, and a directory is open in one process: it is opened
    for the first query, and closed when another directory's turn comes.

    Parameters
    ----------
    url : str
        ``chdb://directory``, which is made where there is none.

    Raises
    ------
    ImportError
        Where there is no chDB.
    """

    database = "default"
    is_private: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        try:
            import chdb
        except ImportError as error:
            raise ImportError(
                "without a URL, ClickHouse is chDB in this process: pip install 'drawstore[chdb]', "
                "or name a server, clickhouse://user:password@host:8123/database"
            ) from error
        self._directory = os.path.realpath(unquote(url.removeprefix(_SCHEME)))
        self._connect = chdb.connect
        self.place = _SCHEME + self._directory

    def query(
        self,
        sql: str,
        settings: Mapping[str, str] | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        in_database: bool = True,
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        with self._open() as connection:
            data: bytes = connection.query(sql + _clause(settings), "RowBinary").bytes() or b""
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
        into = self.insertion(table, columns) + _clause(settings)
        with self._open() as connection, connection.send_insert(into, form) as inserter:
            inserter.append(data)
            inserter.finish()

    def is_there(self) -> bool:
        return os.path.isdir(self._directory)

    def close(self) -> None:
        with _engine.lock:
            if _engine.directory == self._directory and _engine.pid == os.getpid():
                _engine.close()

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with _engine.lock:
            if _engine.directory is not None and _engine.pid != os.getpid():
                raise RuntimeError(
                    f"chDB is in use in the process that this one was forked from ({self.place}), "
                    "and cannot be used in both; start workers with the 'spawn' method, or use a "
                    "server"
                )
            try:
                if _engine.directory != self._directory:
                    _engine.close()
                    _engine.connection = self._connect(self._directory)  # type: ignore[no-untyped-call]
                    _engine.directory, _engine.pid = self._directory, os.getpid()
                yield _engine.connection
            except RuntimeError as error:
                hint = (
                    ""
                    if _engine.directory == self._directory
                    else ". It can be open in one process at a time; is there another?"
                )
                raise refusal(self.place, f"{error}{hint}") from error


class _Engine:
    """What this process has open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.directory: str | None = None
        self.connection: Any = None
        self.pid = 0

    def close(self) -> None:
        connection, self.connection, self.directory = self.connection, None, None
        if connection is not None:
            connection.close()


_engine = _Engine()


def _renew_lock() -> None:
    _engine.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _clause(settings: Mapping[str, str] | None) -> str:
    if not settings:
        return ""
    return " SETTINGS " + ", ".join(f"{name} = {literal(v)}" for name, v in settings.items())
