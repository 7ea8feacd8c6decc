"""Code that is run as the main module, as Python itself runs it."""

from __future__ import annotations

import builtins
import io
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType

__all__ = ["execute"]

_HERE = os.path.dirname(__file__)


def execute(target: str, arguments: Sequence[str], *, is_module: bool) -> int:
    """Run a script, or a module, as ``__main__``, which it stays until the process ends.

    Parameters
    ----------
    target : str
        The path of the script, or the name of the module.
    arguments : sequence of str
    is_module : bool

    Returns
    -------
    int
        The exit code: 0, 1 after an error, or 130 after Ctrl-C. The traceback of either was given
        to `sys.excepthook`.

    Raises
    ------
    SystemExit
        Where the script raises it.
    OSError
        Where there is no such script.
    """
    run = _module(target) if is_module else _script(target)
    sys.argv = [target, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd() if is_module else os.path.dirname(os.path.realpath(target))
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:
        _hide_frames(error)
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _script(path: str) -> Callable[[], object]:
    with io.open_code(os.path.abspath(path)) as file:
        source = file.read()

    def run() -> None:
        main = ModuleType("__main__")
        file = os.path.abspath(path)
        main.__dict__.update(
            __builtins__=builtins,
            __file__=file,
            __cached__=None,
            __loader__=SourceFileLoader("__main__", file),
        )
        sys.modules["__main__"] = main
        exec(compile(source, file, "exec", dont_inherit=True), main.__dict__)

    return run


def _module(name: str) -> Callable[[], object]:
    return lambda: runpy.run_module(name, run_name="__main__", alter_sys=True)


def _hide_frames(error: BaseException) -> None:
    """Take out of the tracebacks what the script did not call."""
    seen: set[int] = set()
    errors: list[BaseException | None] = [error]
    while errors:
        found = errors.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        found.__traceback__ = _without_ours(found.__traceback__)
        errors += [found.__cause__, found.__context__]


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    kept = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if os.path.dirname(file) != _HERE and file != "<frozen runpy>":
            kept.append(traceback)
        traceback = traceback.tb_next
    following = None
    for entry in reversed(kept):
        entry.tb_next, following = following, entry
    return following
