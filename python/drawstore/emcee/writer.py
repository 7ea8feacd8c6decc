"""A run that is being written: its steps gather in a ring, and are drained into the file."""

from __future__ import annotations

import functools
import math
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from drawstore import drain
from drawstore._core import ChainBuffer, StepRecorder
from drawstore.hdf5.delivery import EXIT_WAIT, Delivery
from drawstore.hdf5.dtypes import as_texts
from drawstore.hdf5.store_file import StoreFile

from .blobs import BlobLayout, layout_of
from .layout import Stored, append_steps, check_storable, emcee_group, read_steps
from .stored import StoredSteps

__all__ = ["Run"]

_Variables = list[tuple[str, DTypeLike, tuple[int, ...]]]

_BLOCK_BYTES = 16 * 2**20  # of one drain: so long, at most, the file is busy
_SEGMENT_BYTES = 2 * 2**20
_BACKLOG_BYTES = 256 * 2**20  # from here on the sampler waits for a disk that is slower than it
_STATE_BYTES = 2512
_END_WAIT = 2.0  # seconds that the last announced step waits for a reader of the file
_BUSY = 0.02
_RETRY = 1.0
_IDLE = 1.0  # how often a run whose announced steps do not come asks whether anyone still holds it


class Run(Delivery):
    """Steps of one run on their way into one group of one file.

    One thread saves steps; any thread may read, flush and close. `start_run` makes it.

    Parameters
    ----------
    file : StoreFile
        Which the run owns until it is finished.
    name : str
        Of the group.
    stored : Stored
        What the group holds already.
    blobs : BlobLayout or None
        Of the steps to come.
    flush_interval : float
        Seconds after which a step is in the file at the latest.
    compression, compression_opts
        Of h5py.
    forget : callable
        Called with the run when it is finished.
    """

    noun: ClassVar[str] = "steps"

    def __init__(
        self,
        file: StoreFile,
        name: str,
        stored: Stored,
        blobs: BlobLayout | None,
        flush_interval: float,
        compression: Any,
        compression_opts: Any,
        forget: Callable[[Run], None],
    ) -> None:
        super().__init__(file.path)
        self.file = file
        self.name = name
        self.stored = stored
        self.blobs = blobs
        self._flush_interval = flush_interval
        self._compression = (compression, compression_opts)
        self._forget = forget
        self.handles: weakref.WeakSet[Any] = weakref.WeakSet()
        self.finished = False
        self._state = threading.Lock()  # what is delivered; held for moments

        walkers, ndim = stored.nwalkers, stored.ndim
        variables: _Variables = [
            ("chain", stored.dtype, (walkers, ndim)),
            ("log_prob", stored.dtype, (walkers,)),
        ]
        encode: Callable[[int, NDArray[Any]], NDArray[Any] | None] | None = None
        # Blobs that are Python objects stay in Python, by step.
        self._objects: dict[int, NDArray[Any]] | None = None
        if blobs is not None and blobs.dtype.hasobject:
            self._objects = {}
            encode = _keeper(self._objects, blobs)
        elif blobs is not None:
            variables.append(("blobs", blobs.dtype, (walkers, *blobs.shape)))
            encode = blobs.encode_step if blobs.dicts else None
        self._row_bytes = _draw_bytes(variables)
        self._block_rows = max(1, _BLOCK_BYTES // self._row_bytes)
        variables.append(("accepted", np.float64, (walkers,)))
        variables.append(("random_state", np.dtype((np.void, _STATE_BYTES)), ()))
        segment_rows = max(1, _SEGMENT_BYTES // _draw_bytes(variables))
        self._ring = ChainBuffer(variables, segment_rows=segment_rows)
        accepted = np.array(stored.accepted, dtype=np.float64)
        self._recorder = StepRecorder(self._ring, accepted, encode)
        self._recorder.random_state = stored.random_state
        self._recorder.notify_at = 0
        self._other_states: dict[int, Any] = {}
        self.record = self._recorder.save_step
        self._delivered = 0
        self._announced = 0
        self._attempted = 0  # rows up to here may be in the file after an attempt that failed
        self._discarded = False

    # What the sampler calls.

    def announce(self, steps: int) -> None:
        """Say that so many steps will follow the present one."""
        with self._state:
            self._announced = max(self._announced, len(self._ring) + steps)
            self._recorder.notify_at = 0

    def accept(self, blobs: NDArray[Any] | None) -> bool:
        """Check that steps with such blobs may follow.

        Parameters
        ----------
        blobs : ndarray, shape (nwalkers, ...), or None
            Of the current step.

        Returns
        -------
        bool
            False where nothing speaks against them, but the run has to begin anew for them.

        Raises
        ------
        ValueError, TypeError
            Where earlier steps had none, or others, or where no file can hold them.
        """
        if blobs is None and self.blobs is None:
            return True
        if blobs is None or (self.blobs is None and self.iteration > 0):
            raise ValueError("inconsistent use of blobs: all steps of a run have them, or none")
        if self.blobs is None or (self.iteration == 0 and self.stored.blobs is None):
            layout = layout_of(blobs)
            check_storable(blobs, layout)
            return layout == self.blobs
        self.blobs.admit(blobs)
        return True

    def saved(self) -> None:
        """Act on a step that `record` told of: the first of a block, or the last announced."""
        if self.finished:  # another thread has delivered it and ended the run
            return
        rows = len(self._ring)
        if self._announced and rows >= self._announced:
            self._recorder.notify_at = 0
            drain.schedule(self, _RETRY)
            if not self.deliver(timeout=_END_WAIT):
                drain.schedule(self, _BUSY)
            return
        backlog = rows - self._delivered
        urgent = backlog >= self._block_rows
        drain.schedule(self, 0.0 if urgent else self._flush_interval)
        if backlog * self._row_bytes > _BACKLOG_BYTES and not self.file.waits_for_lock:
            self.deliver(timeout=_END_WAIT)
        following = rows + self._block_rows
        self._recorder.notify_at = min(following, self._announced or following)

    # What readers call.

    @property
    def iteration(self) -> int:
        """Steps saved, in the file and on their way."""
        return self.stored.iteration + len(self._ring)

    @property
    def accepted(self) -> NDArray[Any]:
        return np.array(self._recorder.accepted)

    @property
    def random_state(self) -> list[Any] | None:
        state = self._recorder.random_state
        return list(state) if state is not None and len(state) else None

    def steps(self) -> StoredSteps:
        """Give the steps as they are now."""
        return StoredSteps(
            self.iteration, self.blobs, self.read, lambda: self.accepted, lambda: self.random_state
        )

    def read(self, key: str, start: int, step: int) -> NDArray[Any]:
        """Read every ``step``-th step from ``start`` on, from the file and from the ring."""
        with self._state:
            stop = len(self._ring)
            held = self._delivered
            waiting = self._waiting(key, held, stop)
        base = self.stored.iteration
        border = base + held
        parts = []
        if start < border:
            with self.file.reading() as file:
                group = emcee_group(file, self.name, self.file.path)
                if group.attrs["iteration"] < border:
                    raise self._conflict(group, border)
                parts.append(read_steps(group, key, start, step, border))
        following = range(start, max(start, base + stop), step)
        first = next((i for i in following if i >= border), None)
        if first is not None:
            parts.append(waiting[first - border :: step])
        if not parts:
            return waiting[:0].copy()
        return parts[0].copy() if len(parts) == 1 and first is not None else np.concatenate(parts)

    def _waiting(self, key: str, start: int, stop: int) -> NDArray[Any]:
        """Give rows that are not in the file yet, as they are in memory."""
        if key == "blobs" and self._objects is not None:
            assert self.blobs is not None
            rows = np.empty(
                (stop - start, self.stored.nwalkers, *self.blobs.shape), dtype=self.blobs.dtype
            )
            for i in range(start, stop):
                rows[i - start] = self._objects[i]
            return rows
        return self._ring.get_draws(key, slice(start, stop))

    # Delivering.

    def deliver(
        self, timeout: float = math.inf, cancelled: Callable[[], bool] | None = None
    ) -> bool:
        end = len(self._ring)
        latest = time.monotonic() + timeout
        if not self._delivering.acquire(timeout=-1 if math.isinf(timeout) else timeout):
            return False
        try:
            while not self.finished and self._delivered < end:
                start = self._delivered
                stop = min(end, start + self._block_rows)
                if not self.file.update(
                    functools.partial(self._write, start=start, stop=stop),
                    timeout=max(0.0, latest - time.monotonic()),
                    cancelled=lambda: self._discarded or (cancelled is not None and cancelled()),
                ):
                    return False
                with self._state:
                    self._delivered = stop
                    self._ring.confirm(stop)
                for i in range(start, stop):
                    self._other_states.pop(i, None)
                    if self._objects is not None:
                        del self._objects[i]
            self.finish_if_complete()
            return True
        finally:
            self._delivering.release()

    def _write(self, file: h5py.File, start: int, stop: int) -> None:
        group = emcee_group(file, self.name, self.file.path)
        base, found = self.stored.iteration, int(group.attrs["iteration"])
        if found == base + self._attempted:
            start = self._attempted
        ours = (self.stored.nwalkers, self.stored.ndim)
        if found != base + start or (group.attrs["nwalkers"], group.attrs["ndim"]) != ours:
            raise self._conflict(group, base + start)
        self._attempted = stop
        if start == stop:
            return
        first = base + start
        keys = ["chain", "log_prob", *(["blobs"] if self.blobs is not None else [])]
        self._other_states.update(self._recorder.take_other_states())
        append_steps(
            group,
            first,
            {key: self._waiting(key, start, stop) for key in keys},
            self.stored.iteration + self._announced,
            self.blobs,
            self._ring.get_draws("accepted", slice(stop - 1, stop))[0],
            self._state_after(stop - 1),
            *self._compression,
        )

    def _conflict(self, group: h5py.Group, expected: int) -> RuntimeError:
        held = len(self._ring) - self._delivered
        return RuntimeError(
            f"{self.file.path!r}, group {self.name!r}: another program changed the run, which has "
            f"{group.attrs['iteration']} steps where {expected} were written. What it wrote is "
            f"left as it is. The last {held} of your steps are in memory until reset() or close(): "
            f"get_chain(discard={self.stored.iteration + self._delivered}) reads them"
        )

    def _state_after(self, row: int) -> Any:
        if row in self._other_states:
            return self._other_states[row]
        raw = self._ring.get_draws("random_state", slice(row, row + 1)).tobytes()
        key = np.frombuffer(raw, dtype=np.uint32, count=624)
        position, has_gauss = np.frombuffer(raw, dtype=np.int32, count=2, offset=2496)
        gaussian = np.frombuffer(raw, dtype=np.float64, count=1, offset=2504)[0]
        return "MT19937", key, int(position), int(has_gauss), float(gaussian)

    def finish_if_complete(self) -> None:
        """Give the file up where all is delivered and nothing announced is open."""
        with self._state:
            open_ended = len(self._ring) < self._announced and len(self.handles) > 0
            if self.finished or open_ended or not self._seal():
                return
        self._let_go()

    def _seal(self) -> bool:
        # A step may be recorded in any moment. Either it is seen here, or who saved it sees that
        # the run is finished, and saves it in the next one (see `took_last`).
        self.finished = True
        self.finished = self._delivered >= len(self._ring)
        return self.finished

    def took_last(self) -> bool:
        """Whether the step recorded last belongs to the run: it does not where it came too late."""
        if not self.finished:
            return True
        with self._state:
            return not self.finished or self._delivered >= len(self._ring)

    def _let_go(self) -> None:
        drain.forget(self)
        self._forget(self)
        self.file.release()

    def close(self, timeout: float) -> None:
        """Deliver everything and give the file up.

        Raises
        ------
        TimeoutError
            Where another program holds the file for longer than ``timeout`` seconds.
        RuntimeError
            Where another program changed the run; what was not written is given up.
        """
        try:
            delivered = self.deliver(timeout)
        except RuntimeError:
            self.discard()
            raise
        if not delivered:
            raise self.held(len(self._ring) - self._delivered, timeout)
        with self._delivering:
            with self._state:
                if self.finished:
                    return
                ended = self._seal()
            if ended:
                self._let_go()
            else:  # steps came meanwhile
                drain.schedule(self, self._flush_interval)

    def discard(self) -> None:
        """Forget the steps that wait, because the run starts again."""
        self._discarded = True
        with self._delivering:
            with self._state:
                if self.finished:
                    return
                self.finished = True
            self._let_go()

    # What the background thread and the end of the process call.

    def drain(self, cancelled: Callable[[], bool]) -> float | None:
        if self.finished:
            return None
        again = self.try_to_deliver(cancelled)
        if again is not None:
            return again
        self._recorder.notify_at = 0  # the next step tells of itself; or was it saved just now?
        if len(self._ring) > self._delivered:
            return self._flush_interval
        return None if self.finished else _IDLE

    def finish(self) -> None:
        if self.finished or self.is_of_a_parent:
            return
        try:
            self.close(EXIT_WAIT)
        except Exception as error:
            self.report_lost(len(self._ring) - self._delivered, error)


def _draw_bytes(variables: _Variables) -> int:
    return sum(
        int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
        for _, dtype, shape in variables
    )


def _keeper(
    objects: dict[int, NDArray[Any]], layout: BlobLayout
) -> Callable[[int, NDArray[Any]], None]:
    def keep(step: int, blobs: NDArray[Any]) -> None:
        objects[step] = as_texts(np.array(layout.encode(blobs), dtype=layout.dtype))

    return keep
