"""Something between a server and who asks it, that does what networks do at their worst."""

import contextlib
import http.client
import random as randoms
import socket
import struct
import threading
import time

FAULTS = ("cut", "delay", "drop", "half", "refuse", "stall", "late")
_SLICE = 0.02


class Proxy:
    """A proxy on loopback, one thread for each connection.

    Each request meets one of these, at random:

    - none of them;
    - "cut": the server gets a part of the request, then both connections are lost;
    - "delay": the server gets it later;
    - "drop": the server answers, and the answer is lost;
    - "half": a part of the answer is lost;
    - "refuse": the connection is reset at once;
    - "stall": nothing happens until the client hangs up;
    - "late": likewise, and then the server gets the request.
    """

    def __init__(self, port, seed=0):
        self._server = ("127.0.0.1", port)
        self._random = randoms.Random(seed)
        self._faults = ()
        self._rate = 0.0
        self._ended = False
        self.met = []
        self._open = set()
        self._threads = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listening.getsockname()[1]
        self._start(self._accept)

    def misbehave(self, rate=0.5, faults=FAULTS):
        self._faults, self._rate = tuple(faults), rate

    def heal(self):
        """Behave from now on; what hangs is let go."""
        self._faults = ()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._ended = True
        self.heal()
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        self._listening.settimeout(_SLICE)
        while not self._ended:
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._listening.accept()
                connection.settimeout(30)
                self._start(self._serve, connection)

    def _serve(self, connection):
        self._open.add(connection)
        with connection, contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while request := _request(connection):
                fault = "none"
                if self._faults and self._random.random() < self._rate:
                    fault = self._random.choice(self._faults)
                self.met.append(fault)
                if not self._answer(connection, request, fault):
                    break
        self._open.discard(connection)

    def _answer(self, connection, request, fault):
        """Do what is to be done with a request; False where the connection is over then."""
        if fault == "refuse":
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            return False
        if fault in ("stall", "late"):
            _wait_for_the_end(connection)
            if fault == "late" and not self._ended:
                self._ask(request)
            return False
        if fault == "delay":
            time.sleep(self._random.uniform(0, 0.1))
        if fault == "cut":
            with socket.create_connection(self._server, 10) as server:
                server.sendall(request[: self._random.randrange(len(request))])
            return False
        answer = self._ask(request)
        if fault == "drop":
            return False
        if fault == "half":
            connection.sendall(answer[: self._random.randrange(len(answer))])
            return False
        connection.sendall(answer)
        return True

    def _ask(self, request):
        """Have the server answer, and tell the answer anew: in pieces, or with its length."""
        with socket.create_connection(self._server, 10) as server:
            server.settimeout(30)
            server.sendall(request)
            answer = http.client.HTTPResponse(server, method="POST")
            answer.begin()
            body = answer.read()
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        if self._random.random() < 0.5:
            return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        at = self._random.randrange(len(body) + 1)
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:at], body[at:]) if p)
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + pieces + b"0\r\n\r\n"


def _request(connection):
    """Read a whole request; nothing where the client hangs up."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(2**16)):
            return b""
        data += piece
    head, _, _ = bytes(data).partition(b"\r\n\r\n")
    (length,) = (
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(data) < len(head) + 4 + length:
        if not (piece := connection.recv(2**16)):
            return b""
        data += piece
    return bytes(data)


def _wait_for_the_end(connection):
    with contextlib.suppress(OSError):
        while connection.recv(2**16):
            pass
