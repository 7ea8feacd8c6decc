"""A chain in an HDF5 file, with what of it still waits for the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import h5py

from drawstore.delivery.chain import DeliveredChain
from drawstore.delivery.pending import Pending
from drawstore.delivery.reading import Rows, View
from drawstore.delivery.writer import Writer, find_pending
from drawstore.meta import RunMeta

from .journal import Tail, Tails
from .runs import Layout
from .store_file import store_file
from .writer import chain_group

if TYPE_CHECKING:
    from drawstore._core import Chain as CoreChain
    from drawstore.backends.hdf5 import HDF5Backend

__all__ = ["HDF5Chain"]

_LOOKS = 10  # at a journal of another process, whose rows move all the time
_T = TypeVar("_T")


class HDF5Chain(DeliveredChain):
    """A chain in an HDF5 file; `HDF5Run` makes it.

    Parameters
    ----------
    backend : HDF5Backend
    meta : RunMeta
    number : int
    writer, pending : optional
        Of the handle that appends.
    """

    def __init__(
        self,
        backend: HDF5Backend,
        meta: RunMeta,
        number: int,
        writer: Writer | None = None,
        pending: Pending | None = None,
    ) -> None:
        super().__init__(meta, number, writer, pending)
        self._backend = backend
        self._layout = Layout(meta)
        if pending is not None:
            backend.note(pending)

    def __reduce__(self) -> tuple[Any, ...]:
        return HDF5Chain, (self._backend, self._meta, self._number)

    def _check_names(self, kind: str, names: Sequence[str]) -> None:
        for name in names:
            self._layout.column(kind, name)

    @contextmanager
    def _group(self) -> Iterator[h5py.Group]:
        with store_file(self._backend.filename).reading() as file:
            try:
                yield chain_group(file, self.rid, self._number, self._backend.filename)
            except OSError as error:
                if error.errno is not None:
                    raise
                raise OSError(
                    f"{self._backend.filename!r}, run {self.rid!r}, chain {self._number}: draws "
                    f"are damaged, or cannot be read: {error}"
                ) from error

    def _look(self, read: Callable[[View], _T]) -> _T:
        """Read the chain as it is at one moment; again where rows moved to the file meanwhile."""
        looks = 0
        while True:
            looks += 1
            if found := find_pending(self._backend.filename, self.rid, self._number):
                pending = found[1]
                held = pending.delivered
                try:
                    return read(self._live(pending, held))
                except (OSError, RuntimeError, ValueError):
                    if pending.delivered == held and not pending.is_let_go:
                        raise
                    continue
            with self._group() as group:
                held = int(group.attrs["draws"])
                tail = Tails(self._backend.filename, self._backend.journal).of(group, held)
                try:
                    return read(self._view(group, held, tail))
                except (OSError, RuntimeError, ValueError):
                    if tail is None or looks >= _LOOKS:
                        raise

    def _live(self, pending: Pending, held: int) -> View:
        def stored(kind: str, names: Sequence[str], rows: range) -> dict[str, Rows]:
            with self._group() as group:
                return self._stored(group, kind, names, rows)

        return View(held, len(pending), lambda *_: (pending.rows, 0), stored)

    def _view(self, group: h5py.Group, held: int, tail: Tail | None) -> View:
        def load(start: int, stop: int) -> tuple[CoreChain, int]:
            assert tail is not None
            return tail.load(self._meta, self._number, start, stop), start

        def stored(kind: str, names: Sequence[str], rows: range) -> dict[str, Rows]:
            return self._stored(group, kind, names, rows)

        return View(held, held if tail is None else tail.stop, load, stored)

    def _stored(
        self, group: h5py.Group, kind: str, names: Sequence[str], rows: range
    ) -> dict[str, Rows]:
        return {name: self._layout.read(group, kind, name, rows) for name in names}
