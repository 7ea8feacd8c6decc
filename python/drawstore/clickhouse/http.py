"""A server that is reached over HTTP."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from .address import Address
from .channel import Channel, TooMuchError
from .errors import CancelledError, ClickHouseError, UnreachableError, refusal
from .server import MOST_BYTES, Node, Server

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["HttpServer"]

_IDLE_SECONDS = 2.0  # after which servers close a connection, or are about to
_MOST_TEXT = 2**16  # of an error
_MOST_HEADER = 2**20
_SHOWN = 200  # bytes of an answer that is none


class HttpServer(Server):
    """A server behind an address.

    Where it is one of several nodes, and does not answer, the others are asked in turn.

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
        self._idle: list[tuple[Address, Channel, float]] = []

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for _, channel, _ in idle:
            channel.close()

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
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        parameters = dict(settings or {})
        if most_bytes <= MOST_BYTES:
            # An error has a status of its own then, and does not follow half of an answer.
            parameters["wait_end_of_query"] = "1"
        if in_database:
            parameters["database"] = self.database
        return self._ask(parameters, sql.encode(), most_bytes, cancelled)

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
        said = self._ask(parameters, data, _MOST_TEXT, cancelled)
        if said:
            raise self._unexpected(said)

    # One question on one connection.

    def _ask(
        self,
        parameters: Mapping[str, str],
        body: Buffer,
        most_bytes: int,
        cancelled: Callable[[], bool] | None,
    ) -> bytes:
        address, channel = self._take(cancelled)
        try:
            is_sent, answer = self._exchange(address, channel, parameters, body)
            is_right = answer.status == 200
            most_bytes = most_bytes if is_right else _MOST_TEXT
            data = self._received(channel, answer, most_bytes)
            if is_right and not is_sent:
                raise self._unexpected(data)
        except (OSError, http.client.HTTPException) as error:
            channel.close()
            if isinstance(error, CancelledError):
                raise
            self._put_last(address)
            if isinstance(error, ClickHouseError):
                raise
            if isinstance(error, TooMuchError):
                raise ClickHouseError(
                    f"{self.place} answers more than was asked for: over {most_bytes} bytes"
                ) from error
            what = str(error) or type(error).__name__
            raise UnreachableError(f"{self.place} did not answer: {what}") from error
        except BaseException:
            channel.close()
            raise
        if is_right and not answer.will_close:
            self._give_back(address, channel)
        else:
            channel.close()
        if is_right:
            return data
        text = data.decode(errors="replace")
        if self.address.password:
            text = text.replace(self.address.password, "***")
        raise refusal(self.place, text or f"HTTP status {answer.status} {answer.reason}")

    def _exchange(
        self, address: Address, channel: Channel, parameters: Mapping[str, str], body: Buffer
    ) -> tuple[bool, http.client.HTTPResponse]:
        size = memoryview(body).nbytes
        lines = [
            f"POST /?{urlencode(parameters)} HTTP/1.1",
            f"Host: {address.authority}",
            f"Content-Length: {size}",
            *(f"{name}: {value}" for name, value in self._headers.items()),
        ]
        channel.room = _MOST_HEADER
        is_sent = channel.send("\r\n".join([*lines, "", ""]).encode()) and channel.send(body)
        answer = http.client.HTTPResponse(cast(socket.socket, channel), method="POST")
        answer.begin()
        return is_sent, answer

    def _received(
        self, channel: Channel, answer: http.client.HTTPResponse, most_bytes: int
    ) -> bytes:
        channel.room = 2 * most_bytes + _MOST_HEADER  # there are the sizes of its pieces, too
        pieces = []
        size = 0
        while piece := answer.read(2**20):
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                raise TooMuchError(f"over {most_bytes} bytes")
        if answer.length or (answer.length is None and not answer.chunked):
            raise http.client.IncompleteRead(b"", answer.length)
        return b"".join(pieces)

    def _unexpected(self, said: bytes) -> UnreachableError:
        """Make the error for an answer that is none to an INSERT."""
        return UnreachableError(
            f"{self.place} did not answer as a server of ClickHouse: {said[:_SHOWN]!r}"
        )

    # Connections. Those of a process are not for its forked children.

    def _take(self, cancelled: Callable[[], bool] | None) -> tuple[Address, Channel]:
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            while self._idle:
                address, channel, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS and channel.is_quiet():
                    channel.cancelled = cancelled
                    return address, channel
                channel.close()
        return self._connect(cancelled)

    def _give_back(self, address: Address, channel: Channel) -> None:
        with self._lock:
            self._idle.append((address, channel, time.monotonic()))

    def _connect(self, cancelled: Callable[[], bool] | None) -> tuple[Address, Channel]:
        errors = []
        for address in self._addresses:
            channel = Channel(self._timeout, cancelled)
            try:
                channel.connect(address.host, address.port, self._tls)
            except CancelledError:
                raise
            except (OSError, UnicodeError) as error:
                errors.append(f"{address.host}:{address.port}: {error}")
            else:
                return address, channel
        raise UnreachableError(f"{self.place} cannot be reached ({'; '.join(errors)})")

    def _put_last(self, address: Address) -> None:
        """Ask other nodes first from now on."""
        with self._lock:  # a new list: others may be going through the old one
            self._addresses = sorted(self._addresses, key=lambda other: other is address)
