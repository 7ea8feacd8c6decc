"""A chain in an HDF5 file, with what of it still waits for the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawstore.interface import Chain
from drawstore.meta import RunMeta

from .delivery import EXIT_WAIT
from .journal import Tail, Tails
from .pending import Pending
from .runs import Layout, missing_rows
from .store_file import store_file
from .writer import Writer, chain_group, find_pending

if TYPE_CHECKING:
    from drawstore._core import Chain as CoreChain
    from drawstore.backends.hdf5 import HDF5Backend

__all__ = ["HDF5Chain"]

_LOOKS = 10  # at a journal of another process, whose rows move all the time


class HDF5Chain(Chain):
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
        self._backend = backend
        self._meta = meta
        self._number = number
        self._writer = writer
        self._pending = pending
        self._layout = Layout(meta) if pending is None else pending.layout
        if pending is not None:
            backend._begun.add(pending)

    def __reduce__(self) -> tuple[Any, ...]:
        return HDF5Chain, (self._backend, self._meta, self._number)

    @property
    def rid(self) -> str:
        return self._meta.rid

    @property
    def chain_number(self) -> int:
        return self._number

    # Writing.

    def append(
        self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        pending = self._pending
        if pending is None or pending.is_blocked:
            pending = self._unblocked()
        if pending.rows.append(draw, stats):
            self._appended(pending)

    def extend(
        self, draws: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        pending = self._pending
        if pending is None or pending.is_blocked:
            pending = self._unblocked()
        if pending.rows.extend(draws, stats):
            self._appended(pending)

    def _unblocked(self) -> Pending:
        if self._pending is None or self._writer is None:
            raise RuntimeError(
                f"this handle on chain {self._number} of run {self.rid!r} only reads; "
                f"init_chain({self._number}, resume=True) gives one that goes on with it"
            )
        self._writer.unblock(self._pending)
        return self._pending

    def _appended(self, pending: Pending) -> None:
        assert self._writer is not None
        self._writer.appended(pending)

    def announce(self, n_draws: int) -> None:
        if self._pending is not None:
            self._pending.announced = max(self._pending.announced, n_draws)

    def flush(self, sync: bool = False) -> None:
        if self._writer is not None and self._pending is not None and not self._is_forked():
            self._writer.deliver_chain(self._pending)

    def close(self, timeout: float = EXIT_WAIT) -> None:
        """Deliver all draws, and refuse further ones; reading goes on.

        Parameters
        ----------
        timeout : float
            Seconds to wait for another program that holds the file.

        Raises
        ------
        TimeoutError
            Where it was not free by then; the message says where the draws are kept.
        """
        if self._writer is not None and self._pending is not None and not self._is_forked():
            self._writer.close(self._pending, timeout)

    def _is_forked(self) -> bool:
        return self._pending is not None and self._pending.is_forked

    # Reading.

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

    def _look(self, read: Callable[[_View], _T]) -> _T:
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
                tail = Tails(self._backend.journal_path).of(group, held)
                try:
                    return read(self._stored(group, held, tail))
                except (OSError, RuntimeError, ValueError):
                    if tail is None or looks >= _LOOKS:
                        raise

    def _live(self, pending: Pending, held: int) -> _View:
        return _View(held, len(pending), lambda *_: (pending.rows, 0), self._group)

    def _stored(self, group: h5py.Group, held: int, tail: Tail | None) -> _View:
        def load(start: int, stop: int) -> tuple[CoreChain, int]:
            assert tail is not None
            return tail.load(self._meta, self._number, start, stop), start

        return _View(held, held if tail is None else tail.stop, load, lambda: nullcontext(group))

    def __len__(self) -> int:
        return self._look(lambda view: view.stop)

    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("variables", [name], slc)[name]

    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("stats", [name], slc)[name]

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at("variables", i, self._layout.variables if names is None else names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at("stats", i, self._layout.stats if names is None else names)

    def _read_at(self, kind: str, i: int, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there is no draw {i}: the chain has {n}")
        rows = self._read(kind, names, slice(i % n, i % n + 1))
        return {name: _only(row) for name, row in rows.items()}

    def _read(self, kind: str, names: Iterable[str], slc: slice) -> dict[str, NDArray[Any]]:
        columns = {name: self._layout.column(kind, name) for name in names}

        def read(view: _View) -> dict[str, NDArray[Any]]:
            rows, backwards = _ascending(slc, view.stop)
            stored, waiting = _split(rows, view.held)
            parts: dict[str, list[_Part]] = {name: [] for name in columns}
            if waiting:
                chain, first = view.load(waiting[0], waiting[-1] + 1)
                for name in columns:
                    parts[name].append(_waiting_rows(chain, first, kind, name, waiting))
            if stored:
                with view.group() as group:
                    for name in columns:
                        parts[name].insert(0, self._layout.read(group, kind, name, stored))
            out = {}
            for name, column in columns.items():
                values, missing = _joined(parts[name], column.empty())
                step = -1 if backwards else 1
                out[name] = _masked(values[::step], missing[::step])
            return out

        return self._look(read)


@dataclass(frozen=True)
class _View:
    """A chain at one moment: rows before ``held`` are in the file, those that follow wait."""

    held: int
    stop: int
    load: Callable[[int, int], tuple[CoreChain, int]]  # rows that wait, and which is their first
    group: Callable[[], AbstractContextManager[h5py.Group]]


_T = TypeVar("_T")
_Part = tuple[NDArray[Any], NDArray[np.bool_]]  # rows, and which of them are missing


def _waiting_rows(chain: CoreChain, first: int, kind: str, name: str, rows: range) -> _Part:
    get = chain.get_draws if kind == "variables" else chain.get_stats
    values = get(name, slice(rows[0] - first, rows[-1] + 1 - first, rows.step))
    return np.ma.getdata(values), missing_rows(values)


def _joined(parts: list[_Part], empty: NDArray[Any]) -> _Part:
    if not parts:
        return empty, np.zeros(0, dtype=bool)
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part[0] for part in parts])
    values.flags.writeable = False
    return values, np.concatenate([part[1] for part in parts])


def _ascending(slc: slice, n: int) -> tuple[range, bool]:
    """Give the rows of a slice in their order, and whether they are wanted backwards."""
    rows = range(n)[slc]
    return (rows[::-1], True) if rows.step < 0 else (rows, False)


def _split(rows: range, border: int) -> tuple[range, range]:
    """Split rows into those before a border, and those from it on."""
    n = len(range(rows.start, min(rows.stop, border), rows.step))
    return rows[:n], rows[n:]


def _masked(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    if not missing.any():
        return values
    mask = np.zeros(values.shape, dtype=np.ma.make_mask_descr(values.dtype))
    mask[missing] = True
    return np.ma.MaskedArray(values, mask=mask)


def _only(rows: NDArray[Any]) -> NDArray[Any]:
    """Give the one row, as an array."""
    if rows.dtype == object and rows.ndim == 1 and not np.ma.is_masked(rows):
        item = rows[0]
        if isinstance(item, np.ndarray):
            return item
    return rows.reshape(rows.shape[1:])
