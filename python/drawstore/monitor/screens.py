"""Where a status is shown: in a notebook, on a terminal, or line by line."""

from __future__ import annotations

import shutil
import sys
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ..text import escaped

if TYPE_CHECKING:
    from .status import Status

__all__ = ["Screen", "here"]


class Screen(Protocol):
    """A place where a status is shown, again and again."""

    interval: float
    """Seconds from one time to the next, where nobody says how many."""

    def show(self, status: Status, note: str) -> None:
        """Show a status, in place of the last one; and what else is to be said, if anything."""

    def close(self) -> None:
        """Leave what is shown as it is."""


def here(end_of_cell: Callable[[], None]) -> Screen:
    """Find where this program shows things.

    Parameters
    ----------
    end_of_cell : callable
        Is called when a cell of a notebook has been run. It is not kept alive.
    """
    shell = _kernel()
    if shell is not None:
        return _Notebook(shell, end_of_cell)
    return _Terminal() if sys.stdout.isatty() else _Lines()


def _kernel() -> Any:
    """Find the kernel of a notebook, if this is one; IPython has been imported there."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None


class _Notebook:
    """An output of a cell, which is changed in its place, also by cells that are run later."""

    interval = 2.0

    def __init__(self, shell: Any, end_of_cell: Callable[[], None]) -> None:
        self._handle: Any = None
        method = weakref.WeakMethod(end_of_cell)

        def call(*_: object) -> None:
            if (found := method()) is not None:
                found()

        shell.events.register("post_run_cell", call)
        self._forget = weakref.finalize(self, shell.events.unregister, "post_run_cell", call)
        self._forget.atexit = False

    def show(self, status: Status, note: str) -> None:
        from ..html.status import status_html

        shown = {"text/html": status_html(status, note), "text/plain": _in_text(status, note)}
        if self._handle is None:
            display = import_module("IPython.display").display
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        self._forget()


class _Terminal:
    """A line of a terminal, which is written anew in its place."""

    interval = 2.0

    def show(self, status: Status, note: str) -> None:
        room = max(1, shutil.get_terminal_size().columns - 1)
        sys.stdout.write(f"\r\x1b[2K{_line(status, note)[:room]}")
        sys.stdout.flush()

    def close(self) -> None:
        sys.stdout.write("\n")
        sys.stdout.flush()


class _Lines:
    """A line after the other, as in the output of a batch job."""

    interval = 60.0

    def __init__(self) -> None:
        self._said = ""

    def show(self, status: Status, note: str) -> None:
        line = _line(status, note)
        if line != self._said:
            print(line, flush=True)
        self._said = line

    def close(self) -> None:
        pass


def _line(status: Status, note: str) -> str:
    return escaped("; ".join([status.in_a_line(), *([note] if note else [])]))


def _in_text(status: Status, note: str) -> str:
    return "\n".join(map(escaped, [*repr(status).splitlines(), *([note] if note else [])]))
