"""Files and directories that appear under their name when they are whole, and not before."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from ..fileio import datasync, open_binary, sync_directory

__all__ = ["placed"]

_SYNCED_AT_ONCE = 32


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
            _remove(old)
        else:
            os.replace(temporary, target)
            sync_directory(target)
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: str) -> None:
    """Remove a file or a directory, where there is one."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _sync(path: str) -> None:
    if not os.path.isdir(path):
        _sync_file(path)
        return
    found = list(os.walk(path))
    files = [os.path.join(folder, name) for folder, _, names in found for name in names]
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:  # the disk does many as fast as one
        list(pool.map(_sync_file, files))
    for folder, _, _ in found:
        sync_directory(os.path.join(folder, ""))


def _sync_file(path: str) -> None:
    fd = open_binary(path, os.O_RDWR)
    try:
        datasync(fd)
    finally:
        os.close(fd)
