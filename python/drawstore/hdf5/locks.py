"""Advisory locks on files, and waiting for them."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator

try:
    import fcntl
except ImportError:  # Windows: no flock; one process at a time is then up to the user
    fcntl = None  # type: ignore[assignment]

__all__ = ["has_no_locks", "pauses", "try_lock", "unlock"]

_LONGEST_PAUSE = 0.02  # seconds
_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, or find that another holds it.

    Parameters
    ----------
    fd : int
        Descriptor of the file.
    shared : bool
        Whether others may hold the lock shared as well.

    Returns
    -------
    bool
        Whether the lock is held now; also True where the file system has no locks. A lock that was
        held before the call may be lost when it returns False.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return True


def has_no_locks(error: OSError) -> bool:
    """Whether HDF5 could not open a file because the file system has no locks."""
    return error.errno in _UNSUPPORTED and "unable to lock file" in str(error)


def unlock(fd: int) -> None:
    """Give the lock of an open file back."""
    if fcntl is not None:
        try:
            fcntl.flock(fd, fcntl.LOCK_UN)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise


def pauses(timeout: float, cancelled: Callable[[], bool] | None = None) -> Iterator[float]:
    """Pause between attempts, each time a little longer, up to 20 ms.

    Parameters
    ----------
    timeout : float
        Seconds after which the iteration ends.
    cancelled : callable, optional
        Ends the iteration when it returns True.

    Yields
    ------
    float
        Seconds waited so far; the first attempt comes at once.
    """
    start = time.monotonic()
    pause = 0.001
    while True:
        waited = time.monotonic() - start
        yield waited
        if waited >= timeout or (cancelled is not None and cancelled()):
            return
        time.sleep(min(pause, max(timeout - waited, 0.0)))
        pause = min(2 * pause, _LONGEST_PAUSE)
