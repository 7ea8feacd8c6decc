"""Work of the benchmarks of traces: each function in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from bokeh.embed import json_item

import drawstore
from child import resident
from drawstore.dashboard.figures.figure import Colours, Question
from drawstore.dashboard.figures.traces import Traces
from drawstore.dashboard.view import RunView

_WIDTH = 1_200  # pixels
_COLOURS = Colours(*["#808080"] * 7, series=("#0072b2",))


def written(folder: str, shape: list[int], n: int) -> int:
    """Write a run of one variable, really; gives the bytes of its draws."""
    row_bytes = 8 * int(np.prod(shape))
    block = max(1, 2**25 // row_bytes)
    rng = np.random.default_rng(1)
    values = rng.standard_normal((block, *shape))
    meta = drawstore.make_meta({"x": ("float64", tuple(shape))}, rid="run")
    with drawstore.FileBackend(folder) as backend, backend.init_run(meta).init_chain(0) as chain:
        for start in range(0, n, block):
            values[:, ...] += 0.01 * rng.standard_normal()
            chain.extend({"x": values[: n - start]})
    return n * row_bytes


def first_answer(folder: str, n_parameters: int) -> dict[str, float]:
    """Open a run, and give the figure and its first data: seconds, and bytes of memory."""
    began = time.perf_counter()
    view = _view(folder)
    parameters = view.names[:n_parameters]
    with view.lock:
        json_item(Traces().layout(view, parameters, _COLOURS))
        answer = Traces().data(view, Question(parameters, width=_WIDTH))
    assert answer.sources["line-0-0"]["draw"].size
    return {"seconds": time.perf_counter() - began, "bytes": resident()}


def looked_around(folder: str) -> dict[str, Any]:
    """Zoom in and out and pan, before and after the levels are there: seconds, and bytes."""
    view = _view(folder)
    before = resident()
    n = view.followed[0].count()
    began = time.perf_counter()
    building, done = [], 0.0
    while done < 1:
        for start, stop in _ranges(n):
            building.append(_answer(view, start, stop))
            time.sleep(0.02)
            done = _share(view)
            if done == 1:
                break
    built = time.perf_counter() - began
    after = [_answer(view, start, stop) for start, stop in _ranges(n) for _ in range(3)]
    return {"building": building, "built": built, "after": after, "bytes": resident() - before}


def _view(folder: str) -> RunView:
    return RunView.of(drawstore.open(folder, mode="r").get_run("run"))


def _answer(view: RunView, start: int, stop: int) -> float:
    question = Question(view.names[:1], start, stop, _WIDTH)
    began = time.perf_counter()
    with view.lock:
        Traces().data(view, question)
    return time.perf_counter() - began


def _share(view: RunView) -> float:
    with view.lock:
        share: float = view.kept["traces"].levels.share([0])
    return share


def _ranges(n: int) -> Iterator[tuple[int, int]]:
    """Ranges of draws that somebody looks at one after the other."""
    rng = np.random.default_rng(2)
    sizes = np.geomspace(n, 50, 25).astype(int)
    for size, _ in pairwise(sizes):
        for start in rng.integers(0, n - size + 1, size=3).tolist():
            yield start, start + int(size)
