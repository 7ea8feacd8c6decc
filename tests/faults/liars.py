"""Servers that are none: they take connections, and answer anything."""

import contextlib
import socket
import ssl
import subprocess
import threading


class Liar:
    """Answers each request with what ``answer`` gives, piece by piece, until the client has enough.

    Parameters
    ----------
    answer : callable
        Gives pieces of bytes.
    certificate : path, optional
        Of a server that speaks TLS; its key is in the same file.
    """

    def __init__(self, answer, certificate=None):
        self._answer = answer
        self.sent = 0
        self.requests = []
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.02)
        self.port = self._listening.getsockname()[1]
        self._ended = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ended = True
        self._thread.join(10)
        self._listening.close()

    def _accept(self):
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                with contextlib.suppress(OSError), connection:
                    self._serve(connection)

    def _serve(self, connection):
        connection.settimeout(5)
        if self._tls is None:
            self._reply(connection)
            return
        with self._tls.wrap_socket(connection, server_side=True) as encrypted:
            self._reply(encrypted)

    def _reply(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            if not (piece := connection.recv(2**16)):
                return
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            if not (piece := connection.recv(2**16)):
                return
            body += piece
        self.requests.append((head, body))
        for piece in self._answer():
            connection.sendall(piece)
            self.sent += len(piece)


def made_certificate(folder):
    """Make a certificate of this machine that nobody has signed, with its key."""
    path = folder / "server.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    certificate = (folder / "certificate.pem").read_bytes()
    path.write_bytes(certificate + (folder / "key.pem").read_bytes())
    return path, folder / "certificate.pem"
