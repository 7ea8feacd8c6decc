"""What `drawstore watch` on a terminal costs the sampler that it watches."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import drawstore.emcee
from paired import Paired, measure, memcpy, replay
from steps import Shape, draw_bytes, made_up_states, sampler, save, timed_run
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_SHAPE: Shape = (32, 5)
_ON_A_TERMINAL = "import pty, sys; pty.spawn(sys.argv[1:])"


@contextmanager
def _watcher(path: Path) -> Iterator[None]:
    """Have the command watch a file, as it does by default."""
    shown = path.with_suffix(".shown")
    command = [sys.executable, "-m", "drawstore", "watch", str(path)]
    with open(shown, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_A_TERMINAL, *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
        )
        try:
            end = time.monotonic() + 60
            while b"var_0" not in shown.read_bytes():
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.01)
            yield
            assert process.poll() is None
        finally:
            process.terminate()  # its terminal goes, and the command with it
            process.wait()


@pytest.fixture(scope="module")
def watched(
    quick: bool, rounds: int, table: Table, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Paired]:
    n = 300 if quick else 20_000
    path = tmp_path_factory.mktemp("watch") / "chain.h5"

    def run(is_watched: bool) -> float:
        path.unlink(missing_ok=True)
        with drawstore.emcee.HDFBackend(path) as backend:
            ensemble, start = sampler(_SHAPE, backend)
            backend.reset(*_SHAPE)
            backend.grow(n, None)
            save(backend, made_up_states(_SHAPE), 2)
            backend.flush()
            if not is_watched:
                return timed_run(ensemble, start, n)
            with _watcher(path):
                return timed_run(ensemble, start, n)

    contenders = {
        "drawstore": lambda: run(True),
        "alone": lambda: run(False),
        "memcpy": memcpy(draw_bytes(n, _SHAPE)),
    }
    paired = measure(contenders, rounds)
    work = f"`run_mcmc` of {n:,} steps of 32 × 5, watched on a terminal by `drawstore watch`"
    table.slower(work, "the same unwatched", paired, "alone", 1.03)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "alone", "memcpy"])
def bench_watch(benchmark: Any, watched: tuple[str, Paired], name: str) -> None:
    work, paired = watched
    replay.show(benchmark, paired, name, work)
