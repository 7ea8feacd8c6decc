"""emcee's layout of an HDF5 group, read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import emcee
import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore.hdf5.dtypes import as_texts, file_dtype, from_file, memory_dtype, to_file
from drawstore.hdf5.emcee_groups import is_emcee_group
from drawstore.hdf5.rows import append_rows, chunk_rows, fit_chunks, overwrite, read_rows

from .blobs import BlobLayout

__all__ = [
    "Stored",
    "append_steps",
    "check_storable",
    "create_group",
    "emcee_group",
    "holds_only",
    "read_steps",
]

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
        """Read it from a group."""
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


def emcee_group(file: h5py.File, name: str, path: str | None = None) -> h5py.Group:
    """Find the group of a run.

    Parameters
    ----------
    file : h5py.File
    name : str
    path : str, optional
        Of the file, for messages, where h5py does not know it.

    Raises
    ------
    KeyError
        Where there is no such group; the message lists those there are.
    ValueError
        Where it is not a group in emcee's layout.
    """
    path = path or file.filename
    found = file.get(name)
    if found is None:
        groups = [repr(key) for key in file if isinstance(file.get(key), h5py.Group)]
        there = f"it has {', '.join(groups)}" if groups else "it has no groups"
        raise KeyError(f"{path!r} has no group {name!r}; {there}")
    if not is_emcee_group(found):
        raise ValueError(
            f"{name!r} in {path!r} is not a chain of emcee: a group with 'chain', "
            "'log_prob' and the attribute 'iteration' was expected"
        )
    return found


def holds_only(file: h5py.File, name: str) -> bool:
    """Whether there is nothing in a file but the run of this name."""
    return (
        list(file) == [name]
        and is_emcee_group(file.get(name))
        and not len(file.attrs)
        and file.userblock_size == 0
    )


def create_group(
    file: h5py.File,
    path: str,
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
                f"{name!r} in {path!r} is not a chain of emcee and is left as it is; "
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
    group.create_dataset("accepted", data=np.zeros(nwalkers), fletcher32=True)
    for key, extents in (("chain", (nwalkers, ndim)), ("log_prob", (nwalkers,))):
        _create_rows(group, key, extents, np.dtype(dtype), compression, compression_opts)


def append_steps(
    group: h5py.Group,
    start: int,
    rows: dict[str, NDArray[Any]],
    expected: int,
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
    expected : int
        Steps that the run will have as far as is known; the first block chooses chunks for them.
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
        dtype = file_dtype(blobs.dtype)
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
            values = to_file(values, file_dtype(blobs.dtype))
        stop = start + len(values)
        append_rows(fit_chunks(group[key], max(expected, stop)), start, values)
    overwrite(group["accepted"], accepted)
    for i, value in enumerate(random_state or ()):
        _set_attribute(group.attrs, f"{_STATE}{i}", value)
    _set_attribute(group.attrs, "iteration", stop)


def read_steps(group: h5py.Group, key: str, start: int, step: int, stop: int) -> NDArray[Any]:
    """Read every ``step``-th of the steps from ``start`` to ``stop``.

    Parameters
    ----------
    group : h5py.Group
        Of the run.
    key : {"chain", "log_prob", "blobs"}
        What to read of them.
    start, step, stop : int
    """
    rows = read_rows(group[key], start, stop, step)
    return from_file(rows, group[key].dtype.base) if key == "blobs" else rows


def check_storable(blobs: NDArray[Any], layout: BlobLayout) -> None:
    """Check that an HDF5 file can hold blobs like those of a step.

    Raises
    ------
    TypeError
        Where it cannot; the message says what to do.
    """
    try:
        file_dtype(layout.dtype)
        if layout.dtype == object and all(blob is None for blob in blobs.flat):
            raise TypeError("all are None, which does not say what will come")
        as_texts(layout.encode(blobs))
    except TypeError as error:
        reason = f" ({error})" if layout.dtype.hasobject else ""
        raise TypeError(
            f"an HDF5 file cannot hold blobs of dtype {layout.dtype}, shape {layout.shape}"
            f"{reason}; pass blobs_dtype=... to EnsembleSampler, with a dtype of fixed size for "
            "each blob, or keep the run in memory"
        ) from None


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
    if not isinstance(value, str):
        attrs.modify(name, value)
    elif attrs.get(name) != value:  # a string lies elsewhere in the file
        attrs[name] = value


def _layout_in(dataset: h5py.Dataset) -> BlobLayout:
    dtype = dataset.dtype
    shape = (*dataset.shape[2:], *dtype.shape)
    return BlobLayout(memory_dtype(dtype.base), shape, bool(dataset.attrs.get(_DICTS, False)))
