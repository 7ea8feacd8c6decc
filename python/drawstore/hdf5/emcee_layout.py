"""emcee's layout of an HDF5 group, read and written."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore.ensemble import RANDOM_STATE
from drawstore.ensemble.blob_columns import columns_of, join
from drawstore.ensemble.blobs import BlobLayout, inconsistent_blobs, layout_of
from drawstore.meta import make_meta

from .attributes import change
from .dtypes import as_texts, file_dtype, from_file, memory_dtype, to_file
from .emcee_groups import is_emcee_group
from .rows import append_rows, chunk_rows, fit_chunks, overwrite, read_rows

if TYPE_CHECKING:
    from drawstore.meta import RunMeta, VariableSpec

__all__ = [
    "Stored",
    "accepted_in",
    "append_steps",
    "create_group",
    "declare_blobs",
    "emcee_group",
    "fit_blobs",
    "holds_only",
    "keys_of",
    "random_state_in",
    "read_steps",
    "split_rows",
    "steps_meta",
    "take_steps",
]


class _Chain(Protocol):
    def get_draws(self, name: str, slc: slice) -> NDArray[Any]: ...


_STATE = "random_state_"
_DICTS = "drawstore_dicts"


@dataclass(frozen=True)
class Stored:
    """What a group says of the steps in it.

    Attributes
    ----------
    nwalkers, ndim, iteration : int
        Walkers, parameters, steps.
    dtype : dtype
        Of the chain.
    blobs : BlobLayout or None
        As read back, not as they lie in the file.
    """

    nwalkers: int
    ndim: int
    iteration: int
    dtype: np.dtype[Any]
    blobs: BlobLayout | None

    @classmethod
    def of(cls, group: h5py.Group) -> Stored:
        """Read it from a group."""
        attrs = group.attrs
        return cls(
            nwalkers=int(attrs["nwalkers"]),
            ndim=int(attrs["ndim"]),
            iteration=int(attrs["iteration"]),
            dtype=group["chain"].dtype,
            blobs=_layout_in(group["blobs"]) if attrs["has_blobs"] else None,
        )


def accepted_in(group: h5py.Group) -> NDArray[Any]:
    """Give the accepted steps of each walker of a group, shape (nwalkers,)."""
    accepted: NDArray[Any] = group["accepted"][...]
    return accepted


def random_state_in(group: h5py.Group) -> list[Any] | None:
    """Give the state of the random numbers after the last step of a group, if that has one."""
    attrs = group.attrs
    return [attrs[key] for key in sorted(attrs) if key.startswith(_STATE)] or None


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
    with contextlib.suppress(PackageNotFoundError):  # who writes such a file may be without emcee
        group.attrs["version"] = version("emcee")
    group.attrs["nwalkers"] = nwalkers
    group.attrs["ndim"] = ndim
    group.attrs["has_blobs"] = False
    group.attrs["iteration"] = 0
    # Written anew with each block of steps, so it is not compressed: its place stays its place.
    group.create_dataset("accepted", data=np.zeros(nwalkers), fletcher32=True)
    for key, extents in (("chain", (nwalkers, ndim)), ("log_prob", (nwalkers,))):
        _create_rows(group, key, extents, np.dtype(dtype), compression, compression_opts)


def fit_blobs(held: BlobLayout | None, steps: int, blobs: NDArray[Any] | None) -> bool:
    """Check that steps with such blobs may follow so many others.

    Parameters
    ----------
    held : BlobLayout or None
        Of the blobs that the run has, or has declared.
    steps : int
    blobs : ndarray, shape (nwalkers, ...), or None
        Of the step to come.

    Returns
    -------
    bool
        False where they may, but others are declared.

    Raises
    ------
    ValueError, TypeError
        Where earlier steps had none, or others, or where no file can hold them.
    """
    if steps > 0:
        if (blobs is None) != (held is None):
            raise inconsistent_blobs()
        if blobs is not None and held is not None:
            held.admit(blobs)
        return True
    layout = None if blobs is None else layout_of(blobs)
    if blobs is not None and layout is not None:
        _check_storable(blobs, layout)
    return layout == held


def declare_blobs(
    group: h5py.Group, blobs: BlobLayout | None, compression: Any, compression_opts: Any
) -> None:
    """Say in a group without steps which blobs there will be, as emcee does when it grows."""
    if group.attrs["has_blobs"]:
        del group["blobs"]
    group.attrs.modify("has_blobs", blobs is not None)
    if blobs is None:
        return
    dtype = file_dtype(blobs.dtype)
    nwalkers = int(group.attrs["nwalkers"])
    if dtype.hasobject:  # HDF5 keeps such values elsewhere in the file, past all filters
        _create_rows(group, "blobs", (nwalkers, *blobs.shape), dtype, None, None, plain=True)
    else:
        dtype = np.dtype((dtype, blobs.shape))
        _create_rows(group, "blobs", (nwalkers,), dtype, compression, compression_opts)
    if blobs.dicts:
        group["blobs"].attrs[_DICTS] = True


def append_steps(
    group: h5py.Group,
    start: int,
    rows: dict[str, NDArray[Any]],
    expected: int,
    blobs: BlobLayout | None,
    accepted: NDArray[Any],
    random_state: Any,
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
        Of the blobs.
    accepted : ndarray, shape (nwalkers,)
        Accepted steps of each walker in all.
    random_state : sequence or None
        After the last step.
    """
    for key, values in rows.items():
        if key == "blobs" and blobs is not None:
            values = to_file(values, file_dtype(blobs.dtype))
        stop = start + len(values)
        append_rows(fit_chunks(group[key], max(expected, stop)), start, values)
    overwrite(group["accepted"], accepted)
    for i, value in enumerate(random_state or ()):
        change(group, f"{_STATE}{i}", value)
    change(group, "iteration", stop)


