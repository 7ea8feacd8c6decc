"""Who holds a file, as the file itself tells: see cpp/FORMAT.md."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

from .fileio import read_padded

__all__ = ["Holder", "holder_at", "packed_holder"]

_HEAD = struct.Struct("<qH")  # process id, length of the host's name
_LONGEST_HOST = 256


@dataclass(frozen=True)
class Holder:
    """A process that holds, or held, a file.

    Attributes
    ----------
    pid : int
    host : str
    """

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host or 'an unknown host'}"

    @property
    def lives(self) -> bool:
        """Whether the process is there, as far as can be seen from this machine."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it is somebody else's
        return True


def holder_at(fd: int, offset: int) -> Holder | None:
    """Read who holds a file, where it tells that."""
    data = read_padded(fd, offset, _HEAD.size + _LONGEST_HOST)
    pid, length = _HEAD.unpack_from(data)
    if pid <= 0:
        return None
    return Holder(pid, data[_HEAD.size : _HEAD.size + length].decode(errors="replace"))


def packed_holder() -> bytes:
    """Give what a file tells that this process holds."""
    host = socket.gethostname().encode()[:_LONGEST_HOST]
    return _HEAD.pack(os.getpid(), len(host)) + host
