"""Which steps of a broken run can be read, and how many there are."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5t
from numpy.typing import NDArray

from .reader import LostError
from .report import Lost

if TYPE_CHECKING:
    from .found import Found, FoundRun
    from .reader import BrokenFile

__all__ = ["BrokenRun", "BrokenSteps"]

_BLOCK_BYTES = 4 * 2**20
_NEVER = "never written, though they are said to be there"


class BrokenSteps:
    """A dataset of steps, of which some cannot be read.

    Parameters
    ----------
    file : BrokenFile
    path : str
        Of the dataset.
    found : Found

    Attributes
    ----------
    kind : h5py.h5t.TypeID
        Of a value.
    shape : tuple of int
        Of a step.
    is_readable, is_written : ndarray of bool, shape (steps,)
        Which of the steps can be read, and which of them are not zero; as far as there can be any.
    lost : list of Lost
    """

    def __init__(self, file: BrokenFile, path: str, found: Found) -> None:
        self._file, self._path, self._found = file, path, found
        self.kind = h5t.decode(found.kind)
        self.shape = found.shape[1:]
        self.is_readable = np.zeros(found.rows, dtype=bool)
        self.is_written = np.zeros(found.rows, dtype=bool)
        self.lost: list[Lost] = []

    @property
    def is_float(self) -> bool:
        """Whether values are floating-point numbers, of which one is NaN."""
        return isinstance(self.kind, h5t.TypeFloatID)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read steps as `write_values` takes them.

        Raises
        ------
        LostError
            Where any of them cannot be read.
        """
        values = self._file.rows(self._path, start, stop)
        if isinstance(values, np.ndarray):
            return values
        held = np.frombuffer(values, dtype=f"V{self.kind.get_size()}")
        return held.reshape(stop - start, *self.shape)

    def scan(self) -> None:
        """Read all steps, and find out which can be read."""
        unit, rows = self._found.unit, self._found.rows
        row_bytes = max(1, math.prod(self.shape) * self.kind.get_size())
        block = unit * max(1, _BLOCK_BYTES // (row_bytes * unit))
        for start in range(0, rows, block):
            stop = min(start + block, rows)
            if not self._scan(start, stop):
                for first in range(start, stop, unit):
                    self._scan(first, min(first + unit, stop), is_last=True)

    def _scan(self, start: int, stop: int, is_last: bool = False) -> bool:
        try:
            values = self.read(start, stop)
        except LostError as error:
            if is_last:
                self.lose(start, stop, str(error))
            return False
        self.is_readable[start:stop] = True
        self.is_written[start:stop] = _not_zero(values)
        return True

    def lose(self, start: int, stop: int, why: str) -> None:
        """Count steps as lost."""
        self.is_readable[start:stop] = False
        if start >= stop:
            return
        last = self.lost[-1] if self.lost else None
        if last is not None and (last.stop, last.why) == (start, why):
            self.lost[-1] = Lost(last.start, stop, why)
        else:
            self.lost.append(Lost(start, stop, why))

    def fit(self, steps: int) -> None:
        """Know that the run has so many steps."""
        held = len(self.is_readable)
        self.is_readable = np.resize(self.is_readable, steps) if held else np.zeros(steps, bool)
        self.is_readable[held:] = False
        self.lost = [
            Lost(lost.start, min(lost.stop, steps), lost.why)
            for lost in self.lost
            if lost.start < steps
        ]
        if held < steps:
            short = self._found.shape[0] < steps
            why = "behind the end of the dataset" if short else "their places in the file are lost"
            self.lose(held, steps, why)


@dataclass
class BrokenRun:
    """A run of which some can be read.

    Parameters
    ----------
    file : BrokenFile
    name : str
        Of its group.
    found : FoundRun

    Attributes
    ----------
    nwalkers, ndim : int
        0 where nothing tells.
    announced : int or None
        Steps that it is said to have.
    steps : int
        That it has: as many, unless that cannot be.
    datasets : dict of str to BrokenSteps
        Of "chain", "log_prob" and "blobs"; those that can be read at all.
    lost : dict of str to str
        Why others cannot.
    notes : list of str
    """

    file: BrokenFile
    name: str
    found: FoundRun
    datasets: dict[str, BrokenSteps] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        attributes, shapes = self.found.attributes, self._shapes()
        self.nwalkers = _count(attributes.get("nwalkers")) or shapes[0]
        self.ndim = _count(attributes.get("ndim")) or shapes[1]
        self.announced = _count(attributes.get("iteration"))
        for key in ("nwalkers", "ndim"):
            if _count(attributes.get(key)) is None:
                self.notes.append(f"the attribute {key!r} is lost; it was read off the datasets")
        self._find_datasets()
        for steps in self.datasets.values():
            steps.scan()
        self.steps = self._find_steps()
        for key, steps in list(self.datasets.items()):
            steps.fit(self.steps)
            if self.steps and not steps.is_readable.any():
                self.lost[key] = steps.lost[0].why
                del self.datasets[key]

    @property
    def has_blobs(self) -> bool:
        """Whether there are, or were, blobs."""
        return bool(self.found.attributes.get("has_blobs")) or "blobs" in self.found.datasets

    @property
    def keys(self) -> list[str]:
        """What there is, or was, of each step."""
        return ["chain", "log_prob", *(["blobs"] if self.has_blobs else [])]

    def accepted(self) -> NDArray[Any] | None:
        """Read the accepted proposals of each walker; None where they are lost."""
        found = self.found.datasets.get("accepted")
        if found is None or found.shape != (self.nwalkers,):
            return None
        try:
            steps = BrokenSteps(self.file, f"{self.name}/accepted", found)
            values = steps.read(0, self.nwalkers).view(steps.kind.dtype).astype(np.float64)
        except (LostError, TypeError, ValueError):
            return None
        is_right = (
            np.isfinite(values).all() and (values >= 0).all() and (values <= self.steps).all()
        )
        return values if is_right else None

    def _shapes(self) -> tuple[int, int]:
        chain, log_prob = (self.found.datasets.get(key) for key in ("chain", "log_prob"))
        if chain is not None and len(chain.shape) == 3:
            return chain.shape[1], chain.shape[2]
        return (log_prob.shape[1] if log_prob is not None and len(log_prob.shape) == 2 else 0), 0

    def _find_datasets(self) -> None:
        expected = {"chain": (self.nwalkers, self.ndim), "log_prob": (self.nwalkers,)}
        for key in self.keys:
            found = self.found.datasets.get(key)
            if found is None:
                self.lost[key] = "it cannot be found"
                continue
            try:
                steps = BrokenSteps(self.file, f"{self.name}/{key}", found)
            except (TypeError, ValueError, RuntimeError) as error:
                self.lost[key] = str(error)
                continue
            shape = expected.get(key, (self.nwalkers, *found.shape[2:]))
            if steps.shape != shape or (key in expected and not steps.is_float):
                self.lost[key] = f"its shape {found.shape} or its type is wrong"
            else:
                self.datasets[key] = steps

    def _find_steps(self) -> int:
        """Tell how many steps there are, and which of them were never written."""
        said = self.announced
        longest = max((found.shape[0] for found in self.found.datasets.values()), default=0)
        # A process that dies may have written one more than it had counted.
        if said is None or said > longest or self._end_of_steps(said) > said + 1:
            says = "lost" if said is None else f"{said:,}, which cannot be"
            self.notes.append(
                f"its count of steps is {says}; the last one before rows that are zero was taken "
                "for the last"
            )
            self.announced = None
            return self._end_of_steps(0 if said is None or said > longest else said)
        for steps in self.datasets.values():
            is_blank = steps.is_readable[:said] & ~steps.is_written[:said]
            last = int(np.flatnonzero(~is_blank)[-1]) + 1 if not is_blank.all() else 0
            steps.lose(last, len(is_blank), _NEVER)
        return said

    def _end_of_steps(self, start: int) -> int:
        """Find the first step from one on that was never written; those before it were."""
        parts = [steps for key, steps in self.datasets.items() if key != "blobs"]
        rows = max((len(part.is_written) for part in parts), default=0)
        is_blank, is_written = np.ones(rows, dtype=bool), np.zeros(rows, dtype=bool)
        for part in parts:
            n = len(part.is_written)
            is_blank[:n] &= part.is_readable & ~part.is_written
            is_written[:n] |= part.is_written
        blank = np.flatnonzero(is_blank[start:])
        end = start + int(blank[0]) if len(blank) else rows
        written = np.flatnonzero(is_written[:end])
        return int(written[-1]) + 1 if len(written) else 0


def _not_zero(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.hasobject:
        return np.ones(len(values), dtype=bool)
    held = np.ascontiguousarray(values).view(np.uint8)
    return np.asarray(held.reshape(len(values), -1).any(axis=1))


def _count(value: Any) -> int | None:
    """Give a number of things, where it is one."""
    try:
        n = operator.index(np.asarray(value).item())
    except (TypeError, ValueError):
        return None
    return n if 0 <= n < 2**48 else None
