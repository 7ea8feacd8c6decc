"""Groups as files: NumPy's npz, uncompressed, and nothing in it is ever unpickled.

A member "index" holds names, dimensions and attributes as JSON; the arrays are members of their
own. Text in object arrays lies as UTF-8, the strings one after the other, beside their lengths.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from .interface import Group

__all__ = ["SAMPLING", "from_npz", "to_npz_bytes", "write_npz"]

Array = NDArray[Any]

SAMPLING = "about the sampling"
"""Name of a group without arrays: attributes of the run that are known after sampling only."""

_VERSION = 1


def to_npz_bytes(group: Group) -> bytes:
    """Give a group as the bytes of an npz file.

    Raises
    ------
    TypeError
        Where values are Python objects other than text, or an attribute is not what JSON can say;
        the message names it.
    """
    file = io.BytesIO()
    _write(group, file)
    return file.getvalue()


def write_npz(group: Group, path: Path) -> None:
    """Write a group to a file, whole or not at all, in place of what was there.

    Raises
    ------
    TypeError
        As `to_npz_bytes` does.
    OSError
        Where there is no room; what was there is kept.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with open(handle, "wb") as file:
            _write(group, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def from_npz(file: bytes | str | os.PathLike[str] | IO[bytes]) -> Group:
    """Read a group.

    Parameters
    ----------
    file : bytes, path, or file
        What `to_npz_bytes` gave, or where it lies.

    Raises
    ------
    ValueError
        Where it is no such file, or a damaged one.
    OSError
        Where it cannot be read.
    """
    try:
        with np.load(io.BytesIO(file) if isinstance(file, bytes) else file) as members:
            index = json.loads(members["index"].tobytes())
            if index["version"] != _VERSION:
                raise ValueError(f"it is of version {index['version']}, this reads {_VERSION}")
            arrays: dict[str, dict[str, Array]] = {"values": {}, "coords": {}}
            for kind, names in index["names"].items():
                for i, name in enumerate(names):
                    arrays[kind][name] = _read(members, f"{kind}-{i}")
            dims = {name: tuple(of_array) for name, of_array in index["dims"].items()}
            return Group(arrays["values"], dims, arrays["coords"], index["attrs"])
    except OSError:
        raise
    except Exception as error:  # zipfile, zlib, NumPy and json each have their own
        name = "these bytes hold" if isinstance(file, bytes) else f"{file} holds"
        raise ValueError(f"{name} no group that drawstore can read: {error}") from error


def _write(group: Group, file: IO[bytes]) -> None:
    index = {
        "version": _VERSION,
        "names": {"values": list(group.values), "coords": list(group.coords)},
        "dims": group.dims,
        "attrs": group.attrs,
    }
    text = json.dumps(index, default=_plain, ensure_ascii=True)
    members: dict[str, Array] = {"index": np.frombuffer(text.encode(), dtype=np.uint8)}
    for kind, arrays in (("values", group.values), ("coords", group.coords)):
        for i, (name, array) in enumerate(arrays.items()):
            members |= _members(f"{kind}-{i}", name, np.asarray(array))
    save = cast(Callable[..., None], np.savez)
    save(file, **members)


def _members(member: str, name: str, array: Array) -> dict[str, Array]:
    if array.dtype.kind not in "OT":
        if array.dtype.hasobject:
            raise TypeError(f"'{name}' holds Python objects ({array.dtype}), which are not stored")
        return {member: array}
    try:
        texts = [text.encode("utf-8", "surrogatepass") for text in array.ravel().tolist()]
    except AttributeError:
        raise TypeError(f"'{name}' holds Python objects other than text") from None
    return {
        f"{member}-text": np.frombuffer(b"".join(texts), dtype=np.uint8),
        f"{member}-lengths": np.array([len(text) for text in texts], np.int64).reshape(array.shape),
    }


def _read(members: Any, member: str) -> Array:
    if member in members:
        return cast(Array, members[member])
    text = members[f"{member}-text"].tobytes()
    lengths = members[f"{member}-lengths"]
    array = np.empty(lengths.shape, dtype=object)
    ends = np.cumsum(lengths)
    for i, (end, length) in enumerate(zip(ends.tolist(), lengths.ravel().tolist(), strict=True)):
        array.flat[i] = text[end - length : end].decode("utf-8", "surrogatepass")
    return array


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an attribute is a {type(value).__name__}, which JSON has no word for")
