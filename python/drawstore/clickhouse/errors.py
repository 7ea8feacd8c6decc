"""What servers refuse, and servers that do not answer."""

from __future__ import annotations

import re

__all__ = ["CancelledError", "ClickHouseError", "UnreachableError", "refusal"]

UNKNOWN_TABLE = 60
UNKNOWN_DATABASE = 81
MEMORY_LIMIT = 241

# Time out; too many queries; network between nodes; memory, disk, and parts not merged yet.
_TEMPORARY = {32, 159, 160, 202, 209, 210, 225, 236, 241, 242, 243, 252, 279, 285, 319, 999}

_CODE = re.compile(r"Code:\s*(\d+)")
_MOST_TEXT = 2000


class ClickHouseError(OSError):
    """A server refused something.

    Attributes
    ----------
    code : int or None
        The server's own number of what was wrong.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_temporary(self) -> bool:
        """Whether waiting may help, without anybody doing something."""
        return self.code in _TEMPORARY


class UnreachableError(ClickHouseError):
    """A server did not answer, or not to the end: what was asked for may have been done, or not."""

    @property
    def is_temporary(self) -> bool:
        return True


class CancelledError(UnreachableError):
    """An answer was not waited for any longer, because of something else."""


def refusal(place: str, answer: str) -> ClickHouseError:
    """Make the error for what a server says is wrong."""
    found = _CODE.search(answer)
    text = answer.strip()
    text = text.replace("e.displayText() = ", "").replace("DB::Exception: ", "")
    text = text.partition(", e.what() = ")[0].partition(", Stack trace")[0]
    if len(text) > _MOST_TEXT:
        text = text[:_MOST_TEXT] + " ..."
    return ClickHouseError(f"{place}: {text}", int(found[1]) if found else None)
