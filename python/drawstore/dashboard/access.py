"""Who may ask the server, and for what."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["HEADERS", "Access", "Refusal", "is_loopback"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "font-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ]
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer; that of files may be kept longer."""


class Refusal(Exception):
    """Why a request is refused.

    Parameters
    ----------
    status : int
        Of HTTP.
    reason : str
        For whoever asked.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Access:
    """What a request has to have.

    The name by which the server is asked has to be its own, so that no other site's name that
    leads here (DNS rebinding) makes a browser ask; the port may be another, that of a tunnel. What
    another site has a browser ask for is refused, but for opening the page of runs.

    Parameters
    ----------
    address : str
        The server listens there.
    token : str or None
        What is to be known; None where nothing is.
    """

    address: str
    token: str | None = None

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Look at where a request comes from.

        Raises
        ------
        Refusal
        """
        host = headers.get("Host", "")
        if not self._is_own(_name(host)):
            raise Refusal(421, f"this server is not called {host!r}")
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Refusal(403, "the request comes from another site")
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            opens = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
            if path != "/" or opens != ("navigate", "document"):
                raise Refusal(403, "the request comes from another site")

    @property
    def pass_(self) -> str:
        """What a browser keeps that knew the token: made from it, of letters that cookies take."""
        return hashlib.sha256(b"drawstore:" + _bytes(self.token or "")).hexdigest()

    def is_token(self, given: str) -> bool:
        """Say whether it is the token, in the same time whatever is wrong with it."""
        return secrets.compare_digest(_bytes(given), _bytes(self.token or ""))

    def is_pass(self, given: str | None) -> bool:
        """Say whether it is the pass, as `is_token` does."""
        return secrets.compare_digest(_bytes(given or ""), _bytes(self.pass_))

    def _is_own(self, name: str) -> bool:
        if is_loopback(self.address):
            return name in _LOOPBACK
        own = {*_LOOPBACK, self.address, socket.gethostname(), socket.getfqdn()}
        return name in {known.lower() for known in own} or _is_number(name)


def is_loopback(address: str) -> bool:
    """Say whether an address is one that only this machine can reach."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _name(host: str) -> str:
    """Give the name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_number(name: str) -> bool:
    """Say whether it is an address in numbers, for which no name was asked."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
