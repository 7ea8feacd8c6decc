"""Single keys of a terminal, without waiting for the end of a line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Keys", "keys"]


class Keys:
    """Where nobody can press a key: stdin is no terminal, or a system that has none such."""

    def wait(self, seconds: float) -> str:
        """Give the key that is pressed within some seconds, or ""."""
        time.sleep(seconds)
        return ""


class _TerminalKeys(Keys):
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def wait(self, seconds: float) -> str:
        import select

        if not select.select([self._fd], [], [], seconds)[0]:
            return ""
        pressed = os.read(self._fd, 1)
        if not pressed:  # the terminal is gone
            raise KeyboardInterrupt
        return pressed.decode("ascii", "replace")


@contextmanager
def keys() -> Iterator[Keys]:
    """Read keys from stdin, which is as it was when the context ends."""
    try:
        import termios
        import tty
    except ImportError:  # pragma: no cover - Windows
        yield Keys()
        return
    # Who is in the background would be stopped.
    if not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        yield Keys()
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield _TerminalKeys(fd)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
