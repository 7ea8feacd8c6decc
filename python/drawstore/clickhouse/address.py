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
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"clickhouse://{host}:{self.port}/{quote(self.database, safe='')}"

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
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme != "clickhouse" or set(options) - _OPTIONS or parts.fragment:
        raise _malformed(hosts, parts.path, parts.query)
    secure = options.get("secure", "").lower() in ("1", "true", "yes")
    nodes = []
    for text in hosts.split(","):
        found = _HOST.fullmatch(text)
        if found is None:
            raise _malformed(hosts, parts.path, parts.query)
        port = int(found["port"] or (_TLS_PORT if secure else _PORT))
        nodes.append((found["host"].strip("[]"), port))
    database = unquote(parts.path[1:])
    if "/" in parts.path[1:]:
        raise _malformed(hosts, parts.path, parts.query)
    return Address(
        *nodes[0],
        user=unquote(user) or "default",
        password=unquote(password),
        database=database or "default",
        secure=secure,
        ca=options.get("ca"),
        others=tuple(nodes[1:]),
    )


def _malformed(hosts: str, path: str, query: str) -> ValueError:
    rest = f"?{query}" if query else ""
    return ValueError(
        f"'clickhouse://...@{hosts}{path}{rest}' is not the address of a server; it is written as "
        "clickhouse://user:password@host:8123/database, with ?secure=true for TLS, and ?ca=<file> "
        "for certificates of your own; reserved characters are percent-encoded"
    )
