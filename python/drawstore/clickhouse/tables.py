"""The tables that drawstore keeps in a database, on one server or on all nodes of a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from .errors import UNKNOWN_DATABASE, ClickHouseError, UnreachableError
from .server import Node, Server
from .sql import literal, quoted, unpack_rows

__all__ = ["CHAINS", "GROUPS", "RUNS", "Tables"]

RUNS, CHAINS, GROUPS = "drawstore_runs", "drawstore_chains", "drawstore_groups"

Columns = Sequence[tuple[str, str]]

_OWN: dict[str, tuple[Columns, str, str, str]] = {
    # Columns; what a later row replaces, and by the larger of which; what decides on the node.
    RUNS: (
        [
            ("rid", "String"),
            ("id", "String"),
            ("created_at", "Int64"),
            ("table", "String"),
            ("message", "String"),
            ("deleted", "UInt8"),
        ],
        "(rid, id)",
        "deleted",
        "sipHash64(rid)",
    ),
    CHAINS: (
        [("id", "String"), ("chain", "UInt32"), ("writer", "String"), ("who", "String")],
        "(id, chain, writer)",
        "",
        "sipHash64(id, chain)",
    ),
    GROUPS: (
        [("id", "String"), ("name", "String"), ("saved_at", "Int64"), ("data", "String")],
        "(id, name)",
        "saved_at",
        "sipHash64(id)",
    ),
}
_DISTRIBUTED = re.compile(r"Distributed\(\s*['`]?([^,'`]+)['`]?\s*,")
_LOCAL = "_local"

# What is asked of those servers that know it. They need not look for draws that are twice in one
# block: that takes as long as all else that they do with it.
_INSERT_SETTINGS = {
    "async_insert": "0",
    "insert_distributed_sync": "1",
    "optimize_on_insert": "0",
}
_TABLE_SETTINGS = {
    "fsync_after_insert": "1",
    "fsync_part_directory": "1",
    "non_replicated_deduplication_window": "1000",
}


class Tables:
    """The tables of a database.

    Parameters
    ----------
    server : Server
    cluster : str, optional
        Over whose nodes tables are distributed; by default that of those there are.
    """

    def __init__(self, server: Server, cluster: str | None) -> None:
        self.server = server
        self._wanted = cluster
        self._is_prepared = False

    def rows(self, types: Sequence[str], sql: str, **options: Any) -> list[tuple[Any, ...]]:
        """Give the rows of an answer.

        Raises
        ------
        ClickHouseError
            Where there is none, or it is something else.
        """
        return self._rows(types, sql, self.read_settings, **options)

    def row(self, types: Sequence[str], sql: str, **options: Any) -> tuple[Any, ...]:
        """Give the only row of an answer."""
        found = self.rows(types, sql, **options)
        if len(found) != 1:
            raise UnreachableError(f"{self.server.place} answers {len(found)} rows, and not one")
        return found[0]

    def _rows(
        self, types: Sequence[str], sql: str, settings: dict[str, str] | None = None, **options: Any
    ) -> list[tuple[Any, ...]]:
        data = self.server.query(f"{sql} FORMAT RowBinary", settings, **options)
        try:
            return unpack_rows(types, data)
        except ValueError as error:
            raise UnreachableError(f"{self.server.place}: {error}") from error

    # What the server knows.

    @cached_property
    def _known(self) -> frozenset[str]:
        """Names of settings of queries and tables; those of tables begin with a dot."""
        sql = (
            "SELECT name FROM system.settings UNION ALL "
            "SELECT concat('.', name) FROM system.merge_tree_settings"
        )
        found = self._rows(["String"], sql, in_database=False)
        return frozenset(name.decode(errors="replace") for (name,) in found)

    @cached_property
    def read_settings(self) -> dict[str, str]:
        """Settings of a query that reads: where a node is missing, that is an error."""
        sql = "SELECT value FROM system.settings WHERE name = 'skip_unavailable_shards'"
        found = self._rows(["String"], sql, in_database=False)
        return {} if found in ([], [(b"0",)]) else {"skip_unavailable_shards": "0"}

    def insert_settings(self, token: str = "") -> dict[str, str]:
        """Settings of an INSERT; of two with one token the second is not done."""
        settings = {name: v for name, v in _INSERT_SETTINGS.items() if name in self._known}
        if token and "insert_deduplication_token" in self._known:
            # A value of a query's settings is text where it is quoted.
            settings["insert_deduplication_token"] = token
        return settings

    @cached_property
    def cluster(self) -> str | None:
        """The cluster over which the tables are distributed."""
        engine = self._engine_of_runs()
        if not engine:
            return self._wanted
        found = _DISTRIBUTED.match(engine)
        there = found[1] if found else None
        if self._wanted not in (None, there):
            raise ValueError(
                f"{self.server.place} has runs "
                + (f"on cluster {there!r}" if there else "on one server")
                + f" already, not on cluster {self._wanted!r}; choose another database"
            )
        return there

    def exist(self) -> bool:
        """Whether any run was begun here."""
        return self.server.is_there() and bool(self._engine_of_runs())

    def _engine_of_runs(self) -> str:
        sql = (
            "SELECT engine_full FROM system.tables WHERE database = "
            f"{literal(self.server.database)} AND name = {literal(RUNS)}"
        )
        found = self._rows(["String"], sql, in_database=False)
        return found[0][0].decode(errors="replace") if found else ""

    # Making and dropping.

    @cached_property
    def _nodes(self) -> list[Server]:
        if self.cluster is None:
            return [self.server]
        sql = (
            "SELECT host_name, toUInt32(port), toUInt8(is_local) FROM system.clusters "
            f"WHERE cluster = {literal(self.cluster)}"
        )
        types = ["String", "UInt32", "UInt8"]
        found = self._rows(types, sql, in_database=False)
        if not found:
            raise ValueError(
                f"{self.server.place} knows no cluster {self.cluster!r}; the servers' "
                "configuration names clusters, under remote_servers"
            )
        return self.server.nodes(
            [Node(name.decode(), port, bool(own)) for name, port, own in found]
        )

    def prepare(self) -> None:
        """Make the tables that all runs share."""
        if self._is_prepared:
            return
        for name, (columns, order, version, sharding) in _OWN.items():
            engine = f"ReplacingMergeTree({version}) ORDER BY {order}"
            self.create(name, columns, engine, sharding)
        self._is_prepared = True

    def create(self, name: str, columns: Columns, engine: str, sharding: str) -> None:
        """Make a table where there is none, on all nodes.

        Parameters
        ----------
        name : str
        columns : sequence of (str, str)
            Name and type of each.
        engine : str
            Engine and order.
        sharding : str
            The expression by which rows go to one node or another.
        """
        typed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
        known = {k: v for k, v in _TABLE_SETTINGS.items() if f".{k}" in self._known}
        if known:
            joint = ", " if " SETTINGS " in engine else " SETTINGS "
            engine += joint + ", ".join(f"{k} = {v}" for k, v in known.items())
        local = name if self.cluster is None else name + _LOCAL
        for node in self._nodes:
            self._execute(
                node, f"CREATE TABLE IF NOT EXISTS {quoted(local)} ({typed}) ENGINE = {engine}"
            )
        if self.cluster is None:
            return
        database = self.server.database
        joined = f"{quoted(self.cluster)}, {quoted(database)}, {quoted(local)}, {sharding}"
        for node in self._nodes:
            self._execute(
                node,
                f"CREATE TABLE IF NOT EXISTS {quoted(name)} ({typed}) "
                f"ENGINE = Distributed({joined})",
            )

    def drop(self, name: str) -> None:
        """Drop a table, on all nodes."""
        names = [name] if self.cluster is None else [name, name + _LOCAL]
        for node in self._nodes:
            for each in names:
                node.query(f"DROP TABLE IF EXISTS {quoted(each)}")

    def size_of(self, name: str) -> int:
        """Count the bytes of a table on disk."""
        parts = "system.parts"
        if self.cluster is not None:
            parts = f"cluster({literal(self.cluster)}, system, parts)"
            name += _LOCAL
        (size,) = self.row(
            ["UInt64"],
            f"SELECT toUInt64(sum(bytes_on_disk)) FROM {parts} WHERE active AND "
            f"database = {literal(self.server.database)} AND table = {literal(name)}",
        )
        return int(size)

    def _execute(self, node: Server, sql: str) -> None:
        try:
            node.query(sql)
        except ClickHouseError as error:
            if error.code != UNKNOWN_DATABASE:
                raise
            database = quoted(self.server.database)
            node.query(f"CREATE DATABASE IF NOT EXISTS {database}", in_database=False)
            node.query(sql)
