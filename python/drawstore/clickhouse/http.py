"""A server that is reached over HTTP."""

from __future__ import annotations

import base64
import http.client
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .address import Address
from .errors import ClickHouseError, UnreachableError, refusal
from .server import MOST_BYTES, Node, Server

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["HttpServer"]

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 2.0  # after which servers close a connection, or are about to
_SLICE_SECONDS = 0.05  # between two looks at whether to go on
_PIECE = 2**18
_MOST_TEXT = 2**16  # of an error


class HttpServer(Server):
    """A server behind an address.

    Where it is one of several nodes, and does not take connections, the others are asked in turn.

    Parameters
    ----------
    address : Address
    timeout : float
        Seconds without any progress, after which an answer is not waited for any more.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self.address = address
        self.place = address.place
        self.database = address.database
        self._timeout = timeout
        self._addresses = [address, *(address.node(*other) for other in address.others)]
        login = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}
        self._tls = ssl.create_default_context(cafile=address.ca) if address.secure else None
        self._forget()

    def __repr__(self) -> str:
        return f"HttpServer({self.place!r})"

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def __del__(self) -> None:
        for connection, _ in getattr(self, "_idle", []):
            connection.close()

    def nodes(self, listed: Sequence[Node]) -> list[Server]:
        if not self.address.others:
            # Nobody tells the ports of HTTP; where the others differ, they do so alike.
            own = next((node.port for node in listed if node.is_asked), None)
            ports = [self.address.port + node.port - (own or node.port) for node in listed]
            hosts = [self.address.host if node.is_asked else node.host for node in listed]
            addresses = [self.address.node(*found) for found in zip(hosts, ports, strict=True)]
        elif len(self._addresses) == len(listed):
            addresses = [address.node(address.host, address.port) for address in self._addresses]
        else:
            raise ValueError(
                f"the cluster has {len(listed)} nodes ("
                + ", ".join(f"{node.host}:{node.port}" for node in listed)
                + f"), and {len(self._addresses)} are named in the URL: name all, or one"
            )
        return [HttpServer(address, self._timeout) for address in addresses]

    def query(
        self,
        sql: str,
        settings: Mapping[str, str] | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        in_database: bool = True,
    ) -> bytes:
        parameters = dict(settings or {})
        if in_database:
            parameters["database"] = self.database
        return self._ask(parameters, sql.encode(), most_bytes, None)

    def insert(
        self,
        table: str,
        columns: Sequence[str] | None,
        form: str,
        data: Buffer,
        settings: Mapping[str, str],
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        sql = f"{self.insertion(table, columns)} FORMAT {form}"
        parameters = {**settings, "database": self.database, "query": sql}
        self._ask(parameters, data, _MOST_TEXT, cancelled)

    # One question on one connection.

    def _ask(
        self,
        parameters: Mapping[str, str],
        body: Buffer,
        most_bytes: int,
        cancelled: Callable[[], bool] | None,
    ) -> bytes:
        connection = self._take()
        try:
            answer = self._exchange(connection, parameters, memoryview(body), cancelled)
            data = self._received(answer, most_bytes if answer.status == 200 else _MOST_TEXT)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if isinstance(error, ClickHouseError):
                raise
            what = str(error) or type(error).__name__
            raise UnreachableError(f"{self.place} did not answer: {what}") from error
        except BaseException:
            connection.close()
            raise
        if answer.status == 200:
            self._give_back(connection)
            return data
        connection.close()
        text = data.decode(errors="replace")
        if self.address.password:
            text = text.replace(self.address.password, "***")
        raise refusal(self.place, text or f"HTTP status {answer.status} {answer.reason}")

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        parameters: Mapping[str, str],
        body: memoryview,
        cancelled: Callable[[], bool] | None,
    ) -> http.client.HTTPResponse:
        connection.putrequest("POST", f"/?{urlencode(parameters)}")
        connection.putheader("Content-Length", str(body.nbytes))
        for name, value in self._headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        waiting = _Waiting(connection.sock, self._timeout, cancelled)
        waiting.send(body)
        waiting.until_there_is_something()
        return connection.getresponse()

    def _received(self, answer: http.client.HTTPResponse, most_bytes: int) -> bytes:
        pieces = []
        size = 0
        while piece := answer.read(2**20):
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                raise ClickHouseError(
                    f"{self.place} answers more than was asked for: over {most_bytes} bytes"
                )
        return b"".join(pieces)

    # Connections. Those of a process are not for its forked children.

    def _take(self) -> http.client.HTTPConnection:
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS and not _has_ended(connection):
                    return connection
                connection.close()
        return self._connect()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        if connection.sock is not None:
            with self._lock:
                self._idle.append((connection, time.monotonic()))

    def _connect(self) -> http.client.HTTPConnection:
        errors = []
        for address in list(self._addresses):
            where = address.host, address.port
            connection = (
                http.client.HTTPConnection(*where, timeout=_CONNECT_SECONDS)
                if self._tls is None
                else http.client.HTTPSConnection(
                    *where, timeout=_CONNECT_SECONDS, context=self._tls
                )
            )
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                errors.append(f"{address.host}:{address.port}: {error}")
                continue
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock.settimeout(self._timeout)
            # First where it was found last.
            self._addresses.sort(key=lambda other: other is not address)
            return connection
        raise UnreachableError(f"{self.place} cannot be reached ({'; '.join(errors)})")


class _Waiting:
    """Waits for a socket, and meanwhile asks whether to go on."""

    def __init__(
        self, sock: socket.socket, timeout: float, cancelled: Callable[[], bool] | None
    ) -> None:
        self._sock = sock
        self._timeout = timeout
        self._cancelled = cancelled

    def send(self, body: memoryview) -> None:
        body = body.cast("B")
        done = 0
        while done < len(body):
            self._wait(to_write=True)
            done += self._sock.send(body[done : done + _PIECE])
            if done < len(body) and self._readable(0.0):
                return  # the server answers already: it does not want the rest

    def until_there_is_something(self) -> None:
        self._wait(to_write=False)

    def _wait(self, to_write: bool) -> None:
        end = time.monotonic() + self._timeout
        while not (self._writable() if to_write else self._readable(_SLICE_SECONDS)):
            if self._cancelled is not None and self._cancelled():
                raise UnreachableError("the wait for an answer was ended")
            if time.monotonic() > end:
                raise TimeoutError(f"no answer for {self._timeout:g} s")

    def _writable(self) -> bool:
        return bool(select.select([], [self._sock], [], _SLICE_SECONDS)[1])

    def _readable(self, seconds: float) -> bool:
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        return bool(select.select([self._sock], [], [], seconds)[0])


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed a connection on which nothing is expected."""
    return bool(select.select([connection.sock], [], [], 0.0)[0])
