"""A connection that is waited for in slices, between which it is asked whether to go on."""

from __future__ import annotations

import errno
import io
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import CancelledError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Channel", "TooMuchError"]

_T = TypeVar("_T")

_CONNECT_SECONDS = 10.0
_SLICE_SECONDS = 0.05
_PIECE = 2**18
_SENT = 2**23  # of which a socket takes what it has room for: fewer waits for the interpreter
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}
# A select() takes no file descriptor beyond 1023, which a process may have.
_Selector: Any = getattr(selectors, "PollSelector", selectors.SelectSelector)


class TooMuchError(OSError):
    """More arrived than was asked for."""


class Channel:
    """A connection to a server; one thread uses it at a time.

    `http.client.HTTPResponse` takes it for a socket.

    Parameters
    ----------
    timeout : float
        Seconds without any progress, after which nothing is waited for any more.
    cancelled : callable or None
        Asked while something is waited for; where it says True, that ends in `CancelledError`.
    """

    def __init__(self, timeout: float, cancelled: Callable[[], bool] | None) -> None:
        self.timeout = timeout
        self.cancelled = cancelled
        self.room = 0  # bytes that may arrive yet
        self._early = b""  # what arrived while something was sent
        self._has_ended = False
        self._sock: socket.socket = None  # type: ignore[assignment]

    def connect(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Connect to a server, under one of its addresses."""
        trouble: OSError | None = None
        for family, kind, protocol, _, where in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            try:
                self._sock = socket.socket(family, kind, protocol)
                self._connect(where, host, tls)
                return
            except OSError as error:
                self.close()
                if isinstance(error, CancelledError):
                    raise
                trouble = trouble or error
        raise trouble or OSError("it has no address")

    def _connect(self, where: Any, host: str, tls: ssl.SSLContext | None) -> None:
        seconds = min(self.timeout, _CONNECT_SECONDS)
        self._sock.setblocking(False)
        if (code := self._sock.connect_ex(where)) in _UNDER_WAY:
            self._wait(time.monotonic() + seconds, seconds, to_write=True)
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            encrypted = tls.wrap_socket(
                self._sock, server_hostname=host, do_handshake_on_connect=False
            )
            self._sock = encrypted
            self._when_possible(encrypted.do_handshake, seconds, to_write=False)

    def close(self) -> None:
        """Close it."""
        if self._sock is not None:
            self._sock.close()

    def __del__(self) -> None:
        self.close()  # nobody closes a backend that is read

    def is_quiet(self) -> bool:
        """Whether the server has neither ended it nor sent anything that was not asked for."""
        return not self._has_arrived()

    def send(self, data: Buffer) -> bool:
        """Send something; False where the server answers before it has all."""
        body = memoryview(data).cast("B")
        most = _PIECE if isinstance(self._sock, ssl.SSLSocket) else _SENT
        done = 0
        while done < len(body):
            piece = body[done : done + most]
            try:
                done += self._when_possible(lambda: self._sock.send(piece), self.timeout, True)  # noqa: B023
            except (ConnectionError, ssl.SSLError):
                if self._has_arrived():  # the server has said why it does not want the rest
                    return False
                raise
            if done < len(body) and self._has_arrived():
                return False
        return True

    def makefile(self, mode: str) -> io.BufferedReader:
        """Give what arrives as a file."""
        return io.BufferedReader(_Arriving(self), _PIECE)

    def receive_into(self, buffer: memoryview) -> int:
        """Wait for bytes; 0 where the server has ended the connection."""
        if self._early:
            n = min(len(buffer), len(self._early))
            buffer[:n], self._early = self._early[:n], self._early[n:]
        elif self._has_ended:
            return 0
        else:
            n = self._when_possible(lambda: self._sock.recv_into(buffer), self.timeout, False)
        self.room -= n
        if self.room < 0:
            raise TooMuchError("more arrived than was asked for")
        return n

    def _has_arrived(self) -> bool:
        # Not whether there are bytes on the socket: those of TLS may be none of the answer's.
        if not self._early and not self._has_ended:
            try:
                self._early = self._sock.recv(_PIECE)
                self._has_ended = not self._early
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            except OSError:
                self._has_ended = True
        return True

    def _when_possible(self, act: Callable[[], _T], seconds: float, to_write: bool) -> _T:
        end = time.monotonic() + seconds
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                self._wait(end, seconds, to_write=False)
            except ssl.SSLWantWriteError:
                self._wait(end, seconds, to_write=True)
            except BlockingIOError:
                self._wait(end, seconds, to_write)

    def _wait(self, end: float, seconds: float, to_write: bool) -> None:
        with _Selector() as selector:
            selector.register(
                self._sock, selectors.EVENT_WRITE if to_write else selectors.EVENT_READ
            )
            while not selector.select(_SLICE_SECONDS):
                if self.cancelled is not None and self.cancelled():
                    raise CancelledError("the wait for an answer was ended")
                if time.monotonic() > end:
                    raise TimeoutError(f"no answer for {seconds:g} s")


class _Arriving(io.RawIOBase):
    """What arrives on a connection, which it leaves open."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        return self._channel.receive_into(memoryview(buffer).cast("B"))
