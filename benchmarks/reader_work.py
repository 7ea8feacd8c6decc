"""Processes that read a file while it is written: run as ``reader_work.py KIND PATH HERTZ``."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

import emcee.backends
import h5py

import drawstore.emcee


def _drawstore(path: str) -> None:
    backend = drawstore.emcee.HDFBackend(path, read_only=True)
    n = backend.iteration
    if n:
        assert len(backend.get_chain(discard=n - 1)) >= 1


def _h5py(path: str) -> None:
    with contextlib.suppress(OSError), h5py.File(path, "r") as file:
        n = file["mcmc"].attrs["iteration"]
        file["mcmc/chain"][n - 1 : n]


def _emcee(path: str) -> None:
    with contextlib.suppress(OSError, AttributeError):
        backend = emcee.backends.HDFBackend(path, read_only=True)
        backend.get_chain(discard=backend.iteration - 1)


KINDS: dict[str, Callable[[str], None]] = {
    "drawstore": _drawstore,
    "h5py": _h5py,
    "emcee": _emcee,
}


def poll(kind: str, path: str, hertz: float) -> None:
    """Read the last step so many times a second, until the process is ended.

    Programs other than drawstore may find the file locked.
    """
    read = KINDS[kind]
    read(path)
    print("ready", flush=True)
    while True:
        end = time.monotonic() + 1 / hertz
        read(path)
        time.sleep(max(0.0, end - time.monotonic()))


if __name__ == "__main__":
    poll(sys.argv[1], sys.argv[2], float(sys.argv[3]))
