"""Rows in and out of datasets that grow along their first axis."""

from __future__ import annotations

import itertools
import math
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from drawstore._core import fletcher32, fletcher_chunks

__all__ = [
    "append_rows",
    "chunk_rows",
    "compact_chunks",
    "fit_chunks",
    "overwrite",
    "read_rows",
]

_CHUNK_BYTES = 512 * 1024
_LEAST_CHUNK_BYTES = 32 * 1024  # of short runs, which may yet be resumed many times
_GZIP_REACH = 32 * 1024  # bytes behind that gzip finds again
_READ_BYTES = 8 * 1024 * 1024
_WRITE_BYTES = 4 * 1024 * 1024  # that are made ready at once


def chunk_rows(row_bytes: int, n_rows: int | None = None) -> int:
    """Give the rows of a chunk: whole rows, of at most half a MiB together where they fit.

    Parameters
    ----------
    row_bytes : int
        Bytes of one row.
    n_rows : int, optional
        Rows that are expected in all. The chunks, at least four, are made to end with the last.
    """
    most = max(1, _CHUNK_BYTES // max(1, row_bytes))
    if n_rows is None:
        return most
    least = max(1, _LEAST_CHUNK_BYTES // max(1, row_bytes))
    return max(least, math.ceil(n_rows / max(4, math.ceil(n_rows / most))))


def compact_chunks(row_bytes: int, n_rows: int) -> tuple[int, bool]:
    """Choose chunks for rows that are there, and are to take little space.

    They are as small as compresses well, since emcee, where it goes on with them, writes one anew
    with each step, and HDF5 gives the space of the old one to nobody: at 32 KiB a step of 32 x 5
    costs it 10 kB, at 512 KiB 32 kB, and in its own chunks 15 kB.

    Parameters
    ----------
    row_bytes : int
        Bytes of one row.
    n_rows : int

    Returns
    -------
    rows : int
        Of a chunk: 32 KiB, or 16 rows, but at most half a MiB where rows are not longer.
    is_long : bool
        Whether a row is so long that gzip does not see the one before.
    """
    row_bytes = max(1, row_bytes)
    if row_bytes > _GZIP_REACH:
        return chunk_rows(row_bytes), True
    rows = min(chunk_rows(row_bytes), max(16, _LEAST_CHUNK_BYTES // row_bytes))
    return max(1, min(rows, n_rows)), False


def fit_chunks(dataset: h5py.Dataset, n_rows: int) -> h5py.Dataset:
    """Make a dataset anew, while it is empty, with chunks that suit the rows that are expected.

    A short run would else take a whole chunk. A dataset to which others have put attributes is left
    as it is.

    Parameters
    ----------
    dataset : h5py.Dataset
        Extensible along its first axis.
    n_rows : int
        Rows that are expected in all, at least 1.

    Returns
    -------
    h5py.Dataset
        The new one, or the same.
    """
    if dataset.id.shape[0] or not dataset.chunks or dataset.attrs:
        return dataset
    rows = chunk_rows(math.prod(dataset.shape[1:]) * dataset.dtype.itemsize, n_rows)
    if rows >= dataset.chunks[0]:
        return dataset
    plist = dataset.id.get_create_plist()
    plist.set_chunk((rows, *dataset.chunks[1:]))
    parent, name = dataset.parent, dataset.name
    kind, space = dataset.id.get_type(), dataset.id.get_space()
    del parent[name]
    return h5py.Dataset(h5py.h5d.create(parent.id, name.encode(), kind, space, plist))


def append_rows(dataset: h5py.Dataset, start: int, rows: NDArray[Any]) -> None:
    """Make rows the end of a dataset.

    A compressed chunk that is written again each time it has grown would leave its old copies in
    the file, so the last chunk, while it grows, lies there as it is; its checksum is kept. HDF5
    marks such a chunk by its filter mask, and every reader knows what to do. When it is full and
    the next one begins, it is compressed to another place, and the next one grows in its place:
    HDF5 forgets free space when a file is closed. HDF5 also remembers the mask it saw last, so a
    dataset is appended to once each time its file is opened.

    Parameters
    ----------
    dataset : h5py.Dataset
        Extensible along its first axis.
    start : int
        The row that the first of ``rows`` becomes; what was there and behind it is replaced.
    rows : ndarray, shape (n, *dataset.shape[1:])
    """
    # Through h5py's lower half, which makes fewer objects: each that goes gives the interpreter up,
    # and a sampler that never rests pays for it.
    held, *shape = dataset.id.shape
    stop = start + len(rows)
    if held > start:
        dataset.id.set_extent((start, *shape))
    dataset.id.set_extent((stop, *shape))
    if len(rows) == 0:
        return
    raw = _RawChunks.of(dataset)
    if raw is None:
        dataset[start:stop] = rows
        return
    if raw.append(start, rows):
        return
    per_chunk = raw.rows
    begun = start % per_chunk
    if raw.compresses and not begun and start and raw.holds(start - per_chunk):
        begun = per_chunk
    if begun:
        rows = np.concatenate([dataset[start - begun : start], rows])
        start -= begun
    if not raw.compresses:
        for i in range(0, len(rows), per_chunk):
            raw.write(start + i, rows[i : i + per_chunk])
        return
    if begun and len(rows) <= per_chunk:
        raw.write(start, rows)
        return
    whole = len(rows) // per_chunk * per_chunk
    if begun:
        dataset.resize(start, axis=0)
        dataset.resize(stop, axis=0)
    if whole < len(rows):
        raw.write(start + whole, rows[whole:])
    if whole:
        dataset[start : start + whole] = rows[:whole]


def overwrite(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    """Replace all of a small dataset, in the space that it has."""
    raw = _RawChunks.of(dataset)
    if raw is None:
        dataset[...] = values
        return
    values = np.ascontiguousarray(values, dtype=dataset.dtype)
    if not raw.append(0, values):
        for i in range(0, len(values), raw.rows):
            raw.write(i, values[i : i + raw.rows])


def read_rows(dataset: h5py.Dataset, start: int, stop: int, step: int = 1) -> NDArray[Any]:
    """Read every ``step``-th row of [start, stop).

    Whole chunks are read and sliced in memory: HDF5's own strided selection is several times
    slower. Chunks without compression are read past HDF5's cache, and their checksums verified
    here.

    Parameters
    ----------
    dataset : h5py.Dataset
    start, stop, step : int
        Not negative; ``step`` at least 1.

    Returns
    -------
    ndarray, shape (n, *dataset.shape[1:])
    """
    stop = min(stop, len(dataset))
    wanted = range(start, max(start, stop), step)
    raw = _RawChunks.of(dataset)
    if raw is not None and not raw.readable:
        raw = None
    if not wanted or (raw is None and step == 1):
        return dataset[start : max(start, stop)]  # type: ignore[no-any-return]
    out = np.empty((len(wanted), *dataset.shape[1:]), dtype=dataset.dtype)
    block = dataset.chunks[0] if dataset.chunks else len(dataset)
    if raw is None:
        row_bytes = max(1, out.nbytes // len(out))
        block *= max(1, _READ_BYTES // (row_bytes * block))
    done = 0
    for first in range(start // block * block, stop, block):
        if wanted[done] >= first + block:
            continue
        rows = None if raw is None else raw.read(first)
        if rows is None:
            rows = dataset[first : min(first + block, stop)]
        taken = rows[wanted[done] - first : stop - first : step]
        out[done : done + len(taken)] = taken
        done += len(taken)
        if done == len(wanted):
            break
    return out


class _RawChunks:
    """Chunks of a dataset as they lie in memory, past its compression and HDF5's cache.

    Parameters
    ----------
    dataset : h5py.Dataset
    dtype : dtype
        Of the dataset.
    chunks : tuple of int
        Shape of a chunk.
    filters : list of int
        HDF5's codes of the dataset's filters, in order.

    Attributes
    ----------
    rows : int
        Of a chunk.
    compresses : bool
        Whether there is a filter that does more than to add a checksum.
    """

    def __init__(
        self,
        dataset: h5py.Dataset,
        dtype: np.dtype[Any],
        chunks: tuple[int, ...],
        filters: list[int],
    ) -> None:
        self._id = dataset.id
        self._dtype = dtype
        self._chunks = chunks
        self._shape = dataset.id.shape
        self.rows = chunks[0]
        self._checked = h5py.h5z.FILTER_FLETCHER32 in filters
        self.compresses = any(code != h5py.h5z.FILTER_FLETCHER32 for code in filters)
        self._mask = sum(
            1 << i for i, code in enumerate(filters) if code != h5py.h5z.FILTER_FLETCHER32
        )
        self._bytes = math.prod(chunks) * dtype.itemsize
        self._buffer = bytearray()

    @classmethod
    def of(cls, dataset: h5py.Dataset) -> _RawChunks | None:
        """Make a writer, or None for a dataset that HDF5 can keep in place by itself.

        That is one without filters, and one whose values lie elsewhere in the file (strings of any
        length).
        """
        plist = dataset.id.get_create_plist()
        filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
        if not filters:  # there are chunks where there is one
            return None
        kind = dataset.id.get_type()
        dtype = kind.dtype
        if dtype.hasobject or not h5py.h5t.py_create(dtype, logical=True).equal(kind):
            return None
        return cls(dataset, dtype, plist.get_chunk(), filters)

    @property
    def readable(self) -> bool:
        """Whether chunks lie in the file as in memory, and hold whole rows."""
        return not self.compresses and self._chunks[1:] == self._shape[1:]

    def holds(self, start: int) -> bool:
        """Whether the chunk that begins at row ``start`` lies in the file past its compression."""
        info = self._id.get_chunk_info_by_coord(self._corner(start))
        return bool(info.filter_mask)

    def read(self, start: int) -> NDArray[Any] | None:
        """Read the chunk that begins at row ``start``; its memory is used again by the next read.

        None stands for a chunk that HDF5 has to read, because it is not there, or to judge, because
        its checksum is another.
        """
        corner = self._corner(start)
        stored = self._bytes + 4 * self._checked
        info = self._id.get_chunk_info_by_coord(corner)
        if info.byte_offset is None or info.filter_mask or info.size != stored:
            return None
        chunk = self._memory()
        self._id.read_direct_chunk(corner, out=self._buffer)
        data = memoryview(self._buffer)
        if self._checked and fletcher32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            return None
        return chunk

    def append(self, start: int, rows: NDArray[Any]) -> bool:
        """Write rows behind those before ``start``, if a chunk is whole rows and their checksum.

        Returns
        -------
        bool
            False where it is not, or where HDF5 has to judge the chunk in which they begin.
        """
        if not (self._checked and self.readable):
            return False
        begun, head = start % self.rows, memoryview(b"")
        first = start - begun
        if begun:
            if self.read(first) is None:
                return False
            head = memoryview(self._buffer)[: begun * (self._bytes // self.rows)]
        rows = np.ascontiguousarray(rows, dtype=self._dtype.base)
        at_once = max(1, _WRITE_BYTES // self._bytes) * self.rows
        at = 0
        while at < len(rows):
            stop = at + at_once - begun
            for chunk in fletcher_chunks(head, rows[at:stop], self._bytes):
                self._id.write_direct_chunk(self._corner(first), chunk, self._mask)
                first += self.rows
            at, begun, head = stop, 0, memoryview(b"")
        return True

    def write(self, start: int, rows: NDArray[Any]) -> None:
        """Write the chunks that begin at row ``start``; rows that are missing are zero."""
        chunk = self._memory()
        extents = [range(0, n, c) for n, c in zip(self._shape[1:], self._chunks[1:], strict=True)]
        for corner in itertools.product(*extents):
            part = rows[
                (
                    slice(None),
                    *(slice(o, o + c) for o, c in zip(corner, self._chunks[1:], strict=True)),
                )
            ]
            if part.shape != chunk.shape:
                chunk[...] = np.zeros((), dtype=chunk.dtype)
            chunk[tuple(slice(n) for n in part.shape)] = part
            if self._checked:
                sum_ = fletcher32(memoryview(self._buffer)[:-4])
                self._buffer[-4:] = sum_.to_bytes(4, "little")
            self._id.write_direct_chunk((start, *corner), self._buffer, self._mask)

    def _corner(self, start: int) -> tuple[int, ...]:
        return (start, *(0 for _ in self._chunks[1:]))

    def _memory(self) -> NDArray[Any]:
        """Give a chunk whose memory is used again by the next read or write."""
        if not self._buffer:
            self._buffer = bytearray(self._bytes + 4 * self._checked)
        shape = (*self._chunks, *self._dtype.shape)
        return np.ndarray(shape, dtype=self._dtype.base, buffer=self._buffer)
