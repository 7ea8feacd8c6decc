"""Threads that are over."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["join"]

_LONGEST = 1.0  # seconds


def join(thread: threading.Thread) -> None:
    """Return when a thread has ended, for the system, too.

    Python warns where a process with more than one thread forks, and counts those of the system.
    Before Python 3.13 a joined thread may still be on its way out of it.
    """
    thread.join()
    entry = f"/proc/self/task/{thread.native_id}"
    end = time.monotonic() + _LONGEST
    while os.path.exists(entry) and time.monotonic() < end:
        time.sleep(0.0002)
