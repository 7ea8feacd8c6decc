"""A run that is being written: its steps gather in a journal, and are drained into the file."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from drawstore import drain
from drawstore._core import Holding
from drawstore.backends.core import core_meta
from drawstore.ensemble.random_states import state_at
from drawstore.ensemble.stored import StoredSteps, own
from drawstore.hdf5.attributes import read
from drawstore.hdf5.binding import sign
from drawstore.hdf5.delivery import FileDelivery
from drawstore.hdf5.emcee_layout import (
    append_steps,
    emcee_group,
    keys_of,
    read_steps,
    split_rows,
    steps_meta,
    take_steps,
)
from drawstore.hdf5.store_file import StoreFile

from .begun import Begun
from .options import Options, rows_at_once
from .recording import recorder_for

if TYPE_CHECKING:
    from drawstore._core import Journal

__all__ = ["Run"]

_END_WAIT = 2.0  # seconds that the last announced step waits for a reader of the file
_MOMENT = 0.0002
_BUSY = 0.02
_RETRY = 1.0
_IDLE = 1.0  # how often a run whose announced steps do not come asks whether anyone still holds it


class Run(FileDelivery):
    """Steps of one run on their way into one group of one file.

    One thread saves steps; any thread may read, flush and close. `start_run` makes it. Steps are
    counted from the first of the run on, whoever saved them.

    Parameters
    ----------
    file : StoreFile
        Which the run owns until it is finished.
    name : str
        Of the group.
    begun : Begun
        What the group holds already, bound.
    options : Options
    forget : callable
        Called with the run when it is finished.
    """

    noun: ClassVar[str] = "steps"

    def __init__(
        self,
        file: StoreFile,
        name: str,
        begun: Begun,
        options: Options,
        forget: Callable[[Run], None],
    ) -> None:
        super().__init__(file, options.journal)
        self.name = name
        stored, binding = begun.stored, begun.binding
        assert binding is not None
        self.stored = stored
        self.blobs = stored.blobs
        self.handles: weakref.WeakSet[Any] = weakref.WeakSet()
        self.finished = False
        self._binding = binding
        self._flush_interval = options.flush_interval
        self._forget = forget
        self._state = threading.Lock()  # what is delivered; held for moments
        self._journal: Journal = file.journal(options.journal)
        self._chain = self._journal.begin_chain(
            binding.id, name, core_meta(steps_meta(stored)), 0, binding.rows, binding.sum
        )
        accepted = np.array(begun.accepted, dtype=np.float64)
        self._recorder = recorder_for(self._chain, self.blobs, accepted)
        self._recorder.random_state = begun.random_state
        self._recorder.notify_at = 0
        self._other_states: dict[int, Any] = {}
        self.record = self._recorder.save_step
        self._delivered = binding.rows
        self._announced = 0
        self._attempted = binding.rows  # they may be in the file after an attempt that failed
        self._discarded = False
        self._gone = False  # with all that belongs to it

    def is_over(self) -> bool:
        """Whether the next run of the group may begin; waits where this one is just ending."""
        with self._state:
            if not self.finished:
                return False
        end = time.monotonic() + _END_WAIT
        while not self._gone and time.monotonic() < end:
            time.sleep(_MOMENT)
        return True

    # What the sampler calls.

    def announce(self, steps: int) -> None:
        """Say that so many steps will follow the present one."""
        with self._state:
            self._announced = max(self._announced, self.iteration + steps)
            self._recorder.notify_at = 0

    def saved(self) -> None:
        """Act on a step that `record` told of: the first of a block, or the last announced.

        Raises
        ------
        OSError
            Where the announced steps are complete, or no more may wait, and the file cannot be
            written.
        """
        if self.finished:  # another thread has delivered it and ended the run
            return
        rows = self.iteration
        if self._announced and rows >= self._announced:
            self._recorder.notify_at = 0
            drain.schedule(self, _RETRY)
            if not self.deliver(timeout=_END_WAIT):
                drain.schedule(self, _BUSY)
            return
        block = self._block_rows()
        drain.schedule(self, 0.0 if rows - self._delivered >= block else self._flush_interval)
        if self.size <= self.max_buffer and self.is_behind:
            self.catch_up()
        self.wait_for_room(self.deliver)
        following = rows + block
        self._recorder.notify_at = min(following, self._announced or following)

    @property
    def size(self) -> int:
        return 0 if self.finished else self._chain.waiting_bytes

    def _block_rows(self) -> int:
        """Tell how many steps are written at once."""
        waiting = max(1, self.iteration - self._delivered)
        row_bytes = max(1, self._chain.waiting_bytes // waiting)
        return rows_at_once(row_bytes, self.stored, self.blobs, self.max_buffer)

    # What readers call.

    @property
    def iteration(self) -> int:
        """Steps saved, in the file and on their way."""
        return len(self._chain)

    def steps(self) -> StoredSteps:
        """Give the steps as they are now."""
        return StoredSteps(
            self.iteration,
            self.blobs,
            self._read,
            lambda: np.array(self._recorder.accepted),
            self._random_state,
        )

    def _random_state(self) -> list[Any] | None:
        state = self._recorder.random_state
        return list(state) if state is not None and len(state) else None

    def _read(self, key: str, rows: range) -> NDArray[Any]:
        while True:
            held = self._delivered
            stored, waiting = split_rows(rows, held)
            try:
                values = take_steps(self._chain, key, waiting, self.blobs)
            except RuntimeError:
                if self._delivered == held:
                    raise
                continue  # they were delivered meanwhile
            if not stored:
                return own(values)
            with self.file.reading() as file:
                group = emcee_group(file, self.name, self.file.path)
                if group.attrs["iteration"] < held:
                    raise self._conflict(group, held)
                before = read_steps(group, key, stored)
            return np.concatenate([before, values]) if waiting else before

    # Delivering.

    def deliver(
        self, timeout: float = math.inf, cancelled: Callable[[], bool] | None = None
    ) -> bool:
        end = self.iteration
        latest = time.monotonic() + timeout
        with Holding(self._delivering, timeout) as is_free:
            if not is_free:
                return False
            while not self.finished and self._delivered < end:
                start = self._delivered
                stop = min(end, start + self._block_rows())
                begin, waited = time.monotonic(), self.size
                if not self.file.update(
                    functools.partial(self._write, start=start, stop=stop),
                    timeout=max(0.0, latest - time.monotonic()),
                    cancelled=lambda: self._discarded or (cancelled is not None and cancelled()),
                ):
                    return False
                self._delivered = stop
                self._chain.release(stop)
                self._pace.note(max(0, waited - self.size), time.monotonic() - begin)
                for i in range(start, stop):
                    self._other_states.pop(i, None)
            self.finish_if_complete()
            return True

    def _write(self, file: h5py.File, start: int, stop: int) -> None:
        group = file.get(self.name)
        if not isinstance(group, h5py.Group) or not self._binding.is_of(group):
            raise self._conflict(emcee_group(file, self.name, self.file.path), start)
        found = int(read(group, "iteration", (), np.int64))
        if found not in (start, self._attempted):
            raise self._conflict(group, start)
        start, self._attempted = found, max(found, stop)
        if start >= stop:
            return
        rows = range(start, stop)
        self._other_states.update(self._recorder.take_other_states())
        append_steps(
            group,
            start,
            {key: take_steps(self._chain, key, rows, self.blobs) for key in keys_of(self.blobs)},
            self._announced,
            self.blobs,
            self._chain.get_stats_at(stop - 1, ["accepted"])["accepted"],
            self._other_states.get(stop - 1) or state_at(self._chain, stop - 1),
        )
        replace(self._binding, rows=stop, sum=self._chain.sum_of(stop - 1)).write(group)
        sign(group)

    def _conflict(self, group: h5py.Group, expected: int) -> RuntimeError:
        held = self.iteration - self._delivered
        return RuntimeError(
            f"{self.file.path!r}, group {self.name!r}: another program changed the run, which has "
            f"{group.attrs['iteration']} steps where {expected} were written. What it wrote is "
            f"left as it is. The last {held} of your steps are kept {self._kept} until reset(): "
            f"get_chain(discard={self._delivered}) reads them until close()"
        )

    def finish_if_complete(self) -> None:
        """Give the file up where all is delivered and nothing announced is open."""
        with self._state:
            open_ended = self.iteration < self._announced and len(self.handles) > 0
            if self.finished or open_ended or not self._seal():
                return
        self._let_go()

    def _seal(self) -> bool:
        # A step may be recorded in any moment. Either it is seen here, or who saved it sees that
        # the run is finished, and saves it in the next one (see `took_last`).
        self.finished = True
        self.finished = self._delivered >= self.iteration
        return self.finished

    def took_last(self) -> bool:
        """Whether the step recorded last belongs to the run: it does not where it came too late."""
        if not self.finished:
            return True
        with self._state:
            return not self.finished or self._delivered >= self.iteration

    def _let_go(self) -> None:
        drain.forget(self)
        try:
            self._forget_steps()
        finally:
            self._gone = True
            self._forget(self)
            self.file.release()

    def _give_up(self) -> None:
        """Let go of steps that cannot be delivered."""
        with self._delivering:
            with self._state:
                if self.finished:
                    return
                self.finished = True
            if self._journal.path is not None:
                self.file.keep(self._journal)
                self._gone = True
                drain.forget(self)
                self._forget(self)
                self.file.release()
            else:
                self._let_go()

    def _forget_steps(self) -> None:
        end = time.monotonic() + _END_WAIT
        while True:
            try:
                return self._chain.discard()
            except RuntimeError:  # a step is just being recorded; it will go to the next run
                if time.monotonic() > end:
                    raise
                time.sleep(_MOMENT)

    def close(self, timeout: float) -> None:
        """Deliver everything and give the file up.

        Raises
        ------
        TimeoutError
            Where another program holds the file for longer than ``timeout`` seconds.
        RuntimeError
            Where another program changed the run; the journal keeps what was not written.
        """
        try:
            delivered = self.deliver(timeout)
        except RuntimeError:
            self._give_up()
            raise
        if not delivered:
            raise self.undelivered(self.iteration - self._delivered, timeout)
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
        with self.replaced():
            pass

    @contextlib.contextmanager
    def replaced(self) -> Iterator[None]:
        """Forget the steps that wait where the context ends without an error.

        Nothing is delivered meanwhile.
        """
        self._discarded = True
        try:
            with self._delivering:
                yield
                with self._state:
                    if self.finished:
                        return
                    self.finished = True
                self._let_go()
        finally:
            self._discarded = False

    # What the background thread and the end of the process call.

    def drain(self, cancelled: Callable[[], bool]) -> float | None:
        if self.finished:
            drain.forget(self)  # who saved the last step may have scheduled it since
            return None
        again = self.try_to_deliver(cancelled)
        if again is not None:
            return again
        self._recorder.notify_at = 0  # the next step tells of itself; or was it saved just now?
        if self.iteration > self._delivered:
            return self._flush_interval
        return None if self.finished else _IDLE

    def finish(self) -> None:
        if self.finished or self.is_of_a_parent:
            return
        try:
            self.close(self.exit_wait)
        except Exception as error:
            self.report_lost(self.iteration - self._delivered, error)
