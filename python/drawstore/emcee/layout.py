"""emcee's layout of an HDF5 group, read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import emcee
import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore.hdf5.rows import append_rows, chunk_rows, overwrite, read_rows

from .blobs import BlobLayout

__all__ = ["Stored", "append_steps", "create_group", "emcee_group", "read_steps", "storable"]

_STATE = "random_state_"
_DICTS = "drawstore_dicts"


@dataclass(frozen=True)
class Stored:
    """What a group says of the run in it.

    Attributes
    ----------
    nwalkers, ndim, iteration : int
        Walkers, parameters, steps.
    dtype : dtype
        Of the chain.
    blobs : BlobLayout or None
        As read back, not as they lie in the file.
    accepted : ndarray, shape (nwalkers,)
        Accepted steps of each walker.
    random_state : list or None
        After the last step.
    """

    nwalkers: int
    ndim: int
    iteration: int
    dtype: np.dtype[Any]
    blobs: BlobLayout | None
    accepted: NDArray[Any]
    random_state: list[Any] | None

    @classmethod
    def of(cls, group: h5py.Group) -> Stored:
        attrs = group.attrs
        state = [attrs[key] for key in sorted(attrs) if key.startswith(_STATE)]
        return cls(
            nwalkers=int(attrs["nwalkers"]),
            ndim=int(attrs["ndim"]),
            iteration=int(attrs["iteration"]),
            dtype=group["chain"].dtype,
            blobs=_layout_in(group["blobs"]) if attrs["has_blobs"] else None,
            accepted=group["accepted"][...],
            random_state=state or None,
        )


def emcee_group(file: h5py.File, name: str) -> h5py.Group:
    """Find the group of a run.

    Raises
    ------
    KeyError
        Where there is no such group; the message lists those there are.
    ValueError
        Where it is not a group in emcee's layout.
    """
    found = file.get(name)
    if found is None:
        groups = [repr(key) for key in file if isinstance(file.get(key), h5py.Group)]
        there = f"it has {', '.join(groups)}" if groups else "it has no groups"
        raise KeyError(f"{file.filename!r} has no group {name!r}; {there}")
    if not is_emcee_group(found):
        raise ValueError(
            f"{name!r} in {file.filename!r} is not a chain of emcee: a group with 'chain', "
            "'log_prob' and the attribute 'iteration' was expected"
        )
    return found


def is_emcee_group(found: Any) -> bool:
    """Whether an object of a file is a group in emcee's layout."""
    return (
        isinstance(found, h5py.Group)
        and {"chain", "log_prob", "accepted"} <= found.keys()
        and {"iteration", "nwalkers", "ndim", "has_blobs"} <= found.attrs.keys()
    )


def create_group(
    file: h5py.File,
    name: str,
    shape: tuple[int, int],
    dtype: DTypeLike,
    compression: Any,
    compression_opts: Any,
) -> None:
    """Put an empty run in place of the one of that name.

    Raises
    ------
    ValueError
        Where the name stands for something that is not a run.
    """
    nwalkers, ndim = shape
    found = file.get(name)
    if found is not None:
        if not is_emcee_group(found) and not (isinstance(found, h5py.Group) and not len(found)):
            raise ValueError(
                f"{name!r} in {file.filename!r} is not a chain of emcee and is left as it is; "
                "choose another name"
            )
        del file[name]
    group = file.create_group(name)
    group.attrs["version"] = emcee.__version__
    group.attrs["nwalkers"] = nwalkers
    group.attrs["ndim"] = ndim
    group.attrs["has_blobs"] = False
    group.attrs["iteration"] = 0
    # Written anew with each block of steps, so it is not compressed: its place stays its place.
    group.create_dataset("accepted", data=np.zeros(nwalkers))
    for key, extents in (("chain", (nwalkers, ndim)), ("log_prob", (nwalkers,))):
        _create_rows(group, key, extents, np.dtype(dtype), compression, compression_opts)


def append_steps(
    group: h5py.Group,
    start: int,
    rows: dict[str, NDArray[Any]],
    blobs: BlobLayout | None,
    accepted: NDArray[Any],
    random_state: Any,
    compression: Any,
    compression_opts: Any,
) -> None:
    """Append a block of steps, and what a resumed run needs to know of the last of them.

    Parameters
    ----------
    group : h5py.Group
        Of the run.
    start : int
        The step that the first of the rows becomes.
    rows : dict of str to ndarray
        "chain", "log_prob" and, where the run has them, "blobs".
    blobs : BlobLayout or None
        Of the blobs, for their first block.
    accepted : ndarray, shape (nwalkers,)
        Accepted steps of each walker in all.
    random_state : sequence or None
        After the last step.
    compression, compression_opts
        Of h5py, for the first block of blobs.
    """
    if blobs is not None and not group.attrs["has_blobs"]:
        dtype = storable(blobs)
        nwalkers = int(group.attrs["nwalkers"])
        if dtype.hasobject:  # HDF5 keeps such values elsewhere in the file, past all filters
            compression = compression_opts = None
            _create_rows(group, "blobs", (nwalkers, *blobs.shape), dtype, None, None, plain=True)
        else:
            dtype = np.dtype((dtype, blobs.shape))
            _create_rows(group, "blobs", (nwalkers,), dtype, compression, compression_opts)
        if blobs.dicts:
            group["blobs"].attrs[_DICTS] = True
        group.attrs.modify("has_blobs", True)
    for key, values in rows.items():
        if key == "blobs" and blobs is not None:
            values = _to_file(values, storable(blobs))
        append_rows(group[key], start, values)
        stop = start + len(values)
    overwrite(group["accepted"], accepted)
    for i, value in enumerate(random_state or ()):
        _set_attribute(group.attrs, f"{_STATE}{i}", value)
    _set_attribute(group.attrs, "iteration", stop)


