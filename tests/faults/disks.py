"""Small disks that get full: file systems of their own where mounting is permitted, and a limit."""

import functools
import gc
import os
import resource
import subprocess
import tempfile
import time
from contextlib import contextmanager

SIZE = 24 << 20

_MOUNTS = {
    "tmpfs": "mount -t tmpfs -o size={size} none {at}",
    "ext4": "truncate -s {size} {image} && mkfs.ext4 -q {image} && mount -o loop {image} {at}",
}


@contextmanager
def mounted(kind):
    """Mount a file system of one kind; gives its folder."""
    with tempfile.TemporaryDirectory() as folder:
        at = os.path.join(folder, "disk")
        os.mkdir(at)
        command = _MOUNTS[kind].format(size=SIZE, at=at, image=os.path.join(folder, "image"))
        subprocess.run(command, shell=True, check=True, capture_output=True)
        try:
            yield at
        finally:
            _unmount(at)


def _unmount(at):
    """Fails where a process, this one or one that has ended, goes on holding something there."""
    for wait in [0.1] * 100 + [0.0]:
        gc.collect()
        done = subprocess.run(["umount", at], capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(wait)
    raise OSError(done.stderr)


@functools.cache
def kinds():
    """What can be had here: the limit on the size of files always."""
    found = ["limit"]
    for kind in _MOUNTS:
        try:
            with mounted(kind):
                found.append(kind)
        except (OSError, subprocess.CalledProcessError):
            pass
    return found


class Room:
    """How much there is on the disk of a store, for the process that writes there.

    Parameters
    ----------
    kind : str
        One of `kinds`.
    path : str
        The store; on a disk of that kind.
    """

    def __init__(self, kind, path):
        self._kind = kind
        self._folder = os.path.dirname(path)
        self._ballast = os.path.join(self._folder, "ballast")

    def leave(self, room):
        """Leave room for so many bytes."""
        if self._kind == "limit":
            sizes = [
                os.path.getsize(os.path.join(at, name))
                for at, _, names in os.walk(self._folder)
                for name in names
            ]
            resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + room, resource.RLIM_INFINITY))
            return
        with open(self._ballast, "wb") as file:
            while True:
                status = os.statvfs(self._folder)
                taken = status.f_bavail * status.f_frsize - room
                try:
                    if taken > 0:
                        os.posix_fallocate(file.fileno(), 0, taken)
                except OSError:
                    file.truncate(0)  # someone was faster
                else:
                    return

    def free(self):
        """Make room for all that comes."""
        if self._kind == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        else:
            os.unlink(self._ballast)
