"""Moments and quantiles of a run, computed by the server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore.dtypes import parse_dtype
from drawstore.summary import VariableSummary, summarized_dtype
from drawstore.warmup import is_mark

from .draws import DrawsTable
from .errors import ClickHouseError
from .sql import Reader, quoted

if TYPE_CHECKING:
    from drawstore.meta import Variable

__all__ = ["ServerSummary"]

_MOST_VALUES = 4096  # elements of variables in one query, whose length is limited
_FAR = 1e3  # standard deviations
_ROUNDING = 1e-12


class ServerSummary:
    """What the server computes of a run, in one query where it has few enough variables.

    Parameters
    ----------
    draws : DrawsTable
        Of the run.
    levels : sequence of float
        Of the quantiles.
    final : bool
        Whether draws are in the table twice, and have to be counted once.
    """

    def __init__(self, draws: DrawsTable, levels: Sequence[float], final: bool) -> None:
        self._draws = draws
        self._levels = levels
        self._from = f"FROM {quoted(draws.name)}" + (" FINAL" if final else "")
        self._after_warmup = _condition(draws)

    @staticmethod
    def can_tell_warmup(draws: DrawsTable) -> bool:
        """Whether the server can tell which draws are warm-up."""
        marks = [stat for stat in draws.meta.sample_stats if is_mark(stat.name)]
        return all(_is_plain(draws, stat, is_stat=True) for stat in marks)

    def variables(self) -> list[Variable]:
        """Give the variables that the server can summarize."""
        there = [v for v in self._draws.meta.variables if summarized_dtype(v) is not None]
        return [v for v in there if _is_plain(self._draws, v)]

    def run(self) -> tuple[dict[int, int], dict[str, VariableSummary]]:
        """Give how many draws of each chain were counted, and what there is of the variables.

        Raises
        ------
        ClickHouseError
            Where the server refuses, or answers something else.
        """
        try:
            return self._run()
        except ValueError as error:
            raise ClickHouseError(f"{self._draws.tables.server.place}: {error}") from error

    def _run(self) -> tuple[dict[int, int], dict[str, VariableSummary]]:
        chains: dict[int, int] = {}
        found: dict[str, VariableSummary] = {}
        for group in _groups(self.variables()):
            n, origins = self._origins(group)
            if not n:  # old servers do not aggregate nothing
                chains = {}
                found |= {v.name: _nothing(v, self._levels) for v in group}
                continue
            chains, summaries = self._about(group, origins)
            nearer = {name: _nearer(origins[name], one) for name, one in summaries.items()}
            if any((nearer[name] != origins[name]).any() for name in nearer):
                chains, summaries = self._about(group, nearer)
            found |= summaries
        return chains, found

    def _reader(self, columns: str) -> Reader:
        server, settings = self._draws.tables.server, self._draws.tables.read_settings
        sql = f"SELECT {columns} {self._from} {self._after_warmup} FORMAT RowBinary"
        return Reader(server.query(sql, settings))

    def _origins(self, group: Sequence[Variable]) -> tuple[int, dict[str, NDArray[np.float64]]]:
        """Give how many draws there are, and some draw of each variable, to count from there.

        Sums of squares about zero would lose the digits that draws far from it differ in.
        """
        each = (f"any(arrayMap(v -> toFloat64(v), {self._array(v)}))" for v in group)
        answer = self._reader(", ".join(["count()", *each]))
        n = answer.number("UInt64")
        values = {v.name: answer.array("Float64") for v in group}
        return n, {name: np.where(np.isfinite(x), x, 0.0) for name, x in values.items()}

    def _about(
        self, group: Sequence[Variable], origins: dict[str, NDArray[np.float64]]
    ) -> tuple[dict[int, int], dict[str, VariableSummary]]:
        """Ask for a group of variables, counting from origins."""
        answer = self._reader(self._aggregates(group, origins))
        chains = answer.counts()
        return chains, {v.name: self._read(answer, v, origins[v.name]) for v in group}

    def _aggregates(self, group: Sequence[Variable], origins: dict[str, Any]) -> str:
        columns = ["sumMap([chain], [toUInt64(1)])"]
        levels = ", ".join(f"{level!r}" for level in self._levels)
        for variable in group:
            array = self._array(variable)
            origin = ", ".join(f"toFloat64({float(o)!r})" for o in origins[variable.name])
            about = f"arrayMap((v, o) -> toFloat64(v) - o, {array}, [{origin}])"
            columns += [f"avgForEach({about})", f"varSampForEach({about})"]
            columns.append(f"sumForEach(arrayMap(v -> toUInt64(NOT isNaN(toFloat64(v))), {array}))")
            if self._levels:
                columns.append(f"quantilesExactForEach({levels})({array})")
        return ", ".join(columns)

    def _read(self, answer: Reader, variable: Variable, origin: Any) -> VariableSummary:
        dtype = summarized_dtype(variable)
        assert dtype is not None
        shape = tuple(variable.shape)
        mean = answer.array("Float64")
        variance = answer.array("Float64")
        numbers = answer.array("UInt64")
        if self._levels:
            kind = self._column(variable)[1].removeprefix("Array(").removesuffix(")")
            quantiles = answer.arrays(kind).T.astype(dtype)
            quantiles[:, numbers == 0] = np.nan if dtype.kind == "f" else 0
        else:
            quantiles = np.empty((0, len(mean)), dtype)
        with np.errstate(invalid="ignore"):
            sd = np.sqrt(variance)
        return VariableSummary(
            (origin + mean).reshape(shape),
            np.where(np.isfinite(mean) & np.isfinite(sd), sd, np.nan).reshape(shape),
            quantiles.reshape(-1, *shape),
        )

    def _column(self, variable: Variable) -> tuple[str, str]:
        return self._draws.layout.columns_of([variable.name])[1]

    def _array(self, variable: Variable) -> str:
        name, kind = self._column(variable)
        return quoted(name) if kind.startswith("Array(") else f"[{quoted(name)}]"


def _nearer(origin: NDArray[np.float64], found: VariableSummary) -> NDArray[np.float64]:
    """Give an origin about which sums of squares lose fewer digits: the same, or the mean."""
    mean, sd = found.mean.reshape(-1), found.sd.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(mean - origin)
        is_far = np.isfinite(mean) & (off > _FAR * sd) & (off > _ROUNDING * np.abs(mean))
    return np.where(is_far, mean, origin)


def _groups(variables: Sequence[Variable]) -> Iterator[list[Variable]]:
    group: list[Variable] = []
    n_values = 0
    for variable in variables:
        size = math.prod(variable.shape)
        if group and n_values + size > _MOST_VALUES:
            yield group
            group, n_values = [], 0
        group.append(variable)
        n_values += size
    if group:
        yield group


def _is_plain(draws: DrawsTable, variable: Variable, *, is_stat: bool = False) -> bool:
    """Whether a variable is one column of numbers, or of arrays of them, that are never empty."""
    if summarized_dtype(variable) is None or not 0 < math.prod(variable.shape) <= _MOST_VALUES:
        return False
    if is_stat and parse_dtype(variable.dtype).kind == "f":  # a missing one would be a NaN
        return False
    names = ((), (variable.name,)) if is_stat else ((variable.name,), ())
    columns = draws.layout.columns_of(*names)
    return "String" not in columns[1][1]


def _condition(draws: DrawsTable) -> str:
    marks = [stat.name for stat in draws.meta.sample_stats if is_mark(stat.name)]
    terms = []
    for mark in marks:
        name, kind = draws.layout.columns_of((), (mark,))[1]
        column = quoted(name)
        if kind.startswith("Array("):
            terms.append(f"NOT arrayExists(v -> v != 0, {column})")
        else:
            terms.append(f"{column} = 0")
    return f"WHERE {' AND '.join(terms)}" if terms else ""


def _nothing(variable: Variable, levels: Sequence[float]) -> VariableSummary:
    dtype = summarized_dtype(variable)
    shape = tuple(variable.shape)
    floating = dtype if dtype is not None and dtype.kind == "f" else np.dtype(np.float64)
    nan = np.full(shape, np.nan)
    return VariableSummary(nan, nan.copy(), np.full((len(levels), *shape), np.nan, floating))
