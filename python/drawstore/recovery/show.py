"""What is kept somewhere, in words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from drawstore._core import is_locked, lock_file_holder, run_folder
from drawstore.backends.clickhouse import ClickHouseBackend
from drawstore.backends.core import FileBackend
from drawstore.backends.stan_csv import StanCSV
from drawstore.holder import holder_at
from drawstore.opening import open as open_store

if TYPE_CHECKING:
    from drawstore.clickhouse.spool import Spool
    from drawstore.interface import Backend, Run

__all__ = ["describe", "runs_at", "size_text"]

_HOLDER_OF_DRAWS, _HOLDER_OF_REDO = 512, 0  # where it is in a file


def runs_at(path: str) -> Iterator[tuple[str, Callable[[], Run]]]:
    """Give the names of the runs at a place, and what opens each: also of damaged ones."""
    return runs_in(open_store(path), path)


def runs_in(backend: Backend, path: str) -> Iterator[tuple[str, Callable[[], Run]]]:
    """Give the runs of a backend that was opened at a path, as `runs_at` does."""
    if isinstance(backend, FileBackend):
        for name in sorted(os.listdir(path)):
            if os.path.exists(os.path.join(path, name, "run.meta")) and not name.startswith("."):
                rid = "" if name == "%" else unquote(name)
                yield rid, partial(backend.get_run, rid)
    else:
        for info in backend.get_runs():
            yield info.rid, partial(backend.get_run, info.rid)


def describe(path: str) -> Iterator[str]:
    """Say what is kept at a place: runs, chains, who writes them, what waits beside them."""
    backend = open_store(path)
    if isinstance(backend, ClickHouseBackend):
        yield f"{backend.place}: {_kind(backend)}"
        yield from _spooled(backend.spool)
    else:
        yield f"{path}: {_kind(backend)}"
        if not isinstance(backend, StanCSV):
            yield from _beside(path)
    for name, open_run in runs_in(backend, path):
        try:
            yield from _run(path, open_run())
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            yield f"  run {name!r}: cannot be read: {error}"


def _kind(backend: Backend) -> str:
    kinds = {
        "ClickHouseBackend": "runs in a database of ClickHouse",
        "FileBackend": "a directory of runs, each chain a file",
        "HDF5Backend": "runs in an HDF5 file",
        "EmceeFile": "an HDF5 file of emcee",
        "StanCSV": "files of Stan, each a chain",
        "SeveralKinds": "an HDF5 file with runs, and with groups of emcee",
    }
    return kinds[type(backend).__name__]


def _run(path: str, run: Run) -> Iterator[str]:
    made = run.created_at.strftime("%Y-%m-%d %H:%M UTC")
    yield f"  run {run.rid!r}, made {made}, {size_text(run.size)}"
    lengths: dict[int, int] = {}
    for chain in run.get_chains():
        lengths[chain.chain_number] = len(chain)
    if len(set(lengths.values())) == 1 and len(lengths) > 8:  # the walkers of an ensemble
        yield f"    {len(lengths)} chains of {lengths[0]:,} draws"
        return
    for number, draws in lengths.items():
        yield f"    chain {number}: {draws:,} draws{_writer_of_chain(path, run.rid, number)}"


def _writer_of_chain(path: str, rid: str, number: int) -> str:
    file = os.path.join(run_folder(path, rid), f"chain-{number}.draws")
    if not os.path.exists(file):  # of another kind of store
        return ""
    if by_lock_file := lock_file_holder(file):
        return f", being written by {by_lock_file}"
    holder = _holder(file, _HOLDER_OF_DRAWS)
    return f", last written by {holder}" if holder else ""


def _spooled(spool: Spool) -> Iterator[str]:
    for path in spool.all():
        size = size_text(os.path.getsize(path))
        with open(path, "rb") as file:
            is_written = is_locked(file.fileno(), path)
        state = "being written" if is_written else "left by a process that died"
        yield f"  on this machine: the journal {path}, {size}, {state}"


def _beside(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        return
    folder, name = os.path.split(path)
    for other in sorted(os.listdir(folder or ".")):
        if other.startswith(name + "-"):
            beside = os.path.join(folder, other)
            what = other[len(name) + 1 :]
            yield f"  beside it: {other}, {size_text(os.path.getsize(beside))}, {_what(what)}"
    if holder := lock_file_holder(path + "-redo") or _holder(path + "-redo", _HOLDER_OF_REDO):
        yield f"  being written by {holder}"


def _what(suffix: str) -> str:
    if "set-aside" in suffix:
        return "set aside, because it does not belong to this file as it is; nothing reads it"
    if suffix in ("journal-lock", "redo-lock"):
        return "says who holds it, because the file system has no locks"
    if suffix == "journal":
        return "the journal: draws on their way into the file"
    if suffix == "redo":
        return "held by who writes to the file; or left by one that died"
    return "not ours"


def _holder(path: str, at: int) -> str:
    """Name the process that a file tells of, and whether it lives."""
    try:
        with open(path, "rb") as file:
            holder = holder_at(file.fileno(), at)
    except OSError:
        return ""
    return "" if holder is None else f"{holder}" + ("" if holder.lives else ", which has ended")


def size_text(size: int) -> str:
    """Give a number of bytes in words."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the last unit takes all")
