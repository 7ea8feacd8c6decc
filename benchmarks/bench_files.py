"""Large rows on their way to the disk, closing included, beside `write` and `fdatasync`."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import drawstore
from child import in_child
from paired import Paired, measure, memcpy, timed
from store_work import memory_of_a_long_run
from table import Bar, Row, Table

_WALKERS, _NDIM = 128, 20
_ROW = _WALKERS * (_NDIM + 1) * 8  # bytes of coordinates and log probability
_DIFFERENT = 64  # rows, so that the processor's cache does not hold them


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)  # pytest would keep some GB


@pytest.fixture
def n_rows(quick: bool) -> int:
    """As many as make 3 GB."""
    return (30_000_000 if quick else 3_000_000_000) // _ROW


def _rows() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(4)
    return [
        {
            "chain": rng.standard_normal((_WALKERS, _NDIM)),
            "log_prob": rng.standard_normal(_WALKERS),
        }
        for _ in range(_DIFFERENT)
    ]


def _written(path: Path, rows: list[dict[str, np.ndarray]], n: int) -> None:
    texts = [b"".join(array.tobytes() for array in row.values()) for row in rows]
    with open(path, "wb", buffering=0) as file:
        for i in range(n):
            file.write(texts[i % len(texts)])
        os.fdatasync(file.fileno())
    path.unlink()


def _add(table: Table, work: str, against: str, paired: Paired, at_most: float) -> None:
    table.rows.append(
        Row(
            work,
            against,
            paired.ratio("drawstore", to="write"),
            bar=Bar("at most", at_most),
            memcpy=paired.ratio("drawstore", to="memcpy").median,
            remark=f"{paired.median('drawstore'):.3g} s against {paired.median('write'):.3g} s",
        )
    )


@pytest.mark.parametrize(("store", "bar"), [("FileBackend", 1.5), ("HDF5Backend", 3.0)])
def bench_large_rows(
    folder: Path, n_rows: int, quick: bool, table: Table, store: str, bar: float
) -> None:
    rows = _rows()
    meta = drawstore.make_meta(
        {"chain": (np.float64, (_WALKERS, _NDIM)), "log_prob": (np.float64, (_WALKERS,))}
    )
    path = folder / "runs"

    def drawstores() -> float:
        backend = getattr(drawstore, store)(path)
        run = backend.init_run(meta)
        start = time.perf_counter()
        with run.init_chain(0) as chain:
            for i in range(n_rows):
                chain.append(rows[i % len(rows)])
        seconds = time.perf_counter() - start
        backend.delete_run(run.rid)
        if path.is_file():
            path.unlink()
        return seconds

    contenders = {
        "drawstore": drawstores,
        "write": timed(lambda: _written(folder / "plain", rows, n_rows)),
        "memcpy": memcpy(n_rows * _ROW, _DIFFERENT * _ROW),
    }
    paired = measure(contenders, 2 if quick else 5, warm_up=0 if quick else 1)
    work = f"`append` {n_rows:,} rows of {_ROW / 1e3:.3g} kB, flat out, and close, `{store}`"
    _add(table, work, "a `write` of each row's bytes and one `fdatasync`", paired, bar)


def bench_memory_of_a_long_run(folder: Path, n_rows: int, table: Table) -> None:
    held = in_child(memory_of_a_long_run, str(folder / "runs.h5"), n_rows, _WALKERS, _NDIM)
    work = f"`append` {n_rows:,} rows of {_ROW / 1e3:.3g} kB, `HDF5Backend`: memory held"
    table.number(work, "–", held / 1e6, Bar("under", 100.0, "MB"), "beside its journal, `RssAnon`")
