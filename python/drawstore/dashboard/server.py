"""The server of the dashboard."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
import threading
from types import TracebackType
from urllib.parse import quote

import tornado.httpserver
import tornado.web

from .access import Access, is_loopback
from .app import App
from .handlers import routes

__all__ = ["PORT", "Server"]

PORT = 8778
_NEXT = 50  # ports that are tried


class Server:
    """Serves the pages.

    Parameters
    ----------
    where : path-like
        A directory of runs, an HDF5 file, a directory with such places, or the URL of a database;
        there may be nothing yet.
    port : int, optional
        By default 8778, or the next one that is free; 0 for any.
    address : str
        To listen at; any but this machine's own needs a token.
    token : str, optional
        What a browser has to know; "" makes one. By default one is made where it is needed.

    Raises
    ------
    OSError
        Where the port is taken, or the address is not that of this machine.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        *,
        port: int | None = None,
        address: str = "127.0.0.1",
        token: str | None = None,
    ) -> None:
        if token == "" or (token is None and not is_loopback(address)):
            token = secrets.token_urlsafe(24)
        self.token = token
        self._app = App(os.fspath(where))
        try:
            self._socket = _listen(address, port)
        except OSError:
            self._app.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._address = address
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._runs = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page of runs is, with the token."""
        name = self._address
        if name in ("", "0.0.0.0", "::"):
            name = socket.getfqdn()
        name = f"[{name}]" if ":" in name else name
        query = "" if self.token is None else f"?token={quote(self.token, safe='')}"
        return f"http://{name}:{self.port}/{query}"

    def run(self) -> None:
        """Serve until `stop` is called, or Ctrl-C is pressed."""
        try:
            asyncio.run(self._serve())
        finally:
            self._app.close()
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="drawstore serve", daemon=True)
        self._thread.start()
        self._runs.wait()

    def stop(self) -> None:
        """Stop serving; any thread may call it."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._runs.set()
        access = Access(self._address, self.token)
        application = tornado.web.Application(
            routes(self._app, access),
            log_function=lambda handler: None,
            port=self.port,
        )
        server = tornado.httpserver.HTTPServer(
            application, idle_connection_timeout=120, max_body_size=2**16, max_header_size=2**16
        )
        server.add_socket(self._socket)
        await self._stop.wait()
        server.stop()
        await server.close_all_connections()


def _listen(address: str, port: int | None) -> socket.socket:
    ports = range(PORT, PORT + _NEXT) if port is None else [port]
    for at in ports:
        try:
            family, _, _, _, where = socket.getaddrinfo(address, at, type=socket.SOCK_STREAM)[0]
            listening = socket.create_server(where[:2], family=family, backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or at == ports[-1]:
                raise OSError(
                    error.errno,
                    f"cannot listen at {address}, port {at}: {os.strerror(error.errno or 0)}",
                ) from error
        else:
            listening.setblocking(False)
            return listening
    raise AssertionError("there is a last port")