def read_steps(group: h5py.Group, key: str, start: int, stop: int, step: int) -> NDArray[Any]:
    """Read steps of "chain", "log_prob" or "blobs"."""
    rows = read_rows(group[key], start, stop, step)
    return _from_file(rows, group[key]) if key == "blobs" else rows


def storable(blobs: BlobLayout) -> np.dtype[Any]:
    """Find the dtype in which HDF5 keeps blobs.

    Raises
    ------
    TypeError
        Where it cannot keep them.
    """
    try:
        dtype = _file_dtype(blobs.dtype)
        h5py.h5t.py_create(dtype, logical=True)
    except TypeError:
        raise TypeError(
            f"an HDF5 file cannot hold blobs of dtype {blobs.dtype}, shape {blobs.shape}; pass "
            "blobs_dtype=... to EnsembleSampler, with a dtype of fixed size for each blob, or keep "
            "the run in memory"
        ) from None
    return dtype


def _create_rows(
    group: h5py.Group,
    key: str,
    extents: tuple[int, ...],
    dtype: np.dtype[Any],
    compression: Any,
    compression_opts: Any,
    plain: bool = False,
) -> None:
    row_bytes = int(np.prod(extents, dtype=object)) * dtype.itemsize
    group.create_dataset(
        key,
        shape=(0, *extents),
        maxshape=(None, *extents),
        chunks=(chunk_rows(row_bytes), *(max(1, n) for n in extents)),
        dtype=dtype,
        compression=compression,
        compression_opts=compression_opts,
        fletcher32=not plain,
    )


def _set_attribute(attrs: h5py.AttributeManager, name: str, value: Any) -> None:
    # Assigning makes a new attribute each time, which the file never gets back.
    if name not in attrs:
        attrs[name] = value
    elif not isinstance(value, str) or attrs[name] != value:  # strings lie elsewhere in the file
        attrs.modify(name, value)


def _file_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.names is not None:
        assert dtype.fields is not None
        if not any(dtype[name].base.kind in "UO" for name in dtype.names):
            return dtype
        return np.dtype(
            [(name, _file_dtype(dtype[name].base), dtype[name].shape) for name in dtype.names]
        )
    if dtype.kind == "U":
        return h5py.string_dtype("utf-8", max(1, dtype.itemsize))  # type: ignore[no-any-return]
    if dtype.kind == "O":
        return h5py.string_dtype("utf-8")  # type: ignore[no-any-return]
    return dtype


def _to_file(rows: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if rows.dtype.names is not None and rows.dtype != dtype:
        out = np.empty(rows.shape, dtype=dtype)
        for name in rows.dtype.names:
            out[name] = _to_file(rows[name], dtype[name].base)
        return out
    if rows.dtype.kind == "U":
        return np.char.encode(rows, "utf-8").astype(dtype)
    if rows.dtype.kind == "O":
        return np.frompyfunc(_text, 1, 1)(rows).astype(dtype)  # type: ignore[no-any-return]
    return rows


def _text(value: Any) -> str | bytes:
    return "" if value is None else value  # type: ignore[no-any-return]


def check_strings(blobs: NDArray[Any], layout: BlobLayout) -> None:
    """Refuse Python objects other than strings, which HDF5 cannot keep.

    Raises
    ------
    TypeError
        That says what to do.
    """
    if layout.dtype.names is None:
        parts = [layout.encode(blobs)] if layout.dtype.hasobject else []
    else:
        encoded = layout.encode(blobs)
        parts = [encoded[n] for n in layout.dtype.names if layout.dtype[n].base.hasobject]
    for part in parts:
        for value in part.flat:
            if value is not None and not isinstance(value, (str, bytes)):
                raise TypeError(
                    f"an HDF5 file cannot hold blobs of dtype {layout.dtype}: a value is of type "
                    f"{type(value).__name__}; pass blobs_dtype=... to EnsembleSampler, with a "
                    "dtype of fixed size for each blob, or keep the run in memory"
                )


def _from_file(rows: NDArray[Any], dataset: h5py.Dataset) -> NDArray[Any]:
    return _decoded(rows, dataset.dtype.base)


def _decoded(rows: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    wanted = _memory_dtype(dtype)
    if dtype.names is not None and wanted != dtype:
        out = np.empty(rows.shape, dtype=wanted)
        for name in dtype.names:
            out[name] = _decoded(rows[name], dtype[name].base)
        return out
    if wanted.kind == "U":
        return np.char.decode(rows, "utf-8").astype(wanted)
    if wanted.kind == "O":
        return np.frompyfunc(_decode, 1, 1)(rows)  # type: ignore[no-any-return]
    return rows


def _decode(value: bytes | str) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _memory_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.names is not None:
        return (
            np.dtype(
                [(name, _memory_dtype(dtype[name].base), dtype[name].shape) for name in dtype.names]
            )
            if any(h5py.check_string_dtype(dtype[n].base) for n in dtype.names)
            else dtype
        )
    text = h5py.check_string_dtype(dtype)
    if text is None or (text.length is not None and text.encoding != "utf-8"):
        return dtype
    return np.dtype(object) if text.length is None else np.dtype(f"U{max(1, text.length // 4)}")


def _layout_in(dataset: h5py.Dataset) -> BlobLayout:
    dtype = dataset.dtype
    shape = (*dataset.shape[2:], *dtype.shape)
    return BlobLayout(_memory_dtype(dtype.base), shape, bool(dataset.attrs.get(_DICTS, False)))
