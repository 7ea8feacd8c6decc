"""What a sampler's blobs become in a store: their dtype and shape, and dicts as structured rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BlobLayout", "decode_dicts", "inconsistent_blobs", "layout_of"]


@dataclass(frozen=True)
class BlobLayout:
    """How the blobs of one step are kept.

    Attributes
    ----------
    dtype : dtype
        Of one walker's blob; structured where blobs are dicts.
    shape : tuple of int
        Of one walker's blob.
    dicts : bool
        Whether the log-probability function returns its blobs as dicts.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    dicts: bool = False

    def encode(self, blobs: NDArray[Any]) -> NDArray[Any]:
        """Turn the dicts of one step into a structured array; other blobs stay as they are.

        Parameters
        ----------
        blobs : ndarray, shape (n_walkers, ...)
            The blobs of one step, as emcee hands them over.

        Returns
        -------
        ndarray, shape (n_walkers, ...)

        Raises
        ------
        ValueError
            For dicts whose keys are not those of the first step.
        TypeError
            For values that do not convert to the dtypes of the first step.
        """
        blobs = np.asarray(blobs)
        if not self.dicts:
            return blobs
        encoded = np.empty(len(blobs), dtype=self.dtype)
        fields = self.dtype.fields
        assert fields is not None
        walkers = _present(blobs, set(fields))
        given = [blobs[walker] for walker in walkers]
        for name, (dtype, *_) in fields.items():
            values = [blob[name] for blob in given]
            together = _together(values, dtype)
            if together is not None and len(given) == len(blobs):
                encoded[name] = together
                continue
            encoded[name] = _missing(dtype.base)
            if together is not None:
                encoded[name][walkers] = together
            else:
                _fill(encoded[name], walkers, values, dtype, name)
        return encoded

    def joined(self, blobs: NDArray[Any]) -> BlobLayout:
        """Find the layout for what was kept in this one and for the blobs of a step.

        Parameters
        ----------
        blobs : ndarray, shape (n_walkers, ...)
            As emcee hands them over.

        Raises
        ------
        ValueError, TypeError
            Where they do not fit together.
        """
        if self.dicts:
            self.encode(blobs)  # the first step fixed the fields; this says what does not fit
            return self
        other = layout_of(blobs)
        if other.shape != self.shape:
            raise ValueError(
                f"blobs of dtype {other.dtype} and shape {other.shape} do not fit those of "
                f"earlier steps, dtype {self.dtype} and shape {self.shape}"
            )
        if self.dtype.hasobject or other.dtype == self.dtype:
            return self
        return BlobLayout(np.result_type(self.dtype, other.dtype), self.shape)

    def admit(self, blobs: NDArray[Any]) -> None:
        """Check that blobs of a later step can be kept in this layout.

        Raises
        ------
        ValueError, TypeError
            Where they cannot.
        """
        joined = self.joined(blobs)
        if not np.can_cast(joined.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"blobs of dtype {blobs.dtype} do not fit those of earlier steps, dtype "
                f"{self.dtype}"
            )

    def encode_step(self, step: int, blobs: NDArray[Any]) -> NDArray[Any]:
        """Encode the blobs of a step, as a recorder asks for it."""
        return self.encode(blobs)


def layout_of(blobs: NDArray[Any]) -> BlobLayout:
    """Find out from the blobs of a step how they are to be kept.

    Parameters
    ----------
    blobs : ndarray, shape (n_walkers, ...)
        As emcee hands them over: an object array where the log-probability function returned
        dicts, strings or Python objects.

    Returns
    -------
    BlobLayout
    """
    if blobs.dtype.hasobject and blobs.ndim == 1:
        dicts = [blob for blob in blobs if isinstance(blob, dict)]
        if any(dicts) and all(blob is None or isinstance(blob, dict) for blob in blobs):
            return BlobLayout(_dtype_of(dicts), (), dicts=True)
    base = blobs.dtype
    return BlobLayout(base.base, (*blobs.shape[1:], *base.shape))


