"""The process that reads a broken file: what HDF5 does to it, it does to nobody else.

``python -m drawstore.rescue.child`` says that it is there (`READY`), and answers requests on its
standard input, which are pickled tuples of a name and arguments, on its standard output:
``(True, answer)``, or ``(False, why)``.
"""

from __future__ import annotations

import itertools
import math
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5s, h5z

from .found import Found, FoundRun
from .reader import READY
from .view import FileView, View

__all__ = ["main"]

_KEYS = ("chain", "log_prob", "blobs", "accepted")
_ATTRIBUTES = ("iteration", "nwalkers", "ndim", "has_blobs")
_DEEPEST = 16  # groups in groups


class Broken:
    """A file that may be broken anywhere.

    Parameters
    ----------
    path : str
    view : View
        The way to look at it.
    """

    def __init__(self, path: str, view: View) -> None:
        self._opened = FileView(path, view)
        self._file = h5py.File(self._opened, "r")
        self._crowded: dict[str, set[tuple[int, ...]]] = {}

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
        self._opened.close()

    def runs(self) -> tuple[dict[str, FoundRun], list[str]]:
        """Find the runs, and name what else there is at the top."""
        runs: dict[str, FoundRun] = {}
        others = []
        for name in _names(self._file):
            found = dict(_runs(self._file, name, 0, self._describe))
            runs |= found
            if not found:
                others.append(name)
        return runs, others

    def rows(self, path: str, start: int, stop: int) -> Any:
        """Read rows of a dataset: as bytes, or as objects where they are of any length.

        Raises
        ------
        OSError
            Where any of them is damaged, or was never written.
        """
        dataset = self._file[path]
        self._check_places(path, dataset, start, stop)
        kind = dataset.id.get_type()
        if dataset.dtype.hasobject:
            return dataset[start:stop]
        shape = (stop - start, *dataset.shape[1:])
        values = np.empty(shape, dtype=f"V{kind.get_size()}")
        space = dataset.id.get_space()
        space.select_hyperslab((start, *(0 for _ in shape[1:])), shape)
        dataset.id.read(h5s.create_simple(shape), space, values, kind)
        return values.tobytes()

    def _check_places(self, path: str, dataset: h5py.Dataset, start: int, stop: int) -> None:
        if not dataset.chunks:
            offset = dataset.id.get_offset()
            if offset is None and dataset.id.get_create_plist().get_layout() != h5d.COMPACT:
                raise OSError("never written")
            if offset is not None and offset + dataset.nbytes > self._opened.real_size:
                raise OSError("behind the end of the file")
            return
        crowded = self._crowded_in(path, dataset)
        for corner in _corners(dataset, start, stop):
            info = dataset.id.get_chunk_info_by_coord(corner)
            if info.byte_offset is None:
                raise OSError("its place in the file is lost, or it was never written")
            if info.byte_offset + info.size > self._opened.real_size:
                raise OSError("behind the end of the file")
            if corner in crowded:
                raise OSError("where it is said to be there is something else, too")
            if info.filter_mask and not _may_skip(dataset, info):
                raise OSError("it is said to lie there without its compression, and does not")

    def _crowded_in(self, path: str, dataset: h5py.Dataset) -> set[tuple[int, ...]]:
        """Find chunks that share bytes with others: they cannot both be there."""
        if path not in self._crowded:
            places: list[tuple[int, int, tuple[int, ...]]] = []
            try:
                dataset.id.chunk_iter(
                    lambda chunk: places.append((chunk.byte_offset, chunk.size, chunk.chunk_offset))
                )
            except (OSError, RuntimeError):
                places.clear()
            places.sort()
            self._crowded[path] = {
                corner
                for one, other in itertools.pairwise(places)
                if one[0] + one[1] > other[0]
                for corner in (one[2], other[2])
            }
        return self._crowded[path]

    def _describe(self, dataset: h5py.Dataset) -> Found:
        shape, chunks = dataset.shape, dataset.chunks
        if not shape:
            raise ValueError("it has no rows")
        row_bytes = max(1, dataset.nbytes // max(1, shape[0]))
        rows = shape[0]
        if chunks:
            last = -1

            def look(chunk: Any) -> None:
                nonlocal last
                last = max(last, chunk.chunk_offset[0])

            try:
                dataset.id.chunk_iter(look)
                rows = min(rows, last + chunks[0]) if last >= 0 else 0
            except (OSError, RuntimeError):
                pass  # some can be found yet
        unit = chunks[0] if chunks else max(1, 2**20 // row_bytes)
        # A file holds a thousand times its size when it is compressed, and no more.
        rows = min(rows, 1032 * self._opened.real_size // row_bytes + unit)
        checked = {h5z.FILTER_FLETCHER32, h5z.FILTER_DEFLATE} & set(_filters(dataset))
        return Found(shape, dataset.id.get_type().encode(), unit, rows, bool(checked))


def _names(group: h5py.Group) -> list[str]:
    try:
        return list(group)
    except (OSError, RuntimeError, ValueError, UnicodeError):
        # What cannot be listed can be there under its name.
        return [name for name in ("mcmc", *_KEYS) if _get(group, name) is not None]


def _get(group: h5py.Group, name: str) -> Any:
    try:
        return group[name]
    except (KeyError, OSError, RuntimeError, ValueError, TypeError):
        return None


def _runs(
    parent: h5py.Group, name: str, depth: int, describe: Callable[[h5py.Dataset], Found]
) -> Iterator[tuple[str, FoundRun]]:
    group = _get(parent, name)
    if not isinstance(group, h5py.Group) or depth > _DEEPEST:
        return
    names = _names(group)
    attributes = dict(_attributes(group))
    known = [key for key in _KEYS if key in names]
    if {"chain", "log_prob"} & set(known) and (len(known) > 1 or "iteration" in attributes):
        run = FoundRun(attributes)
        for key in known:
            dataset = _get(group, key)
            if isinstance(dataset, h5py.Dataset):
                try:
                    run.datasets[key] = describe(dataset)
                except (OSError, RuntimeError, ValueError, TypeError, MemoryError):
                    continue
        yield _text(group), run
        return
    if any(name in attributes for name in _ATTRIBUTES[1:]):
        yield _text(group), FoundRun(attributes)
        return
    for inner in names:
        link = group.get(inner, getlink=True)
        if isinstance(link, h5py.HardLink):
            yield from _runs(group, inner, depth + 1, describe)


def _text(group: h5py.Group) -> str:
    """Give the path of a group, where it is text; a damaged one leads nowhere."""
    return str(group.name).strip("/").encode(errors="replace").decode()


def _attributes(group: h5py.Group) -> Iterator[tuple[str, Any]]:
    try:
        names = list(group.attrs)
    except (OSError, RuntimeError, ValueError, UnicodeError):
        states = (f"random_state_{i}" for i in range(5))
        names = ["version", *_ATTRIBUTES, *states]
    for name in names:
        try:
            name.encode()  # as it was: a damaged one is no text
            value = group.attrs[name]
            pickle.dumps(value)
        except Exception:  # whatever is in the way of one does not keep us from the next
            continue
        yield name, value


def _may_skip(dataset: h5py.Dataset, info: Any) -> bool:
    """Whether a chunk may lie in the file past filters, as one does that did not get shorter."""
    filters = _filters(dataset)
    skips_sum = any(
        code == h5z.FILTER_FLETCHER32 and info.filter_mask >> i & 1
        for i, code in enumerate(filters)
    )
    size = math.prod(dataset.chunks) * dataset.id.get_type().get_size()
    return not skips_sum and info.size == size + 4 * (h5z.FILTER_FLETCHER32 in filters)


def _filters(dataset: h5py.Dataset) -> list[int]:
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]


def _corners(dataset: h5py.Dataset, start: int, stop: int) -> Iterator[tuple[int, ...]]:
    first = start // dataset.chunks[0] * dataset.chunks[0]
    bounds = [(first, stop), *((0, n) for n in dataset.shape[1:])]
    steps = zip(bounds, dataset.chunks, strict=True)
    yield from itertools.product(*(range(low, high, step) for (low, high), step in steps))


def main() -> None:
    """Say that it is there, and answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    answers.write(READY)
    answers.flush()
    broken: Broken | None = None
    while True:
        try:
            name, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            if name == "open":
                if broken is not None:
                    broken.close()
                broken = Broken(*arguments)
                answer = True, broken.runs()
            else:
                assert broken is not None
                answer = True, broken.rows(*arguments)
        except Exception as error:
            answer = False, str(error) or type(error).__name__
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
