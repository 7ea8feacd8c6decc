"""What runs take of memory, of mappings, and of a disk's time; each in a process of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from child import in_child
from store_work import (
    appended_with_little_address_space,
    bytes_read,
    footprint,
    larger_than_memory,
    scalars,
    store,
)
from table import Bar, Table

_MEGABYTE = 1e6
_ON_DISK = ["FileBackend", "HDF5Backend"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    shutil.rmtree(tmp_path)  # pytest would keep some GB


@pytest.mark.parametrize("name", ["MemoryBackend", "FileBackend"])
def bench_short_chains(name: str, folder: str, table: Table) -> None:
    taken, mappings = in_child(footprint, name, folder, 4, 1_000, 10)
    work = f"4 chains of 1,000 scalar variables, 10 draws each, `{name}`"
    draws = 4 * 1_000 * 10 * 8 / _MEGABYTE
    table.number(
        f"{work}: resident memory",
        "–",
        taken / _MEGABYTE,
        Bar("under", 100.0, "MB"),
        remark=f"{draws:.2g} MB of draws",
    )
    table.number(f"{work}: mappings of the process", "–", mappings, Bar("under", 5_000.0, ""))


@pytest.mark.parametrize("name", _ON_DISK)
def bench_one_variable_of_many(name: str, folder: str, quick: bool, table: Table) -> None:
    n_variables, n = 1_000, (2_000 if quick else 200_000)
    meta = scalars(n_variables)
    values = np.random.default_rng(8).standard_normal((16, n_variables))
    draws = [dict(zip((v.name for v in meta.variables), row, strict=True)) for row in values]
    with store(name, folder) as backend, backend.init_run(meta).init_chain(0) as chain:
        for i in range(n):
            chain.append(draws[i % len(draws)])
    read, one = in_child(bytes_read, name, folder, "x500")
    size = n_variables * n * 8
    table.number(
        f"bytes read for one of {n_variables:,} scalar variables of {n:,} draws, `{name}`",
        "the run's bytes",
        read / size,
        Bar("at most", 0.1),
        remark=f"{read / 1e6:.3g} MB of {size / 1e6:,.0f} MB, for {one / 1e6:.3g} MB",
    )


@pytest.mark.parametrize("name", _ON_DISK)
def bench_run_larger_than_memory(name: str, folder: str, quick: bool, table: Table) -> None:
    allowed = (128 if quick else 512) * 2**20
    n_variables = 100
    n = 8 * (3 * allowed // (8 * n_variables * 10 * 8))
    work = f"a run of 3 × the memory allowed, written and summarised through `{name}`"
    with _memory_group(allowed) as group:
        held = in_child(larger_than_memory, name, folder, group, n_variables, n)
    how = "by `memory.max`" if group else "`RssAnon`, watched"
    table.number(
        f"{work}: memory held",
        "memory allowed",
        held / allowed,
        Bar("at most", 1.0),
        remark=f"{held / _MEGABYTE:,.0f} MB of {allowed / _MEGABYTE:,.0f} MB, {how}",
    )


@contextmanager
def _memory_group(limit: int) -> Iterator[str]:
    """Make a control group with so much memory, page cache included; "" where we may not."""
    own = [
        line.removeprefix("0::/")
        for line in Path("/proc/self/cgroup").read_text().splitlines()
        if line.startswith("0::/")
    ]
    parent = Path("/sys/fs/cgroup", *own)
    group = parent / f"drawstore-{os.getpid()}"
    made = granted = False
    try:
        if "memory" in (parent / "cgroup.subtree_control").read_text():
            group.mkdir()
            made = True
            (group / "memory.max").write_text(str(limit))
            (group / "memory.swap.max").write_text("0")
            granted = True
    except OSError:
        granted = False
    try:
        yield str(group) if granted else ""
    finally:
        if made:
            group.rmdir()


@pytest.mark.parametrize("name", ["MemoryBackend", "FileBackend"])
def bench_little_address_space(name: str, folder: str, quick: bool, table: Table) -> None:
    room, n = 256 * 2**20, (1_000 if quick else 100_000)
    kept = in_child(appended_with_little_address_space, name, folder, room, n)
    table.number(
        f"`append` 4 × {n:,} draws with {room >> 20} MiB of address space left, `{name}`",
        "draws that are kept",
        kept / (4 * n),
        Bar("at least", 1.0),
    )
