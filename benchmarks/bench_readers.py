"""What readers cost the sampler: three that poll, and one that holds the file."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import drawstore.emcee
import reader_work
from paired import Paired, measure, memcpy, replay
from steps import Shape, draw_bytes, made_up_states, sampler, save
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_SHAPE: Shape = (32, 5)
_HERTZ = 100


@contextmanager
def _readers(path: Path) -> Iterator[None]:
    """Have one process of each kind read a file."""
    started = [
        subprocess.Popen(
            [sys.executable, reader_work.__file__, kind, str(path), str(_HERTZ)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind in reader_work.KINDS
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield
        assert [process.poll() for process in started] == [None] * len(started)
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def polled(
    quick: bool, rounds: int, table: Table, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Paired]:
    n = 300 if quick else 20_000
    folder = tmp_path_factory.mktemp("readers")
    other = folder / "other.h5"
    with drawstore.emcee.HDFBackend(other) as backend:
        backend.reset(*_SHAPE)
        backend.grow(n, None)
        save(backend, made_up_states(_SHAPE), n)

    def run(watched: Path) -> float:
        path = folder / "chain.h5"
        path.unlink(missing_ok=True)
        shutil.copy(other, path)
        with drawstore.emcee.HDFBackend(path) as backend:
            ensemble, start = sampler(_SHAPE, backend)
            backend.reset(*_SHAPE)
            backend.grow(2, None)
            save(backend, made_up_states(_SHAPE), 1)
            backend.flush()
            with _readers(watched):
                began = time.perf_counter()
                ensemble.run_mcmc(start, n)
                return time.perf_counter() - began

    contenders = {
        "drawstore": lambda: run(folder / "chain.h5"),
        "beside": lambda: run(other),
        "memcpy": memcpy(draw_bytes(n, _SHAPE)),
    }
    paired = measure(contenders, rounds)
    work = f"`run_mcmc` of {n:,} steps of 32 × 5, read by 3 processes at {_HERTZ} Hz"
    table.slower(work, "the same beside 3 that read another file", paired, "beside", 1.1)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "beside", "memcpy"])
def bench_readers_that_poll(benchmark: Any, polled: tuple[str, Paired], name: str) -> None:
    work, paired = polled
    replay.show(benchmark, paired, name, work)


def bench_a_reader_that_holds_the_file(quick: bool, table: Table, tmp_path: Path) -> None:
    held = 0.3 if quick else 30.0
    states = made_up_states(_SHAPE)
    accepted = np.ones(_SHAPE[0], dtype=bool)
    seconds = []
    path = tmp_path / "chain.h5"
    with drawstore.emcee.HDFBackend(path) as backend:
        backend.reset(*_SHAPE)
        backend.grow(10**6, None)
        save(backend, states, 100)
        backend.flush()
        with h5py.File(path, "r"):  # in this process as in any other: HDF5 locks it
            end = time.monotonic() + held
            while time.monotonic() < end:
                start = time.perf_counter()
                backend.save_step(states[len(seconds) % len(states)], accepted)
                seconds.append(time.perf_counter() - start)
                time.sleep(0.0005)
    with h5py.File(path, "r") as file:
        assert file["mcmc"].attrs["iteration"] == 100 + len(seconds)
    work = f"`save_step` of 32 × 5 while a reader holds the file for {held:.0f} s"
    remark = f"{len(seconds):,} steps"
    most = statistics.quantiles(seconds, n=1000)[-1]
    table.number(f"{work}: 99.9 % of them", "–", most * 1e3, Bar("under", 5.0, "ms"), remark)
    table.number(f"{work}: the slowest", "–", max(seconds) * 1e3, Bar("under", 100.0, "ms"), remark)
