"""What a database knows of runs, beside their draws."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import DecodeError

from drawstore._core import ClickHouseTable
from drawstore.backends.core import core_meta
from drawstore.meta import RunMeta
from drawstore.origin import signature

from .draws import row_bytes
from .errors import UNKNOWN_DATABASE, UNKNOWN_TABLE, ClickHouseError, UnreachableError
from .sql import literal, pack_rows, quoted
from .tables import CHAINS, GROUPS, RUNS, Tables

__all__ = ["Record", "Runs"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GRANULE_BYTES = 4 * 2**20  # that are read at least, for a single row
_MOST_GRANULE_ROWS, _LEAST_GRANULE_ROWS = 8192, 16
_MOST_MESSAGE = 2**31


@dataclass(frozen=True)
class Record:
    """A run as the database lists it.

    Attributes
    ----------
    rid : str
    id : str
        32 hexadecimal digits, of this run and no other that has or had its rid.
    created_at : datetime
    table : str
        Where its draws are.
    """

    rid: str
    id: str
    created_at: datetime
    table: str

    @property
    def journal_id(self) -> bytes:
        """By which a journal knows the run."""
        return bytes.fromhex(self.id)


class Runs:
    """The runs in a database.

    Parameters
    ----------
    tables : Tables
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @property
    def place(self) -> str:
        """Where they are."""
        return self.tables.server.place

    def all(self, rid: str | None = None) -> list[Record]:
        """List runs, the oldest first: those of one id, or all."""
        only = "" if rid is None else f"rid = {literal(rid)} AND "
        found = self._rows(
            ["String", "String", "Int64", "String"],
            f"SELECT rid, id, created_at, {quoted('table')} FROM {RUNS} FINAL "
            f"WHERE {only}deleted = 0 ORDER BY created_at, id",
        )
        try:
            return [
                Record(rid.decode(), id_.decode(), _EPOCH + made * _MICROSECOND, table.decode())
                for rid, id_, made, table in found
            ]
        except (ValueError, OverflowError) as error:
            raise UnreachableError(f"{self.place} lists something else than runs") from error

    def find(self, rid: str) -> Record:
        """Find a run.

        Raises
        ------
        KeyError
            Where there is none of that id.
        """
        if found := self.all(rid):
            return found[0]
        there = ", ".join(repr(record.rid) for record in self.all()) or "none"
        raise KeyError(f"there is no run {rid!r} in {self.place}; there are: {there}")

    def meta_of(self, record: Record) -> RunMeta:
        """Read what a run is made of."""
        found = self._rows(
            ["String"],
            f"SELECT message FROM {RUNS} FINAL WHERE rid = {literal(record.rid)} "
            f"AND id = {literal(record.id)} AND deleted = 0",
            most_bytes=_MOST_MESSAGE,
        )
        if not found:
            raise KeyError(f"the run {record.rid!r} in {self.place} was deleted a moment ago")
        try:
            return RunMeta.FromString(found[0][0])
        except DecodeError as error:
            raise ClickHouseError(
                f"{self.place}, run {record.rid!r}: what it is made of cannot be read: {error}"
            ) from error

    def add(self, meta: RunMeta) -> Record:
        """Begin a run.

        Raises
        ------
        ValueError
            Where there is one of its id, or another process begins one now.
        """
        table = ClickHouseTable(core_meta(meta))  # raises what is wrong with the variables
        self.tables.prepare()
        self._check_is_new(meta.rid)
        id_ = os.urandom(16).hex()
        record = Record(meta.rid, id_, datetime.now(UTC), _table_name(meta.rid, id_))
        bytes_a_row = max(1, row_bytes(meta) or 0)
        rows = max(_LEAST_GRANULE_ROWS, min(_MOST_GRANULE_ROWS, _GRANULE_BYTES // bytes_a_row))
        self.tables.create(
            record.table,
            table.columns,
            f"ReplacingMergeTree ORDER BY (chain, draw) SETTINGS index_granularity = {rows}",
            f"sipHash64({literal(meta.rid)}, chain)",
        )
        self._put(record, meta.SerializeToString(), deleted=False)
        if [other.id for other in self.all(meta.rid)] != [id_]:  # two at once: both see it
            self.remove(record)
            raise ValueError(
                f"another process begins a run {meta.rid!r} in {self.place} at this moment; "
                "let one begin it, and the others get_run() it"
            )
        return record

    def _check_is_new(self, rid: str) -> None:
        if self.all(rid):
            raise ValueError(
                f"there is a run {rid!r} in {self.place} already; choose another id, or none"
            )

    def remove(self, record: Record) -> None:
        """Delete a run, and its draws."""
        self._put(record, b"", deleted=True)
        self.tables.drop(record.table)

    def replace(self, rid: str, by: Record) -> None:
        """Give a run the id of another, which is deleted; on one server all of that at once."""
        old, meta = self.all(rid), self.meta_of(by)
        meta.rid = rid
        renamed = Record(rid, by.id, by.created_at, by.table)
        gone = [(record, b"", True) for record in (by, *old)]
        self._put_all([(renamed, meta.SerializeToString(), False), *gone])
        for record in old:
            self.tables.drop(record.table)

    def _put(self, record: Record, message: bytes, deleted: bool) -> None:
        self._put_all([(record, message, deleted)])

    def _put_all(self, records: Sequence[tuple[Record, bytes, bool]]) -> None:
        rows = []
        for record, message, deleted in records:
            made = (record.created_at - _EPOCH) // _MICROSECOND
            rows.append((record.rid, record.id, made, record.table, message, int(deleted)))
        types = ["String", "String", "Int64", "String", "String", "UInt8"]
        columns = ["rid", "id", "created_at", "table", "message", "deleted"]
        self._insert(RUNS, columns, types, *rows)

    # Chains, with draws or without.

    def chains(self, record: Record) -> dict[int, int]:
        """Give the draws of each chain, by number."""
        begun = self._rows(
            ["UInt32"], f"SELECT DISTINCT chain FROM {CHAINS} WHERE id = {literal(record.id)}"
        )
        lengths = self.tables.rows(
            ["UInt32", "UInt64"],
            f"SELECT chain, max(draw) + 1 FROM {quoted(record.table)} GROUP BY chain",
        )
        found = dict.fromkeys((number for (number,) in begun), 0) | dict(lengths)
        return dict(sorted(found.items()))

    def begin_chain(self, record: Record, number: int) -> list[str]:
        """Say that a process writes a chain; gives those who said so before."""
        before = self.writers(record, number)
        row = (record.id, number, os.urandom(8).hex(), signature())
        types = ["String", "UInt32", "String", "String"]
        self._insert(CHAINS, ["id", "chain", "writer", "who"], types, row)
        return before

    def writers(self, record: Record, number: int) -> list[str]:
        """Give the processes that have begun a chain or gone on with it."""
        found = self._rows(
            ["String"],
            f"SELECT who FROM {CHAINS} WHERE id = {literal(record.id)} AND chain = {number:d}",
        )
        return [who.decode() for (who,) in found]

    # What came after sampling.

    def save_group(self, record: Record, name: str, data: bytes) -> None:
        """Keep a group in place of one of that name."""
        now = (datetime.now(UTC) - _EPOCH) // _MICROSECOND
        types = ["String", "String", "Int64", "String"]
        self._insert(
            GROUPS, ["id", "name", "saved_at", "data"], types, (record.id, name, now, data)
        )

    def groups(self, record: Record) -> dict[str, bytes]:
        """Give the groups that were kept."""
        found = self._rows(
            ["String", "String"],
            f"SELECT name, data FROM {GROUPS} FINAL WHERE id = {literal(record.id)} ORDER BY name",
            most_bytes=_MOST_MESSAGE,
        )
        return {name.decode(): data for name, data in found}

    # How it is done.

    def _rows(self, types: Sequence[str], sql: str, **options: Any) -> list[tuple[Any, ...]]:
        """Give rows of the tables that all runs share; none where these are not there yet."""
        try:
            return self.tables.rows(types, sql, **options)
        except ClickHouseError as error:
            if error.code not in (UNKNOWN_DATABASE, UNKNOWN_TABLE):
                raise
            return []

    def _insert(
        self, table: str, columns: Sequence[str], types: Sequence[str], *rows: Sequence[Any]
    ) -> None:
        data = pack_rows(types, rows)
        settings = self.tables.insert_settings()
        self.tables.server.insert(table, columns, "RowBinary", data, settings)


def _table_name(rid: str, id_: str) -> str:
    """Name the table of a run: readable, and of no other run."""
    slug = re.sub(r"[^A-Za-z0-9_]+", "_", rid)[:60]
    return f"draws_{slug}_{id_[:12]}"
