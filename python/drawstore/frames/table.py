"""Parquet and Arrow IPC files, read column by column and row group by row group."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
from numpy.typing import NDArray

__all__ = ["Table"]

Array = NDArray[Any]

_KEPT_BYTES = 256 * 2**20  # of what was read last, for the next block of rows


class Table:
    """A file of a data frame, to be read.

    Any thread may read. What a read takes is memory for one column of one row group at a time,
    beside 256 MiB of those that were read last.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    schema : Schema
    n_rows : int
    starts : ndarray of int64
        The first row of each row group, and the end of the last.

    Raises
    ------
    ValueError
        Where it is neither, or damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._kept_bytes = 0
        self._source = pa.memory_map(path)
        try:
            with open(path, "rb") as file:
                is_parquet = file.read(4) == b"PAR1"
            self._file: _Parquet | _Arrow = (_Parquet if is_parquet else _Arrow)(self._source)
        except (pa.ArrowInvalid, OSError) as error:
            self._source.close()
            raise ValueError(f"{path!r} is no whole file of a data frame: {error}") from error
        self.schema = self._file.schema
        self.starts = np.cumsum([0, *self._file.group_rows], dtype=np.int64)
        self.n_rows = int(self.starts[-1])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._kept.clear()
            self._source.close()

    def group(self, name: str, group: int) -> Any:
        """Read a column of a row group.

        Raises
        ------
        OSError
            Where it cannot be read.
        """
        with self._lock:
            key = name, group
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            try:
                array = self._file.read(name, group)
            except (pa.ArrowException, OSError) as error:
                raise OSError(f"{self.path!r}, column {name!r}: {error}") from error
            self._kept[key] = array
            self._kept_bytes += array.nbytes
            while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
            return array

    def take(self, name: str, rows: NDArray[np.int64]) -> Any:
        """Read rows of a column, in ascending order, as an array of Arrow."""
        if not len(rows):
            return pa.array([], self.schema.field(name).type)
        groups = np.searchsorted(self.starts, rows[[0, -1]], "right") - 1
        edges = np.searchsorted(rows, self.starts[groups[0] : groups[1] + 2])
        pieces = []
        for group, begin, end in zip(
            range(groups[0], groups[1] + 1), edges, edges[1:], strict=False
        ):
            if begin == end:
                continue
            local = rows[begin:end] - self.starts[group]
            array = self.group(name, group)
            if local[-1] - local[0] == len(local) - 1:
                pieces.append(array.slice(int(local[0]), len(local)))
            else:
                pieces.append(array.take(pa.array(local)))
        return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)


class _Parquet:
    def __init__(self, source: Any) -> None:
        self._file = pa.parquet.ParquetFile(source, page_checksum_verification=True)
        self.schema = self._file.schema_arrow
        metadata = self._file.metadata
        self.group_rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]

    def read(self, name: str, group: int) -> Any:
        # A name with a dot may be the way to a part of another column.
        found = self._file.read_row_group(group, columns=[name], use_threads=False)
        return _whole(found.column(name))


class _Arrow:
    def __init__(self, source: Any) -> None:
        self._source = source
        whole = pa.ipc.open_file(source)
        self.schema = whole.schema
        self._files: dict[str, Any] = {}
        self.group_rows = [whole.get_batch(i).num_rows for i in range(whole.num_record_batches)]

    def read(self, name: str, group: int) -> Any:
        if name not in self._files:
            # Only this column is decompressed.
            options = pa.ipc.IpcReadOptions(included_fields=[self.schema.get_field_index(name)])
            self._files[name] = pa.ipc.open_file(self._source, options=options)
        return self._files[name].get_batch(group).column(0)


def _whole(column: Any) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks()
