"""Draws into chDB, in a process of its own: its threads would be in the way of others here."""

from __future__ import annotations

import statistics
from pathlib import Path

from child import in_child
from clickhouse_loads import TEN, embedded
from table import Bar, Table


def bench_embedded(quick: bool, rounds: int, table: Table, tmp_path: Path) -> None:
    n = TEN.n // 100 if quick else TEN.n
    seconds = in_child(embedded, str(tmp_path), n, rounds)
    n_bytes = n * TEN.row_bytes
    disk = n_bytes / statistics.median(seconds["write"]) / 1e6
    draws = f"{n:,} draws of 10 float64"
    table.rate(
        f"{draws} that wait, until chDB has them on disk",
        "–",
        n_bytes,
        seconds["drain"],
        Bar("at least", 400.0, "MB/s"),
        remark=f"a file, with an `fdatasync` every 16 MB: {disk:,.0f} MB/s",
    )
    table.rate(f"`append` {draws} into chDB, until flushed", "–", n_bytes, seconds["append"])
    table.rate(f"`get_draws` of {draws} from chDB", "–", n_bytes, seconds["read"])
