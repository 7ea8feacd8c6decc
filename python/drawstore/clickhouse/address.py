"""Where a server is: what a URL says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote, urlsplit

__all__ = ["Address", "is_url", "parse_url"]

_SCHEMES = ("clickhouse://", "chdb://")

_PORT, _TLS_PORT = 8123, 8443
_HOST = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d+))?")
_OPTIONS = {"secure", "ca"}


@dataclass(frozen=True)
class Address:
    """How a server is reached over HTTP.

    Attributes
    ----------
    host : str
    port : int
    user, password : str
    database : str
    secure : bool
        Over TLS; the server's certificate is verified.
    ca : str or None
        File of certificates that are trusted instead of those of the system.
    others : tuple of (str, int)
        Host and port of further nodes of a cluster.
    """

    host: str
    port: int
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "default"
    secure: bool = False
    ca: str | None = None
    others: tuple[tuple[str, int], ...] = ()

    @property
    def place(self) -> str:
        """The address in messages, and of what is kept there; without user and password."""
        return f"clickhouse://{self.authority}/{quote(self.database, safe='')}"

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def node(self, host: str, port: int) -> Address:
        """Give the address of another node of the cluster."""
        return replace(self, host=host, port=port, others=())


def is_url(where: str) -> bool:
    """Whether something is the URL of an engine of ClickHouse, rather than a path."""
    return where.startswith(_SCHEMES)


def parse_url(url: str) -> Address:
    """Read ``clickhouse://user:password@host:8123/database``.

    Parameters
    ----------
    url : str
        Reserved characters in user, password and database are percent-encoded. Several nodes of a
        cluster are separated by commas, as in ``clickhouse://one:8123,two:8123/draws``. Behind a
        "?" may stand ``secure=true``, for TLS, and ``ca=<file>``.

    Raises
    ------
    ValueError
        Where it is something else; the message does not show the password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # which shows the password
        raise _malformed(url) from None
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    database = parts.path[1:]
    if parts.scheme != "clickhouse" or set(options) - _OPTIONS or parts.fragment or "/" in database:
        raise _malformed(url)
    secure = options.get("secure", "").lower() in ("1", "true", "yes")
    nodes = []
    for text in hosts.split(","):
        found = _HOST.fullmatch(text)
        port = int(found["port"] or (_TLS_PORT if secure else _PORT)) if found else 0
        if found is None or not 0 < port < 2**16:
            raise _malformed(url)
        nodes.append((found["host"].strip("[]"), port))
    return Address(
        *nodes[0],
        user=unquote(user) or "default",
        password=unquote(password),
        database=unquote(database) or "default",
        secure=secure,
        ca=options.get("ca"),
        others=tuple(nodes[1:]),
    )


def _malformed(url: str) -> ValueError:
    # What is before the last "@" may be a password that is not percent-encoded.
    _, has_login, rest = url.rpartition("@")
    shown = f"clickhouse://...@{rest}" if has_login else url
    return ValueError(
        f"{shown!r} is not the address of a server; it is written as "
        "clickhouse://user:password@host:8123/database, with ?secure=true for TLS, and ?ca=<file> "
        "for certificates of your own; reserved characters are percent-encoded"
    )
