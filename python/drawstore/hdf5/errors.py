"""What is wrong with a file, in words that help."""

from __future__ import annotations

import errno
import os

__all__ = ["explained", "is_lock_error", "locked"]


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
    if error.errno not in (None, errno.EISDIR):
        return error  # the system's own word
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
