"""Where the journals of an HDF5 file are that do not lie beside it.

A small file beside it says so, ``NAME-journal-at`` (see cpp/FORMAT.md). It is there before such a
journal has its first row, and goes before the last one is removed: as long as it names a journal,
rows may be there that the file lacks. Only who writes to the HDF5 file changes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from drawstore.fileio import open_binary, read_padded, sync_directory

__all__ = ["Noted", "forget", "lost", "note", "noted", "record_path", "warn_of_lost"]

_MAGIC = b"drawjrnl"
_ID_AT, _ID_BYTES = 16, 16


@dataclass(frozen=True)
class Noted:
    """A journal that does not lie beside its file.

    Attributes
    ----------
    journal : str
        Its path, absolute.
    id : str
        Of the journal, in hexadecimal digits: there may be another one at that path by now.
    host : str
        On which it was made.
    file : str
        The HDF5 file when it was made; one that was copied since is another.
    """

    journal: str
    id: str
    host: str
    file: str

    @property
    def is_there(self) -> bool:
        """Whether it can be reached."""
        return _id_of(self.journal) == self.id

    def is_of(self, path: str) -> bool:
        """Whether a file is the one, and no copy of it."""
        return not os.path.exists(self.file) or os.path.samefile(self.file, path)

    def __str__(self) -> str:
        return f"the journal {self.journal!r} on host {self.host!r}"


def record_path(path: str) -> str:
    """Name the file that says where the journals of an HDF5 file are."""
    return os.path.realpath(path) + "-journal-at"


def noted(path: str) -> list[Noted]:
    """Give the journals that are noted for an HDF5 file, whether they are there or not.

    Raises
    ------
    ValueError
        Where the file that notes them was damaged.
    """
    record = record_path(path)
    try:
        with open(record, encoding="utf-8") as file:
            return [Noted(**each) for each in json.load(file)["journals"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{record!r} does not say where the journal of {path!r} is ({error!r}); where there "
            "is none, delete it"
        ) from None


def note(path: str, journal: str) -> None:
    """Note a journal that was just made; returns when that survives a loss of power."""
    found = [each for each in noted(path) if each.journal != journal]
    file = os.path.realpath(path)
    _write(path, [*found, Noted(journal, _id_of(journal), socket.gethostname(), file)])


def forget(path: str, journal: str) -> None:
    """Forget a journal, of which the file has every row."""
    found = noted(path)
    kept = [each for each in found if each.journal != journal]
    if len(kept) < len(found):
        _write(path, kept)


def lost(path: str) -> list[Noted]:
    """Give the noted journals that cannot be reached from here, but for those of another file."""
    return [each for each in noted(path) if not each.is_there and each.is_of(path)]


def warn_of_lost(path: str) -> None:
    """Warn of journals of a file that cannot be reached from here."""
    for each in lost(path):
        warnings.warn(
            f"rows of {path!r} may wait in {each}, which cannot be reached from here. What "
            "opens the file there finds them. If it is gone for good, delete "
            f"{record_path(path)!r}",
            RuntimeWarning,
            stacklevel=3,
        )


def _write(path: str, found: Sequence[Noted]) -> None:
    record = record_path(path)
    if not found:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(record)
        return
    with open(f"{record}.tmp", "w", encoding="utf-8") as file:
        json.dump({"journals": [asdict(each) for each in found]}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{record}.tmp", record)
    sync_directory(record)


def _id_of(journal: str) -> str:
    """Read the id of a journal; "" where there is none."""
    try:
        fd = open_binary(journal, os.O_RDONLY)
    except OSError:
        return ""
    try:
        header = read_padded(fd, 0, _ID_AT + _ID_BYTES)
    except OSError:
        return ""
    finally:
        os.close(fd)
    return header[_ID_AT:].hex() if header.startswith(_MAGIC) else ""
