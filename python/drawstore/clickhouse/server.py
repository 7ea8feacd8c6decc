"""What draws need of an engine of ClickHouse, however it is reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .sql import quoted

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["MOST_BYTES", "Node", "Server"]

MOST_BYTES = 64 * 2**20  # of an answer of which nothing else is known


class Node(NamedTuple):
    """A node of a cluster as a server lists it."""

    host: str
    port: int  # of ClickHouse's own protocol
    is_asked: bool  # whether it is the one that lists them


class Server(ABC):
    """An engine of ClickHouse; any thread may use it.

    Attributes
    ----------
    place : str
        Where it is, and which database is meant, without what is secret.
    database : str
    is_private : bool
        Whether no other process can write there.
    """

    place: str
    database: str
    is_private: ClassVar[bool] = False

    @abstractmethod
    def query(
        self,
        sql: str,
        settings: Mapping[str, str] | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        in_database: bool = True,
        cancelled: Callable[[], bool] | None = None,
    ) -> bytes:
        """Give the answer to a query.

        Parameters
        ----------
        sql : str
            The query, with the FORMAT of the answer.
        settings : mapping of str to str, optional
        most_bytes : int
            Of the answer.
        in_database : bool
            Whether the database is there already.
        cancelled : callable, optional
            Asked while the server is waited for, where it is; True ends that in `CancelledError`.

        Raises
        ------
        UnreachableError
            Where there is no answer, or not all of it.
        ClickHouseError
            Where the server refuses it, or answers more.
        """

    @abstractmethod
    def insert(
        self,
        table: str,
        columns: Sequence[str] | None,
        form: str,
        data: Buffer,
        settings: Mapping[str, str],
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Insert data.

        Parameters
        ----------
        table : str
        columns : sequence of str, optional
            Where the data do not name them.
        form : str
            The FORMAT of the data.
        data : bytes-like
        settings : mapping of str to str
        cancelled : callable, optional
            Asked while the server is waited for; where it says True, that ends as if the
            connection were lost.

        Raises
        ------
        UnreachableError
            Where it is not known whether the data were inserted.
        ClickHouseError
            Where the server refuses them.
        """

    def insertion(self, table: str, columns: Sequence[str] | None) -> str:
        """Begin an INSERT."""
        named = "" if columns is None else f" ({', '.join(map(quoted, columns))})"
        return f"INSERT INTO {quoted(table)}{named}"

    def nodes(self, listed: Sequence[Node]) -> list[Server]:
        """Give the nodes of a cluster, each to be asked for itself.

        Raises
        ------
        ValueError
            Where they cannot be reached from here.
        """
        raise ValueError(f"{self.place} is no node of a cluster")

    def is_there(self) -> bool:
        """Whether there is anything to ask, so that asking makes nothing."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; the next query makes new ones."""
