"""Files and directories that appear under their name when they are whole, and not before."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ..fileio import datasync, open_binary, sync_directory

__all__ = ["placed", "remove"]


@contextmanager
def placed(target: str) -> Iterator[str]:
    """Give a name beside a target; what is made under it takes the target's place at the end.

    It is durable before it does. After an error it is removed. When the process is killed it is
    left, as ``<target>.unfinished-...``, and what was at the target is untouched.

    Parameters
    ----------
    target : str
        Of a file or a directory, which may exist.
    """
    target = os.path.abspath(target)
    temporary = f"{target}.unfinished-{secrets.token_hex(4)}"
    try:
        yield temporary
        _sync(temporary)
        if os.path.isdir(target):
            old = f"{target}.replaced-{secrets.token_hex(4)}"
            os.rename(target, old)
            os.rename(temporary, target)
            sync_directory(target)
            remove(old)
        else:
            os.replace(temporary, target)
            sync_directory(target)
    except BaseException:
        remove(temporary)
        raise


def remove(path: str) -> None:
    """Remove a file or a directory, where there is one."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _sync(path: str) -> None:
    for folder, _, names in os.walk(path):
        for name in names:
            _sync_file(os.path.join(folder, name))
        sync_directory(os.path.join(folder, ""))
    if not os.path.isdir(path):
        _sync_file(path)


def _sync_file(path: str) -> None:
    fd = open_binary(path, os.O_RDWR)
    try:
        datasync(fd)
    finally:
        os.close(fd)
