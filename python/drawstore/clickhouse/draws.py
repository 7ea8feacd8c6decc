"""The table of a run: how many draws a chain has there, and how they get there and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore._core import ClickHouseTable
from drawstore.backends.core import core_meta
from drawstore.delivery.reading import Rows, joined, masked, missing_rows
from drawstore.dtypes import parse_dtype

from .errors import ClickHouseError
from .sql import quoted
from .tables import Tables

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from drawstore.meta import RunMeta, Variable

__all__ = ["DrawsTable", "row_bytes"]

_PIECE_BYTES = 128 * 2**20  # of one answer, about
_FIRST_ROWS = 10_000  # where nobody knows how large they are
_MOST_BYTES = 2**31  # of an answer, where nobody knows


class DrawsTable:
    """The table of a run.

    Any thread may use it.

    Parameters
    ----------
    tables : Tables
    name : str
        Of the table.
    meta : RunMeta
    """

    def __init__(self, tables: Tables, name: str, meta: RunMeta) -> None:
        self.tables = tables
        self.name = name
        self.meta = meta
        self.layout = ClickHouseTable(core_meta(meta))

    # How many.

    def count(self, number: int, known: int = 0) -> int:
        """Count the draws of a chain.

        Parameters
        ----------
        number : int
            Of the chain.
        known : int
            Draws that are there without a doubt.

        Raises
        ------
        OSError
            Where some in the middle are not there.
        """
        n, first, last = self._range(number, known, "count()")
        if n and n != last + 1 - first:  # some twice, or not at all
            n, first, last = self._range(number, known, "uniqExact(draw)")
        if n and (first != known or n != last + 1 - first):
            raise ClickHouseError(
                f"{self._chain(number)} is damaged: of the draws {known} to {last}, "
                f"{last + 1 - known - n} are missing on the server"
            )
        return known + n

    def rows(self) -> int:
        """Count the rows of all chains; where a block came twice, its rows count twice."""
        (n,) = self.tables.row(["UInt64"], f"SELECT count() FROM {quoted(self.name)}")
        return int(n)

    def state(
        self, number: int, start: int, cancelled: Callable[[], bool] | None = None
    ) -> tuple[bool, int]:
        """Tell whether a chain has draw ``start - 1``, and how many it has from ``start`` on."""
        before = max(0, start - 1)
        n, first, _ = self._range(number, before, "uniqExact(draw)", cancelled)
        if start == 0:
            return True, n
        has_last = n > 0 and first == before
        return has_last, n - has_last

    def _range(
        self, number: int, first: int, count: str, cancelled: Callable[[], bool] | None = None
    ) -> tuple[int, int, int]:
        n, least, largest = self.tables.row(
            ["UInt64"] * 3,
            f"SELECT {count}, min(draw), max(draw) FROM {quoted(self.name)} "
            f"WHERE chain = {number:d} AND draw >= {first:d}",
            cancelled=cancelled,
        )
        return n, least, largest

    def _chain(self, number: int) -> str:
        return f"{self.tables.server.place}, run {self.meta.rid!r}, chain {number}"

    # There.

    def insert(
        self, block: Buffer, token: str, cancelled: Callable[[], bool] | None = None
    ) -> None:
        """Insert a block of rows.

        Parameters
        ----------
        block : bytes-like
            As `layout` makes it.
        token : str
            By which the server knows it again.
        cancelled : callable, optional
            As for `Server.insert`.

        Raises
        ------
        UnreachableError
            Where it is not known whether they were inserted.
        ClickHouseError
            Where the server refuses them.
        """
        settings = self.tables.insert_settings(token)
        self.tables.server.insert(self.name, None, "Native", block, settings, cancelled)

    # And back.

    def read(self, number: int, kind: str, names: Sequence[str], rows: range) -> dict[str, Rows]:
        """Read rows of a chain.

        Parameters
        ----------
        number : int
            Of the chain.
        kind : {"variables", "stats"}
        names : sequence of str
        rows : range
            With a positive step.

        Raises
        ------
        OSError
            Where the server does not have, or give, all of them.
        """
        fixed = _bytes_of(self._variables(kind, names))
        bytes_a_row = fixed or _PIECE_BYTES // _FIRST_ROWS
        parts: list[dict[str, Rows]] = []
        done = 0
        while done < len(rows) or not parts:
            piece = rows[done : done + max(1, _PIECE_BYTES // max(16, bytes_a_row))]
            most = _MOST_BYTES if fixed is None else 2**22 + 2 * len(piece) * (fixed + 64)
            part, size = self._read(number, kind, names, piece, most)
            parts.append(part)
            done += len(piece)
            bytes_a_row = max(1, size // max(1, len(piece)))
        return {name: joined([part[name] for part in parts]) for name in names}

    def read_masked(
        self, number: int, kind: str, names: Sequence[str], rows: range
    ) -> dict[str, NDArray[Any]]:
        """Read rows as `Chain.extend` takes them."""
        found = self.read(number, kind, names, rows) if names else {}
        return {name: masked(values, missing) for name, (values, missing) in found.items()}

    def _read(
        self, number: int, kind: str, names: Sequence[str], rows: range, most_bytes: int
    ) -> tuple[dict[str, Rows], int]:
        wanted = np.arange(rows.start, rows.stop, rows.step, dtype=np.uint64)
        for final in ("", "FINAL"):  # that costs, and is needed only where rows are there twice
            size, numbers, values = self._answer(number, kind, names, rows, final, most_bytes)
            order = None if _is_sorted(numbers) else np.argsort(numbers, kind="stable")
            if order is not None:
                numbers = numbers[order]
            if np.array_equal(numbers, wanted):
                return {name: _rows(values[name], order) for name in names}, size
        raise ClickHouseError(
            f"{self._chain(number)}: the server gives {len(numbers)} of {len(wanted)} draws from "
            f"{rows.start} to {rows.stop - 1}"
        )

    def _answer(
        self,
        number: int,
        kind: str,
        names: Sequence[str],
        rows: range,
        final: str,
        most_bytes: int,
    ) -> tuple[int, NDArray[np.uint64], dict[str, NDArray[Any]]]:
        of_kind = (names, ()) if kind == "variables" else ((), names)
        columns = ", ".join(quoted(name) for name, _ in self.layout.columns_of(*of_kind))
        step = f" AND (draw - {rows.start:d}) % {rows.step:d} = 0" if rows.step > 1 else ""
        answer = self.tables.server.query(
            f"SELECT {columns} FROM {quoted(self.name)} {final} WHERE chain = {number:d} "
            f"AND draw >= {rows.start:d} AND draw < {rows.stop:d}{step} FORMAT Native",
            self.tables.read_settings,
            most_bytes=most_bytes,
        )
        try:
            numbers, draws, stats = self.layout.decode(answer, *of_kind)
        except ValueError as error:
            raise ClickHouseError(f"{self._chain(number)}: {_said(answer) or error}") from error
        return len(answer), numbers, draws if kind == "variables" else stats

    def _variables(self, kind: str, names: Sequence[str]) -> list[Variable]:
        there = self.meta.variables if kind == "variables" else self.meta.sample_stats
        wanted = set(names)
        return [variable for variable in there if variable.name in wanted]


def row_bytes(meta: RunMeta) -> int | None:
    """Count the bytes of a row; None where they differ between rows."""
    return _bytes_of([*meta.variables, *meta.sample_stats])


def _bytes_of(variables: Sequence[Variable]) -> int | None:
    total = 0
    for variable in variables:
        if variable.dtype == "str" or variable.undefined_ndim or any(n < 0 for n in variable.shape):
            return None
        total += parse_dtype(variable.dtype).itemsize * math.prod(variable.shape)
    return total


def _is_sorted(numbers: NDArray[np.uint64]) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())


def _rows(values: NDArray[Any], order: NDArray[np.intp] | None) -> Rows:
    missing = missing_rows(values)
    data: NDArray[Any] = np.ma.getdata(values)
    if order is not None:
        data, missing = data[order], missing[order]
        data.flags.writeable = False
    return data, missing


def _said(answer: bytes) -> str:
    """Find what a server says in the middle of an answer that it had begun."""
    tail = answer[-4000:]
    at = tail.rfind(b"Code: ")
    return tail[at:].decode(errors="replace") if at >= 0 else ""
