"""What could be read of a broken run, as runs of a new file in emcee's layout."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
from h5py import h5t
from numpy.typing import NDArray

from drawstore.hdf5.contents import create_rows, write_values
from drawstore.recovery.salvage import stretches

from .report import Lost, RescuedDataset, RescuedRun, Stretch
from .steps import BrokenRun, BrokenSteps

__all__ = ["write_run"]

_BLOCK_BYTES = 4 * 2**20
_STATE = "random_state_"
_OURS = ("nwalkers", "ndim", "has_blobs", "iteration")
_STATE_PARTS = 5  # of NumPy's RandomState


def write_run(run: BrokenRun, file: h5py.File, fill: bool) -> RescuedRun:
    """Write what can be read of a run.

    Parameters
    ----------
    run : BrokenRun
    file : h5py.File
        The new one.
    fill : bool
        Keep steps of which only a part can be read, too; the numbers that are lost are NaN.

    Returns
    -------
    RescuedRun
    """
    report = RescuedRun(run.name, run.announced, notes=run.notes)
    for key in run.keys:
        held = run.found.datasets.get(key)
        dataset = RescuedDataset(key, run.steps, held is not None and held.is_checked)
        if key in run.datasets:
            dataset.lost = run.datasets[key].lost
            dataset.readable = int(run.datasets[key].is_readable.sum())
        elif run.steps or key in run.lost:
            dataset.lost = [Lost(0, run.steps, run.lost[key])]
        report.datasets.append(dataset)
    writer = _Writer(run, file, report)
    if not run.datasets or not run.nwalkers or not run.ndim:
        return report
    if run.steps == 0:
        writer.write(Stretch(run.name, 0, 0))
        return report
    kept = [steps.is_readable for steps in run.datasets.values()]
    for start, stop in stretches(np.any(kept, axis=0) if fill else np.all(kept, axis=0)):
        name = f"{run.name}_from_{start}" if report.stretches else run.name
        stretch = Stretch(name, start, stop)
        writer.write(stretch)
        report.stretches.append(stretch)
    return report


class _Writer:
    def __init__(self, run: BrokenRun, file: h5py.File, report: RescuedRun) -> None:
        self._run, self._file, self._notes = run, file, report.notes
        self._accepted = run.accepted() if run.steps else np.zeros(run.nwalkers)
        attributes = run.found.attributes
        self._states = sorted(key for key in attributes if key.startswith(_STATE))
        if self._accepted is None:
            report.notes.append("the accepted proposals are lost, and were counted in the chain")
        if run.steps and len(self._states) < _STATE_PARTS:
            self._states = []
            report.notes.append(
                "the state of the random numbers is lost: a run goes on with others"
            )

    def write(self, stretch: Stretch) -> None:
        """Write a stretch of steps as a run."""
        run = self._run
        group = self._file.create_group(stretch.name)
        for name, value in run.found.attributes.items():
            if name not in _OURS and not name.startswith(_STATE):
                try:
                    group.attrs[name] = value
                except (TypeError, ValueError):  # what no program can have written
                    self._notes.append(f"the attribute {name!r} is lost")
        group.attrs.setdefault("version", "unknown")
        group.attrs["nwalkers"] = run.nwalkers
        group.attrs["ndim"] = run.ndim
        group.attrs["has_blobs"] = "blobs" in run.datasets
        group.attrs["iteration"] = stretch.stop - stretch.start
        if stretch.start:
            group.attrs["first_step"] = stretch.start
        moved = self._write_steps(group, stretch)
        is_whole = (stretch.start, stretch.stop) == (0, run.steps)
        accepted = self._accepted if is_whole and self._accepted is not None else moved
        group.create_dataset("accepted", data=accepted, fletcher32=True)
        if stretch.stop == run.steps and run.announced is not None:
            for name in self._states:
                group.attrs[name] = run.found.attributes[name]

    def _write_steps(self, group: h5py.Group, stretch: Stretch) -> NDArray[np.float64]:
        """Write the datasets; gives how often each walker is seen to move."""
        run, n = self._run, stretch.stop - stretch.start
        moved = np.zeros(run.nwalkers)
        shapes = {"chain": (run.nwalkers, run.ndim), "log_prob": (run.nwalkers,)}
        for key in run.keys:
            steps = run.datasets.get(key)
            if steps is None and key not in shapes:
                continue
            kind = h5t.IEEE_F64LE if steps is None else steps.kind
            shape = shapes[key] if steps is None else steps.shape
            made = create_rows(group, key, kind, (n, *shape), "gzip")
            before: NDArray[Any] | None = None
            for start, values in self._pieces(steps, kind, shape, stretch):
                write_values(made, start - stretch.start, values)
                if key == "chain":
                    bits = values.view(f"V{kind.get_size()}")
                    held = bits if before is None else np.concatenate([before, bits])
                    moved += (held[1:] != held[:-1]).any(axis=2).sum(axis=0)
                    before = held[-1:]
        return moved

    def _pieces(
        self,
        steps: BrokenSteps | None,
        kind: h5t.TypeID,
        shape: tuple[int, ...],
        stretch: Stretch,
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Give the steps of a stretch, in pieces that can be read or cannot."""
        is_readable = np.zeros(self._run.steps, bool) if steps is None else steps.is_readable
        edges = np.flatnonzero(np.diff(is_readable[stretch.start : stretch.stop])) + 1
        bounds = [0, *edges.tolist(), stretch.stop - stretch.start]
        size = max(1, _BLOCK_BYTES // max(1, math.prod(shape) * kind.get_size()))
        for low, high in pairwise(bounds):
            for first in range(stretch.start + low, stretch.start + high, size):
                last = min(first + size, stretch.start + high)
                if steps is not None and is_readable[first]:
                    yield first, steps.read(first, last)
                else:
                    yield first, _lost_values(kind, (last - first, *shape))


def _lost_values(kind: h5t.TypeID, shape: tuple[int, ...]) -> NDArray[Any]:
    """Give NaN for numbers that are lost; zeros, or empty text, where there is none."""
    dtype = kind.dtype
    if dtype.subdtype is not None:
        dtype, inner = dtype.subdtype
        shape = (*shape, *inner)
    if dtype.hasobject:
        return np.full(shape, "", dtype=object)
    if dtype.kind in "fc":
        return np.full(shape, np.nan, dtype=dtype)
    values = np.zeros(shape, dtype=dtype)
    for name in dtype.names or ():
        if values[name].dtype.kind in "fc":
            values[name] = np.nan
    return values
