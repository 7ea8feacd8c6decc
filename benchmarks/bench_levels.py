"""Traces of long runs, as a page asks for them: how long an answer takes, and what it holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from child import in_child
from table import Bar, Table
from trace_work import first_answer, looked_around, written

_MEGABYTE = 1e6


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    shutil.rmtree(tmp_path)  # pytest would keep many GB


def bench_zooming_and_panning(folder: str, quick: bool, table: Table) -> None:
    n = 10**6 if quick else 10**8
    in_child(written, folder, [], n)
    done = in_child(looked_around, folder)
    work = f"zooming and panning a trace of {n:,} draws in `FileBackend`"
    bar = Bar("under", 200.0, "ms")
    table.number(
        f"{work}: the slowest of {len(done['building'])} answers while levels are built",
        "–",
        1e3 * max(done["building"]),
        bar,
        remark=f"built after {done['built']:.2g} s",
    )
    table.number(
        f"{work}: the slowest of {len(done['after'])} answers after that",
        "–",
        1e3 * max(done["after"]),
        bar,
        remark=f"{done['bytes'] / _MEGABYTE:.3g} MB of memory beside the program",
    )


def bench_first_answer(folder: str, quick: bool, table: Table) -> None:
    n = 12_500 if quick else 1_250_000
    size = in_child(written, folder, [1_000], n)
    done = in_child(first_answer, folder, 4)
    work = f"first traces of a `FileBackend` run of {size / 1e9:.3g} GB, in a fresh process"
    table.number(work, "–", done["seconds"], Bar("under", 2.0, "s"))
    table.number(
        f"{work}: resident memory", "–", done["bytes"] / _MEGABYTE, Bar("under", 300.0, "MB")
    )