def decode_dicts(rows: NDArray[Any]) -> NDArray[Any]:
    """Give structured blobs back as the dicts they came from.

    emcee's moves assign the blobs of a proposal into those of the last step, so a run that goes on
    needs dicts where its log-probability function returns dicts.

    Parameters
    ----------
    rows : ndarray, shape (n_walkers,)
        Structured.

    Returns
    -------
    ndarray of object, shape (n_walkers,)
        A dict a walker, also where the walker had none: its fields are then missing.
    """
    names = rows.dtype.names or ()
    decoded = np.empty(len(rows), dtype=object)
    for walker, row in enumerate(rows):
        decoded[walker] = {name: _plain(row[name]) for name in names}
    return decoded


def _together(values: list[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Convert the values of one field at once; None where they are to be looked at one by one."""
    if dtype.base.hasobject:
        return None
    try:
        together = np.asarray(values)
    except (ValueError, TypeError):  # of several shapes, or such as convert only alone
        return None
    fits = together.shape == (len(values), *dtype.shape)
    return together if fits and np.can_cast(together.dtype, dtype.base, "same_kind") else None


def _fill(
    column: NDArray[Any],
    walkers: list[int],
    values: list[Any],
    dtype: np.dtype[Any],
    name: str,
) -> None:
    """Write the values of one field; None is left as missing."""
    if dtype.base.hasobject:
        for walker, value in zip(walkers, values, strict=True):
            column[walker] = value
        return
    for walker, value in zip(walkers, values, strict=True):
        if value is None:
            continue
        given = np.asarray(value)
        if given.shape != dtype.shape:
            raise ValueError(
                f"blob {name!r} of walker {walker} has shape {given.shape}; in the first step it "
                f"had {dtype.shape}"
            )
        if not np.can_cast(given.dtype, dtype.base, "same_kind"):
            raise TypeError(
                f"blob {name!r} of walker {walker} is of dtype {given.dtype}; the first step fixed "
                f"{dtype.base}"
            )
        column[walker] = given


def _present(blobs: NDArray[Any], fields: set[str]) -> list[int]:
    present = []
    for walker, blob in enumerate(blobs):
        if blob is None:
            continue
        if not isinstance(blob, dict):
            raise TypeError(
                f"the blob of walker {walker} is of type {type(blob).__name__}; "
                "the first step had dicts"
            )
        if blob.keys() != fields:
            absent = sorted(fields - blob.keys())
            unknown = sorted(map(str, blob.keys() - fields))
            raise ValueError(
                f"the blob of walker {walker} changed its keys: "
                f"missing {absent}, unexpected {unknown}; the first step had {sorted(fields)}"
            )
        present.append(walker)
    return present


def _dtype_of(dicts: list[dict[str, Any]]) -> np.dtype[Any]:
    keys = list(dicts[0])
    for key in keys:
        if not isinstance(key, str) or not key:
            raise TypeError(f"blob keys are to be strings that are not empty, got {key!r}")
    _present(np.array(dicts, dtype=object), set(keys))
    declared: list[tuple[Any, ...]] = []
    for key in keys:
        given = [blob[key] for blob in dicts if blob[key] is not None]
        values = [np.asarray(value, dtype=_object_if_string(value)) for value in given or [None]]
        shape = values[0].shape
        dtype = np.result_type(*(value.dtype for value in values))
        if dtype.hasobject or any(value.shape != shape for value in values):
            declared.append((key, object))
        else:
            declared.append((key, dtype, shape))
    return np.dtype(declared)


def _object_if_string(value: Any) -> type | None:
    # A fixed width taken from the first step would cut the strings of later ones.
    return object if isinstance(value, (str, bytes)) else None


def _missing(dtype: np.dtype[Any]) -> Any:
    """The value that stands for a field of a walker without a blob."""
    if dtype.kind in "fc":
        return np.nan
    if dtype.kind == "i":
        return np.iinfo(dtype).min
    if dtype.kind == "u":
        return np.iinfo(dtype).max
    if dtype.kind in "mM":
        return np.array("NaT", dtype=dtype)
    return None if dtype.hasobject else np.zeros((), dtype=dtype)


def _plain(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def inconsistent_blobs() -> ValueError:
    """Make emcee's error for steps of a run of which some have blobs and some not."""
    return ValueError("inconsistent use of blobs: all steps of a run have them, or none")
