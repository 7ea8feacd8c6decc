"""Unmodified scripts whose samplers of emcee are recorded: what `drawstore run` does."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .executing import execute
from .imports import after_import
from .place import find_place

if TYPE_CHECKING:
    from types import ModuleType

    from .record import Record

__all__ = ["run"]


def run(
    target: str,
    arguments: Sequence[str] = (),
    *,
    is_module: bool = False,
    out: str | os.PathLike[str] | None = None,
    fresh: bool = False,
) -> int:
    """Run a script as Python does, in this process, and keep what its samplers of emcee draw.

    Every step that a sampler stores goes into an HDF5 file as well, before the script sees it.
    Where an earlier attempt of the same script was ended, each sampler is given the steps that
    were kept of it, and samples from the last of them on.

    Parameters
    ----------
    target : str
        The path of a script, or with ``is_module`` the name of a module.
    arguments : sequence of str
        Of the script.
    is_module : bool
        Whether it is run as ``python -m`` does.
    out : path-like, optional
        The directory for the draws; by default one here that is named after script and arguments.
    fresh : bool
        Begin anew, in another file, rather than go on.

    Returns
    -------
    int
        The exit code: 0, 1 after an error, whose traceback was printed, or 130 after Ctrl-C.

    Raises
    ------
    SystemExit
        Where the script raises it.
    OSError
        Where the script, or what an earlier attempt has left, cannot be read.
    """
    place = find_place(target, arguments, is_module=is_module, out=out, fresh=fresh)
    record: Record | None = None

    def seed(numpy_random: ModuleType) -> None:
        numpy_random.seed(place.words)

    def patch(emcee: ModuleType) -> None:
        nonlocal record
        from .record import Record

        record = Record(place, _say)
        record.watch_over(emcee)

    # The script chooses what is loaded, and with which environment: nothing is before it asks.
    after_import("numpy.random", seed)
    after_import("emcee", patch)
    place.seed_python()
    shown, pid = shlex.quote(place.shown), os.getpid()
    state = "goes on with" if os.path.exists(place.path) else "keeps its draws in"
    _say(f"{target} {state} {shown}; to see them: drawstore watch {shown}")
    try:
        return execute(target, arguments, is_module=is_module)
    finally:
        if os.getpid() == pid:  # the script may have forked
            if record is not None:
                record.close()
            _say("it did not import emcee" if record is None else record.describe())


def _say(line: str) -> None:
    print(f"drawstore: {line}", file=sys.__stderr__, flush=True)
