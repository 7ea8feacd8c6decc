"""What the dashboard costs the sampler that it shows, and how soon it shows what was saved."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

import browser
import drawstore
import drawstore.emcee
from child import kilobytes
from drawstore.dashboard.looks import key_of
from paired import Paired, measure, memcpy, replay
from steps import Shape, draw_bytes, made_up_states, sampler, save, timed_run
from table import Bar, Table

pytestmark = pytest.mark.benchmark(timer=replay)

_SHAPE: Shape = (32, 5)
_DRAWN = "Number(document.querySelector('.canvas[data-draws]')?.dataset.draws ?? 0)"
_SEEN = f"""
const [wanted, done] = arguments;
const look = () => {_DRAWN} >= wanted ? done(Date.now() / 1000) : setTimeout(look, 5);
look();
"""


@dataclass(frozen=True)
class _Served:
    """A server in a process of its own."""

    url: str
    pid: int

    def page(self, path: Path, rid: str) -> str:
        """Give the address of the page of a run."""
        return f"{self.url}run/{quote(key_of(str(path), rid))}"


@contextmanager
def _serving(path: Path) -> Iterator[_Served]:
    """Have the command serve a place, as it does by default."""
    process = subprocess.Popen(
        [sys.executable, "-m", "drawstore", "serve", str(path), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.match(r"(http://\S+)", process.stdout.readline())
        assert found
        yield _Served(found[1], process.pid)
        assert process.poll() is None
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _shown(driven: Any, path: Path) -> Iterator[None]:
    """Have the page of a run of emcee be open."""
    with _serving(path) as served:
        driven.get(served.page(path, "mcmc"))
        browser.wait_for(driven, f"{_DRAWN} > 0", 60)
        yield
        driven.get("about:blank")


@pytest.fixture(scope="module")
def driven() -> Iterator[Any]:
    with browser.browser() as driven:
        yield driven
        driven.get("about:blank")


@pytest.fixture(scope="module")
def shown(
    driven: Any, quick: bool, rounds: int, table: Table, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Paired]:
    n, before = (300, 100) if quick else (20_000, 10_000)
    path = tmp_path_factory.mktemp("serve") / "chain.h5"

    def run(is_shown: bool) -> float:
        path.unlink(missing_ok=True)
        with drawstore.emcee.HDFBackend(path) as backend:
            ensemble, start = sampler(_SHAPE, backend)
            backend.reset(*_SHAPE)
            backend.grow(before + n, None)
            save(backend, made_up_states(_SHAPE), 2)
            backend.flush()
            with _shown(driven, path) if is_shown else nullcontext():
                # In a page's first seconds a browser compiles what it runs; this one has been open.
                timed_run(ensemble, start, before)
                return timed_run(ensemble, start, n)

    contenders = {
        "drawstore": lambda: run(True),
        "alone": lambda: run(False),
        "memcpy": memcpy(draw_bytes(n, _SHAPE)),
    }
    paired = measure(contenders, rounds)
    work = f"`run_mcmc` of {n:,} steps of 32 × 5, shown by `drawstore serve` in a browser"
    table.slower(work, "the same with no page open", paired, "alone", 1.03)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "alone", "memcpy"])
def bench_serve(benchmark: Any, shown: tuple[str, Paired], name: str) -> None:
    work, paired = shown
    replay.show(benchmark, paired, name, work)


@pytest.mark.parametrize("kind", ["FileBackend", "HDF5Backend"])
def bench_until_a_draw_is_seen(
    kind: str, driven: Any, quick: bool, table: Table, tmp_path: Path
) -> None:
    path = tmp_path / "store.h5"
    meta = drawstore.make_meta({"x": (float, ())}, rid="run")
    rng = np.random.default_rng(1)
    driven.set_script_timeout(60)
    waited = []
    with getattr(drawstore, kind)(path) as backend:
        chain = backend.init_run(meta).init_chain(0)
        chain.extend({"x": rng.normal(size=1_000)})
        chain.flush()
        with _serving(path) as served:
            driven.get(served.page(path, "run"))
            browser.wait_for(driven, f"{_DRAWN} > 0", 60)
            for _ in range(3 if quick else 30):
                time.sleep(rng.uniform(0, 1))
                chain.append({"x": rng.normal()})
                saved = time.time()
                waited.append(driven.execute_async_script(_SEEN, len(chain)) - saved)
            driven.get("about:blank")
        chain.close()
    table.number(
        f"from a draw that is saved to its point on the page, `{kind}`",
        "–",
        max(waited),
        Bar("under", 2.0, "s"),
        remark=f"the longest of {len(waited)}; in the middle {median(waited):.2g} s",
    )


def bench_first_page_of_a_long_run(driven: Any, quick: bool, table: Table, tmp_path: Path) -> None:
    path = tmp_path / "store"
    size = 5e7 if quick else 1e10
    n_bytes = _write(path, int(size))
    try:
        with _serving(path) as served:
            driven.get(f"{served.url}static/page.css")  # the server has begun
            time.sleep(0 if quick else 5)
            began = time.perf_counter()
            driven.get(served.page(path, "long"))
            browser.wait_for(driven, f"{_DRAWN} > 0", 60)
            taken = time.perf_counter() - began
            peak = kilobytes(f"/proc/{served.pid}/status", "VmHWM")
            driven.get("about:blank")
    finally:
        shutil.rmtree(path)
    work = f"the first page of a run of {n_bytes / 1e9:,.2g} GB, `FileBackend`"
    table.number(f"{work}: until its first figure is there", "–", taken, Bar("under", 2.0, "s"))
    table.number(f"{work}: memory of the server", "–", peak / 1e6, Bar("under", 300.0, "MB"))


def _write(path: Path, size: int, chains: int = 4, n_variables: int = 20) -> int:
    """Write a run of about so many bytes; gives how many."""
    names = [f"x{i}" for i in range(n_variables)]
    stats = {"tune": (bool, ()), "diverging": (bool, ())}
    meta = drawstore.make_meta(dict.fromkeys(names, (float, ())), stats, rid="long")
    block = 50_000
    values = np.random.default_rng(1).standard_normal((n_variables, block))
    draws = dict(zip(names, values, strict=True))
    marks = {name: np.zeros(block, dtype=bool) for name in stats}
    n = max(1, size // (chains * block * 8 * n_variables))
    with drawstore.FileBackend(path) as backend:
        run = backend.init_run(meta)
        for number in range(chains):
            with run.init_chain(number) as chain:
                for _ in range(n):
                    chain.extend(draws, marks)
        return run.size
