"""Names and values as they stand in a query, and rows in FORMAT RowBinary."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reader", "literal", "pack_rows", "quoted", "unpack_rows"]

_ESCAPES = {"\\": "\\\\", "`": "\\`", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r"}
_NUMBERS = {
    "UInt8": struct.Struct("<B"),
    "UInt32": struct.Struct("<I"),
    "UInt64": struct.Struct("<Q"),
    "Int64": struct.Struct("<q"),
    "Float64": struct.Struct("<d"),
}
_KINDS = {"UInt": ("u", (1, 2, 4, 8)), "Int": ("i", (1, 2, 4, 8)), "Float": ("f", (4, 8))}
_DTYPES = {
    f"{name}{8 * size}": np.dtype(f"<{kind}{size}")
    for name, (kind, sizes) in _KINDS.items()
    for size in sizes
}


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)


def quoted(name: str) -> str:
    """Give the name of a table or column for a query, whatever it consists of."""
    return f"`{_escaped(name)}`"


def literal(text: str) -> str:
    """Give a text for a query."""
    return f"'{_escaped(text)}'"


def pack_rows(types: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Give rows in FORMAT RowBinary.

    Parameters
    ----------
    types : sequence of str
        Of the columns: numbers, or String.
    rows : iterable of sequence
        Of numbers, and of str or bytes.
    """
    out = bytearray()
    for row in rows:
        for kind, value in zip(types, row, strict=True):
            if kind == "String":
                data = value.encode() if isinstance(value, str) else value
                out += _packed_count(len(data)) + data
            else:
                out += _NUMBERS[kind].pack(value)
    return bytes(out)


def unpack_rows(types: Sequence[str], data: bytes) -> list[tuple[Any, ...]]:
    """Read rows in FORMAT RowBinary; a String is bytes.

    Raises
    ------
    ValueError
        Where it is something else, or cut off.
    """
    rows = []
    at = 0
    while at < len(data):
        row: list[Any] = []
        for kind in types:
            if kind == "String":
                size, at = _unpacked_count(data, at)
                row.append(data[at : at + size])  # no more than there is
                at += size
            else:
                number = _NUMBERS[kind]
                row += number.unpack(data[at : at + number.size].ljust(number.size, b"\0"))
                at += number.size
            if at > len(data):
                raise ValueError("the answer of the server is cut off")
        rows.append(tuple(row))
    return rows


class Reader:
    """Reads the values of one row in FORMAT RowBinary, of which some are arrays.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    ValueError
        By its methods: where the row is cut off.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, kind: str) -> int:
        """Read a number."""
        return int(self._take(_DTYPES[kind], 1)[0])

    def array(self, kind: str) -> NDArray[Any]:
        """Read an array of numbers."""
        return self._take(_DTYPES[kind], self._count())

    def arrays(self, kind: str) -> NDArray[Any]:
        """Read an array of arrays that are alike in length."""
        return np.stack([self.array(kind) for _ in range(self._count())])

    def counts(self) -> dict[int, int]:
        """Read what ``sumMap`` gives for numbers of 32 and of 64 bits."""
        keys, values = self.array("UInt32"), self.array("UInt64")
        return dict(zip(keys.tolist(), values.tolist(), strict=True))

    def _count(self) -> int:
        count, self._at = _unpacked_count(self._data, self._at)
        return count

    def _take(self, dtype: np.dtype[Any], n: int) -> NDArray[Any]:
        end = self._at + n * dtype.itemsize
        if end > len(self._data):
            raise ValueError("the answer of the server is cut off")
        values = np.frombuffer(self._data, dtype, n, self._at)
        self._at = end
        return values


def _packed_count(count: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while count > 0x7F:
        out.append(count & 0x7F | 0x80)
        count >>= 7
    out.append(count)
    return bytes(out)


def _unpacked_count(data: bytes, at: int) -> tuple[int, int]:
    count = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        count |= (byte & 0x7F) << shift
        shift += 7
        if byte <= 0x7F:
            return count, at
    raise ValueError("the answer of the server is cut off")
