"""The steps of an ensemble in memory: a chain buffer, and beside it what only Python can hold."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore._core import ChainBuffer
from drawstore.ensemble.blobs import BlobLayout

__all__ = ["Steps", "step_count"]


def step_count(ngrow: SupportsIndex) -> int:
    """Check a number of steps to come.

    Raises
    ------
    TypeError, ValueError
        Where it is not a whole number, or negative.
    """
    try:
        steps = operator.index(ngrow)
    except TypeError:
        raise TypeError(f"the number of steps is to be a whole number, got {ngrow!r}") from None
    if steps < 0:
        raise ValueError(f"the number of steps is not to be negative, got {steps}")
    return steps


class Steps:
    """All steps of a run in memory, of which the last ones are only announced.

    Parameters
    ----------
    dtype : dtype
        Of the chain and the log-probabilities.
    nwalkers, ndim : int
        Walkers and parameters.
    layout : BlobLayout or None
        Of the blobs.
    """

    def __init__(
        self, dtype: DTypeLike, nwalkers: int, ndim: int, layout: BlobLayout | None
    ) -> None:
        variables: list[tuple[str, DTypeLike, tuple[int, ...]]] = [
            ("chain", dtype, (nwalkers, ndim)),
            ("log_prob", dtype, (nwalkers,)),
        ]
        self._made_of = (dtype, nwalkers, ndim, layout)
        self.layout = layout
        # What a recorder calls with the blobs of each step.
        self.encode: Callable[[int, NDArray[Any]], NDArray[Any] | None] | None = None
        self._objects: _ObjectRows | None = None
        if layout is not None and layout.dtype.hasobject:
            self._objects = _ObjectRows(layout, nwalkers)
            self.encode = self._objects.put
        elif layout is not None:
            variables.append(("blobs", layout.dtype, (nwalkers, *layout.shape)))
            self.encode = layout.encode_step if layout.dicts else None
        self.buffer = ChainBuffer(variables)
        # Whether there may be arrays through which others change the positions.
        self.is_handed_out = False

    def __len__(self) -> int:
        return len(self.buffer)

    @property
    def announced(self) -> int:
        """The number of steps that there is room for, at least."""
        return self.buffer.announced

    def announce(self, steps: int) -> None:
        """Say that there will be so many steps in all."""
        self.buffer.announce(steps)
        if self._objects is not None:
            self._objects.grow(steps)

    def room(self, name: str) -> NDArray[Any] | None:
        """All steps, also those to come, whose values are undefined; None for blobs not there."""
        if name == "blobs" and self.layout is None:
            return None
        if name == "blobs" and self._objects is not None:
            return self._objects.room
        return self.buffer.get_room(name)

    def extend(
        self, chain: NDArray[Any], log_prob: NDArray[Any], blobs: NDArray[Any] | None
    ) -> None:
        """Append steps, with blobs where the run has them."""
        rows = {"chain": chain, "log_prob": log_prob}
        if self.layout is not None:
            assert blobs is not None
            if self.layout.dicts and blobs.dtype.names is None:
                encoded = [self.layout.encode(row) for row in blobs]
                blobs = np.array(encoded, dtype=self.layout.dtype).reshape(blobs.shape)
            if self._objects is None:
                rows["blobs"] = blobs
            else:
                for step, row in enumerate(blobs, start=len(self)):
                    self._objects.place(step, row)
        self.buffer.extend(rows)

    def contents(self, count: int) -> dict[str, Any]:
        """Give all that `of` needs to make the first steps again, as views."""
        rooms = {name: self.room(name) for name in ("chain", "log_prob", "blobs")}
        saved = {name: None if room is None else room[:count] for name, room in rooms.items()}
        return {"made_of": self._made_of, "announced": self.announced, "saved": saved}

    @classmethod
    def of(cls, contents: dict[str, Any]) -> Self:
        """Copy the contents of others."""
        steps = cls(*contents["made_of"])
        steps.announce(contents["announced"])
        if len(contents["saved"]["chain"]):
            steps.extend(**contents["saved"])
        return steps


class _ObjectRows:
    """Blobs that are Python objects: they stay in Python, one row a step."""

    def __init__(self, layout: BlobLayout, nwalkers: int) -> None:
        self._layout = layout
        self._announced = 0
        self._rows = np.empty((0, nwalkers, *layout.shape), dtype=layout.dtype)

    @property
    def room(self) -> NDArray[Any]:
        return self._rows[: self._announced]

    def grow(self, steps: int) -> None:
        self._announced = max(self._announced, steps)
        if steps > len(self._rows):
            rows = np.empty(
                (max(steps, 2 * len(self._rows)), *self._rows.shape[1:]), dtype=self._rows.dtype
            )
            rows[: len(self._rows)] = self._rows
            self._rows = rows

    def put(self, step: int, blobs: NDArray[Any]) -> None:
        self.place(step, self._layout.encode(blobs))

    def place(self, step: int, row: NDArray[Any]) -> None:
        self.grow(step + 1)
        self._rows[step] = row
