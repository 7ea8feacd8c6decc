"""Work that no signal interrupts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from drawstore.threads import join

__all__ = ["uninterrupted"]

_T = TypeVar("_T")
_LOOK = 0.05  # seconds between looks at work that ended unseen


def uninterrupted(work: Callable[[Callable[[], bool]], _T]) -> _T:
    """Call a function where no signal interrupts it: in a thread of its own, for the main one.

    Python runs the handlers of signals in the main thread, in the middle of whatever it does.
    h5py drops what they raise, or makes other errors of it, and leaves a file half open.

    Parameters
    ----------
    work : callable
        Called with a function that tells whether nobody waits for the result any more, because a
        signal has raised an error: then it had better end soon.

    Returns
    -------
    object
        What it returns; what it raises is raised here. What a signal raises is raised when the
        work has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return work(lambda: False)
    results: list[_T] = []
    errors: list[BaseException] = []
    is_alone = False
    ended = threading.Lock()
    ended.acquire()

    def run() -> None:
        try:
            results.append(work(lambda: is_alone))
        except BaseException as error:
            errors.append(error)
        finally:
            ended.release()

    def wait() -> None:
        while not results and not errors:
            ended.acquire(timeout=_LOOK)
        join(thread)

    thread = threading.Thread(target=run, name="drawstore-change")
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends, or there are too many threads
        return work(lambda: False)
    try:
        wait()
    except BaseException:
        is_alone = True
        wait()
        raise
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # it refers to this frame
    return results[0]
