"""What is wrong with a file, in words that help."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

__all__ = ["explained", "is_lock_error", "locked", "naming"]

# How HDF5's own words begin, whatever exception h5py makes of them.
_WORDS_OF_HDF5 = (
    "Can't ",
    "Error ",
    "Failed to ",
    "Invalid location",
    "Unable to ",
    "Unspecified ",
)


def is_lock_error(error: OSError) -> bool:
    """Whether HDF5 could not open a file because another program has locked it."""
    text = str(error)
    return "unable to lock file" in text or "Resource temporarily unavailable" in text


def locked(path: str, waited: float) -> BlockingIOError:
    """Make the error for a file that another program holds, after so many seconds."""
    return BlockingIOError(
        errno.EWOULDBLOCK,
        f"{path!r} is locked by another program that has it open; waited {waited:.1f} s. "
        "Close the file there and try again",
    )


def explained(path: str, error: OSError) -> OSError:
    """Say what is wrong with a file, where HDF5's own words do not."""
    text = str(error)
    if error.errno not in (None, errno.EISDIR) or text.startswith(repr(path)):
        return error  # the system's own word, or ours
    if os.path.isdir(path):
        return IsADirectoryError(errno.EISDIR, f"{path!r} is a directory, not an HDF5 file")
    if os.path.exists(path) and os.path.getsize(path) == 0:
        return OSError(f"{path!r} is empty; reset the backend to begin a run in it")
    if "truncated file" in text:
        return OSError(
            f"{path!r} is cut off: {text[text.index('truncated file') :].rstrip(')')}. "
            "A copy or a transfer may have ended early; get a whole copy"
        )
    if "file signature not found" in text or "File signature not found" in text:
        return OSError(f"{path!r} is not an HDF5 file; give another name")
    return OSError(f"{path!r} cannot be read as HDF5: {text}")


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Say of which file HDF5 speaks where it cannot read what is damaged."""
    try:
        yield
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        text = str(error.args[0]) if error.args else ""
        if not text.startswith(_WORDS_OF_HDF5) or "doesn't exist" in text:
            raise
        raise OSError(f"{path!r} is damaged, or cannot be read: {text}") from error