def read_steps(group: h5py.Group, key: str, rows: range) -> NDArray[Any]:
    """Read steps of "chain", "log_prob" or "blobs"."""
    values = read_rows(group[key], rows.start, rows.stop, rows.step)
    return from_file(values, group[key].dtype.base) if key == "blobs" else values


def steps_meta(stored: Stored) -> RunMeta:
    """Describe the steps of a run as rows on their way into its group; it is not to be changed."""
    return _steps_meta(stored.nwalkers, stored.ndim, stored.dtype, stored.blobs)


@functools.lru_cache(maxsize=64)
def _steps_meta(walkers: int, ndim: int, dtype: np.dtype[Any], blobs: BlobLayout | None) -> RunMeta:
    variables: dict[str, VariableSpec] = {
        "chain": (dtype, (walkers, ndim)),
        "log_prob": (dtype, (walkers,)),
    }
    if blobs is not None:
        variables |= columns_of(blobs, walkers)
    stats: dict[str, VariableSpec] = {
        "accepted": (np.float64, (walkers,)),
        "random_state": (RANDOM_STATE, ()),
    }
    return make_meta(variables, stats, rid="steps")


def keys_of(blobs: BlobLayout | None) -> list[str]:
    """List what is kept of each step."""
    return ["chain", "log_prob", *(["blobs"] if blobs is not None else [])]


def take_steps(chain: _Chain, key: str, rows: range, blobs: BlobLayout | None) -> NDArray[Any]:
    """Give steps from a chain whose rows `steps_meta` describes."""
    slc = slice(rows.start, rows.stop, rows.step)
    if key != "blobs" or blobs is None:
        return chain.get_draws(key, slc)
    return join(blobs, lambda name: chain.get_draws(name, slc))


def split_rows(rows: range, held: int) -> tuple[range, range]:
    """Split steps into those that a file has, so many, and those that follow."""
    n = len(range(rows.start, min(rows.stop, held), rows.step))
    return rows[:n], rows[n:]


def _check_storable(blobs: NDArray[Any], layout: BlobLayout) -> None:
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


def _layout_in(dataset: h5py.Dataset) -> BlobLayout:
    dtype = dataset.dtype
    shape = (*dataset.shape[2:], *dtype.shape)
    return BlobLayout(memory_dtype(dtype.base), shape, bool(dataset.attrs.get(_DICTS, False)))
