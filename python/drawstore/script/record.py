"""The record of a script's samplers: every step they store, in one HDF5 file."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary, ref

import emcee
import numpy as np
from emcee.ensemble import walkers_independent

from drawstore.emcee import HDFBackend
from drawstore.hdf5.store_file import PATIENCE, store_file

from .place import Place
from .replay import Proposals, RecordedMove, stored_states

__all__ = ["Record"]

_AGREES = 1e-6  # relative; libraries of linear algebra differ from machine to machine by less
_ANNOUNCED = 1000  # steps at least, so that short calls leave the file as it is in between

Sample = Callable[..., Iterator[emcee.State]]


class Part:
    """The steps of a sampler from one reset to the next: a group of the file.

    The group is made for the first step, so that a call that emcee refuses leaves nothing.

    Parameters
    ----------
    sampler : emcee.EnsembleSampler
    number : tuple of int
        Which sampler of the script it is, from 1, and how often it was reset.
    backend : HDFBackend
        On the group.
    base : int
        Steps that the sampler's backend had before the first of the group.
    every : int
        Proposals a step.
    is_there : bool
        Whether the group has been made.
    """

    def __init__(
        self,
        sampler: emcee.EnsembleSampler,
        number: tuple[int, int],
        backend: HDFBackend,
        base: int,
        every: int,
        is_there: bool,
    ) -> None:
        self.sampler = ref(sampler)
        self.number = number
        self.backend = backend
        self.base = base
        self.every = every
        self.is_there = is_there
        self.stored = backend.iteration if is_there else 0
        self.position = sampler.backend.iteration - base
        self.has_room = False  # whether the steps of the present call are announced
        self.blobs = True  # whether a file can hold them

    def make(self, shape: tuple[int, int]) -> None:
        """Make the group."""
        self.backend.reset(*shape)
        file = store_file(self.backend.filename)
        with file.owned():
            file.update(
                lambda opened: opened[self.backend.name].attrs.update(
                    drawstore_base=self.base, drawstore_thin=self.every
                ),
                timeout=PATIENCE,
            )
        self.is_there = True


class Record:
    """Keeps what the samplers of a script draw, and gives them what was kept.

    Samplers count from the first that is run; those of other processes are let alone, and so are
    steps that a script does not store.

    Parameters
    ----------
    place : Place
    say : callable
        Called with a line for the user.
    """

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place = place
        self._say = say
        self._pid = os.getpid()
        self._parts: WeakKeyDictionary[emcee.EnsembleSampler, Part] = WeakKeyDictionary()
        self._open: list[Part] = []
        self._samplers = 0
        self._lock = threading.Lock()  # of what threads of the script share
        self._kept = self._found = 0

    def watch_over(self, module: ModuleType) -> None:
        """Have every sampler of emcee kept, and its files written by drawstore."""
        original = module.EnsembleSampler.sample
        signature = inspect.signature(original)

        @functools.wraps(original)
        def sample(sampler: emcee.EnsembleSampler, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind(sampler, *args, **kwargs)
            given.apply_defaults()
            options = given.arguments
            del options["self"]
            if os.getpid() == self._pid and _can_be_kept(sampler, options):
                return self._sample(original, sampler, options)
            return original(sampler, **options)

        module.EnsembleSampler.sample = sample
        module.backends.HDFBackend = HDFBackend

    def close(self) -> None:
        """Have all steps in the file, and let it go."""
        self._close(self._open)

    def describe(self) -> str:
        """Say what was kept, in a line."""
        if not self._kept and not self._found:
            return "no sampler of emcee has stored a step"
        before = f" and {self._found:,} of earlier attempts" if self._found else ""
        return f"{self._kept:,} new steps{before} are in {self._place.shown}"

    def _sample(
        self, original: Sample, sampler: emcee.EnsembleSampler, options: dict[str, Any]
    ) -> Iterator[emcee.State]:
        """Sample as emcee does, from where earlier attempts have ended."""
        thin = options["thin"]
        every = int(options["thin_by"] if thin is None else thin)
        yields = 1 if thin is None else every  # of the sampler, for each step that it stores
        wanted = options["iterations"] // yields
        dtype = emcee.State(options["initial_state"]).coords.dtype
        with self._lock:
            part = self._part(sampler, every, dtype)
        part.has_room = False
        rows = range(part.position, min(part.position + wanted, part.stored))
        if rows:
            first = next(stored_states(part.backend, rows[:1], dtype))
            given = ("log_prob0", "rstate0", "blobs0")
            options |= {name: None for name in given if name in options}
            options |= {"initial_state": first, "skip_initial_state_check": True}
        proposals = Proposals(sampler, part.backend, rows, every, dtype)
        moves = [_own(move) for move in sampler._moves]
        sampler._moves = recorded = [RecordedMove(move, proposals) for move in moves]
        states = original(sampler, **options)
        try:
            for i, state in enumerate(states, 1):
                if i % yields == 0:
                    self._keep(part, state, proposals.accepted, wanted)
                yield state
        finally:
            states.close()  # type: ignore[attr-defined]  # a generator
            if sampler._moves is recorded:
                sampler._moves = moves

    def _keep(self, part: Part, state: emcee.State, accepted: Any, wanted: int) -> None:
        """Keep a step, where it is a new one."""
        part.position += 1
        if part.position <= part.stored:
            self._found += 1
            return
        if not part.has_room:
            self._announce(part, state, wanted)
        if not part.blobs:
            state = emcee.State(state.coords, state.log_prob, None, state.random_state)
        part.backend.save_step(state, accepted)
        part.stored += 1
        self._kept += 1

    def _announce(self, part: Part, state: emcee.State, wanted: int) -> None:
        steps = max(wanted, _ANNOUNCED)
        if not part.is_there:
            with self._lock:
                self._place.write()
            part.make(np.shape(state.coords))
        try:
            part.backend.grow(steps, state.blobs if part.blobs else None)
        except TypeError as error:
            self._say(f"the blobs of sampler {part.number[0]} are not kept: {error}")
            part.blobs = False
            part.backend.grow(steps, None)
        part.has_room = True

    # Which group the steps of a sampler are in.

    def _part(self, sampler: emcee.EnsembleSampler, every: int, dtype: Any) -> Part:
        """Find the part that the next step of a sampler belongs to."""
        part = self._parts.get(sampler)
        if part is not None and part.base + part.position == sampler.backend.iteration:
            return part
        if part is None:
            self._samplers += 1
            number = self._samplers, 0
        else:
            number = part.number[0], part.number[1] + 1
        over = [p for p in self._open if p is part or p.sampler() is None]
        self._open = [p for p in self._open if p not in over]
        self._close(over)
        part = self._begin(sampler, number, every, np.result_type(dtype, np.float64))
        self._parts[sampler] = part
        self._open.append(part)
        return part

    def _close(self, parts: list[Part]) -> None:
        for part in parts:
            part.backend.close()

    def _begin(
        self, sampler: emcee.EnsembleSampler, number: tuple[int, int], every: int, dtype: Any
    ) -> Part:
        """Take the group of the last attempt, or another where there is none that fits."""
        name = f"sampler-{number[0]}" + (f".reset-{number[1]}" if number[1] else "")
        attempt, found = self._last_attempt(name)
        if found is not None:
            backend, base, thinned = found
            part = Part(sampler, number, backend, base, thinned, is_there=True)
            if (
                backend.shape == (sampler.nwalkers, sampler.ndim)
                and thinned == every
                and 0 <= part.position <= part.stored
                and _agrees(sampler, backend)
            ):
                return part
            if part.stored:
                self._say(
                    f"the {part.stored:,} steps of {backend.name!r} are not of this sampler, whose "
                    "log-probabilities, shape or thinning differ; they are left, and it begins anew"
                )
        backend = HDFBackend(self._place.path, self._named(name, attempt + 1), dtype=dtype)
        return Part(sampler, number, backend, sampler.backend.iteration, every, is_there=False)

    def _last_attempt(self, name: str) -> tuple[int, tuple[HDFBackend, int, int] | None]:
        """Give the number of the last attempt of a part, and what there is of it."""
        attempt = 0
        if not os.path.exists(self._place.path):
            return attempt, None
        with store_file(self._place.path).reading() as file:
            while self._named(name, attempt + 1) in file:
                attempt += 1
            if attempt == 0:
                return attempt, None
            attributes = file[self._named(name, attempt)].attrs
            base, every = (int(attributes.get(f"drawstore_{key}", 0)) for key in ("base", "thin"))
        return attempt, (HDFBackend(self._place.path, self._named(name, attempt)), base, every)

    @staticmethod
    def _named(name: str, attempt: int) -> str:
        return name if attempt == 1 else f"{name}.attempt-{attempt}"


def _can_be_kept(sampler: emcee.EnsembleSampler, options: dict[str, Any]) -> bool:
    """Whether a call stores steps that a file can hold; emcee says what is wrong with others."""
    if not options["store"] or options["iterations"] is None or options["initial_state"] is None:
        return False
    coords = emcee.State(options["initial_state"]).coords
    every = options["thin_by"] if options["thin"] is None else options["thin"]
    return (
        np.shape(coords) == (sampler.nwalkers, sampler.ndim)
        and coords.dtype.kind in "fiu"
        and int(every) > 0
        and (options["skip_initial_state_check"] or walkers_independent(coords))
    )


def _own(move: Any) -> Any:
    """Give the move of a sampler, also where a call that records it was never ended."""
    return move.move if isinstance(move, RecordedMove) else move


def _agrees(sampler: emcee.EnsembleSampler, backend: HDFBackend) -> bool:
    """Whether the sampler has the log-probabilities that were kept with the last step."""
    if backend.iteration == 0:
        return True
    last = backend.get_last_sample()
    try:
        log_prob, blobs = sampler.compute_log_prob(last.coords)
    except ValueError:  # which emcee raises for what is not a number
        return False
    return (blobs is None) == (last.blobs is None) and bool(
        np.allclose(log_prob, last.log_prob, rtol=_AGREES, atol=_AGREES)
    )
