"""A broken file, as another process reads it."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from .view import View, views

if TYPE_CHECKING:
    from .found import FoundRun

__all__ = ["CHILD", "READY", "BrokenFile", "LostError", "Reader", "open_broken"]

CHILD = ["-m", "drawstore.rescue.child"]
READY = b"ready\n"  # the first that it writes
_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class LostError(OSError):
    """Something cannot be read; the message says why."""


class Reader:
    """A process that reads broken files.

    Whatever ends it, or holds it up, is the answer to one request: the next one goes to a new one.

    Parameters
    ----------
    timeout : float
        Seconds that a request may take, from when there is a process for it.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self.processes = 0  # so many were begun

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    @property
    def is_alive(self) -> bool:
        """Whether the process that answered last is there for the next request."""
        return self._process is not None

    def ask(self, *request: Any) -> Any:
        """Have the process do something.

        Raises
        ------
        LostError
            Where it cannot.
        """
        process = self._process or self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(self._timeout, process.kill)
        watch.start()
        try:
            pickle.dump(request, process.stdin)
            process.stdin.flush()
            is_answer, answer = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            is_late = not watch.is_alive()
            self._end()
            how = f"takes longer than {self._timeout:g} s" if is_late else "crashes"
            raise LostError(f"HDF5 {how} when it reads it") from None
        finally:
            watch.cancel()
        if not is_answer:
            raise LostError(answer)
        return answer

    def _begin(self) -> subprocess.Popen[bytes]:
        # Whoever started this may have found the package by a path of their own.
        paths = [_PACKAGES, os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, *CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self.processes += 1
        # To be there takes as long as it takes on a busy machine: the file is not to blame for it.
        assert self._process.stdout is not None
        if self._process.stdout.read(len(READY)) != READY:
            self._end()
            raise LostError("the process that is to read it does not start")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):  # of a request that was not sent whole
                process.communicate()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            process.wait()


class BrokenFile:
    """A broken file through one view.

    Parameters
    ----------
    reader : Reader
        Which reads no other file meanwhile.
    path : str
    view : View

    Attributes
    ----------
    runs : dict of str to FoundRun
        By their groups.
    others : list of str
        The names of what else there is at the top.
    """

    def __init__(self, reader: Reader, path: str, view: View) -> None:
        self._reader = reader
        self._path = path
        self.view = view
        self.runs: dict[str, FoundRun]
        self.others: list[str]
        self.runs, self.others = self._open()

    def rows(self, path: str, start: int, stop: int) -> Any:
        """Read rows of a dataset: as bytes, or as an array of objects.

        Raises
        ------
        LostError
            Where any of them cannot be read.
        """
        if self._reader.processes != self._process or not self._reader.is_alive:
            self._open()
        return self._reader.ask("rows", path, start, stop)

    def _open(self) -> Any:
        found = self._reader.ask("open", self._path, self.view)
        self._process = self._reader.processes
        return found


def open_broken(reader: Reader, path: str) -> BrokenFile:
    """Open a broken file the first way in which there are runs with steps in it.

    Raises
    ------
    OSError
        Where there is none.
    """
    why = ""
    best: View | None = None
    for view in views(path):
        try:
            file = BrokenFile(reader, path, view)
        except LostError as error:
            why = why or str(error)
            continue
        if any(run.datasets for run in file.runs.values()):
            return file
        best = best or (view if file.runs else None)
    if best is None:
        reason = f": {why}" if why else ", which HDF5 opens"
        raise OSError(f"there is no run of emcee to be found in {path!r}{reason}")
    return BrokenFile(reader, path, best)
