"""Watching a run: `drawstore.Monitor`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..running import RunningTime
from .agreement import RunningRhat
from .clock import Clock
from .finding import Found, find
from .following import Array, Followed
from .history import History
from .rules import LongEnough, Rule
from .showing import Showing, Until
from .status import Numbers, Progress, Status, count_all

if TYPE_CHECKING:
    from .diagnostics import Diagnostics

__all__ = ["Monitor"]

Reading = Callable[[int, int, int, int], None]


class Monitor:
    """Follows a run as it grows, and says whether it has converged.

    What is asked again costs the draws that came since, wherever the run is kept and whoever writes
    it. Warm-up is left out where the sampler marks it, as in `Run.to_datatree`. A run that was
    reset is followed anew, unless it was given as a Run, which is a handle on what it was.

    The walkers of an ensemble are not independent, so an ensemble has autocorrelation times, and no
    R-hat. Chains are taken to be independent; their autocorrelation functions are averaged as those
    of walkers are. Several runs are compared as chains are, each ensemble as a whole.

    Parameters
    ----------
    watched : Run, Backend, path-like, emcee.EnsembleSampler, emcee.backends.Backend, or a list
        A run; a backend, or a path or URL as for `drawstore.open`, in which there is one run, or
        `rid`; a sampler of emcee, or a backend of it, emcee's own or one of `drawstore.emcee`. A
        list of these are independent runs with the same parameters.
    rule : callable
        ``rule(status, previous)`` says from the `Status` at one check and that at the one before,
        None at first, whether the run has converged; by default `LongEnough`.
    every : int
        Steps from one check to the next. The rule is asked at each multiple of it, as in emcee's
        tutorial, that every chain has come to; where several went by unseen, at the last one. So it
        is the draws that decide, and not when they are looked at.
    names : sequence of str, optional
        The variables to follow; by default all that are numeric and of a fixed shape, but those
        that PyMC transformed. For emcee's backends and files, which have no names for parameters, a
        name for each.
    discard : int
        Draws to leave out at the start of each chain, beside warm-up.
    rid : str, optional
        Which run of a backend.

    Raises
    ------
    TypeError, ValueError, KeyError, FileNotFoundError
        Where there is no such run, or no such variable.

    Examples
    --------
    The loop of emcee's tutorial on monitoring, which stops when the run has converged:

    >>> import emcee, numpy as np, drawstore, drawstore.emcee
    >>> def log_prob(x):
    ...     return -0.5 * np.sum(x**2)
    >>> sampler = emcee.EnsembleSampler(32, 2, log_prob, backend=drawstore.emcee.Backend())
    >>> monitor = drawstore.Monitor(sampler)
    >>> for sample in sampler.sample(np.random.randn(32, 2), iterations=20_000):
    ...     if monitor.converged():
    ...         break
    >>> sampler.iteration < 20_000
    True
    """

    _last_row: Array | None  # of the draws that were compared
    _tau: tuple[int, Numbers]  # of how many draws, and what it is

    def __init__(
        self,
        watched: Any,
        *,
        rule: Rule | None = None,
        every: int = 100,
        names: Sequence[str] | None = None,
        discard: int = 0,
        rid: str | None = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"every={every}: expected a number of steps, at least 1")
        if discard < 0:
            raise ValueError(f"discard={discard}: expected a number of draws, 0 or more")
        self.rule: Rule = LongEnough() if rule is None else rule
        self.every = every
        self._reading: Reading | None = None
        self._watched = watched, rid
        self._showing: Showing | None = None
        self._find: Callable[[], Found] = partial(find, watched, rid, names, discard)
        self._begin()

    def update(self, reading: Reading | None = None) -> Status:
        """Take in the draws that came since, and say how far the run is.

        Parameters
        ----------
        reading : callable, optional
            ``reading(start, stop, n, n_bytes)`` is told which draws of each chain are about to be
            read, of n that there are, and how much memory they take as float64. What it raises ends
            the update; the next one goes on, or begins anew.

        Returns
        -------
        Status

        Raises
        ------
        KeyError
            Where the run is not there any more.
        OSError, RuntimeError
            Where it cannot be read.
        """
        self._reading = reading
        try:
            status = self._update()
        finally:
            self._reading = None
        if self._showing is not None:
            self._showing.take(status)
        return status

    @property
    def status(self) -> Status | None:
        """What was said last, or found at the last check; None at first. Nothing is read."""
        return None if self._found_last is None else self._judged(self._found_last)

    def converged(self) -> bool:
        """Say whether the run has converged; cheap enough to be asked at every step.

        The draws are looked at when the next check is due, as `update` does.

        Returns
        -------
        bool
            What the rule said at the last check.
        """
        both = zip(self._found.followed, self._chains, strict=True)
        n_steps = min((f.count() - progress.n_left_out for f, progress in both), default=0)
        if n_steps >= self._checked_at + self.every:
            self.update()
        if self._showing is not None:
            self._showing.asked()
        return self._verdict

    def show(self, interval: float | None = None) -> Showing:
        """Show how far the run is, here, and keep it up to date while this monitor is asked.

        In a notebook it is an output of the cell, which changes in its place whenever `converged`
        or `update` is called, in this cell or in a later one, and at the end of such a cell. On a
        terminal it is a line, and elsewhere a line after the other. There are no threads, so
        whoever samples is not disturbed; a look is made only when the time that the last one took
        has passed 25 times.

        Parameters
        ----------
        interval : float, optional
            Seconds from one time to the next, at least. By default 2, and 60 where it is neither a
            notebook nor a terminal.

        Returns
        -------
        Showing
            Can be left alone; as a context, it is closed at the end, and up to date.

        Raises
        ------
        KeyError, OSError, RuntimeError
            As `update` does; later on that is shown, and not raised.

        Examples
        --------
        >>> import emcee, numpy as np, drawstore, drawstore.emcee
        >>> sampler = emcee.EnsembleSampler(
        ...     32, 2, lambda x: -0.5 * x @ x, backend=drawstore.emcee.Backend()
        ... )
        >>> monitor = drawstore.Monitor(sampler)
        >>> with monitor.show():  # doctest: +ELLIPSIS
        ...     for sample in sampler.sample(np.random.randn(32, 2), iterations=20_000):
        ...         if monitor.converged():
        ...             break
        0 steps
        ... steps, converged
        """
        if self._showing is not None:
            self._showing.close()
        self._showing = Showing(self._update, interval)
        return self._showing

    def watch(self, interval: float | None = None, until: Until = "ended") -> Status:
        """Show a run that another process writes, until there is nothing more to see.

        It ends when no process writes the run any more, where that can be seen from here: in
        directories and HDF5 files of drawstore. Interrupting it, by the kernel's stop button or
        Ctrl-C, ends it as well.

        Parameters
        ----------
        interval : float, optional
            As for `show`.
        until : {"ended", "converged"} or callable
            What else ends it: nothing, that the run has converged, or ``until(status)``.

        Returns
        -------
        Status
            What was shown last.

        Raises
        ------
        KeyError, OSError, RuntimeError
            As `update` does at first; later on that is shown, and tried again.
        ValueError
            For another `until`.
        """
        from .ending import are_over

        with self.show(interval) as showing:
            showing.watch(until, lambda: are_over(*self._watched))
            return showing.status

    def diagnostics(self) -> Diagnostics:
        """Give the diagnostics of independent chains that take all draws; reads them.

        Needs ArviZ, or arviz-stats.

        Returns
        -------
        Diagnostics
            Rank-normalised split R-hat, and effective sample sizes.

        Raises
        ------
        ImportError
            Where there is neither.
        ValueError
            For one ensemble alone: its walkers are not independent. For fewer than four draws.
        """
        from .diagnostics import diagnose

        self._look()
        n_common = _n_common(self._chains)
        if n_common < 4:
            raise ValueError(f"there are {n_common} draws of each chain yet; 4 are needed at least")
        return diagnose(self._begun, n_common)

    def _repr_html_(self) -> str:
        from ..html.status import monitor_html

        return monitor_html(self)

    # How it is done.

    def _update(self) -> Status:
        self._look()
        n_common = _n_common(self._chains)
        if len(self._begun) == len(self._chains):
            self._check(n_common)
        return self._judged(self._status(self._chains, n_common))

    def _judged(self, status: Status) -> Status:
        """Say what the rule says, and what it wants."""
        n_needed, expected = self._forecast(status)
        return replace(
            status,
            converged=self._verdict,
            n_needed=n_needed,
            expected=expected,
            n_taus=getattr(self.rule, "n_taus", None),
            history=self._history.points(),
        )

    def _begin(self) -> None:
        """Follow what there is by now, from its beginning."""
        self._found = self._find()
        self._chains = tuple(followed.update() for followed in self._found.followed)
        self._clock = Clock(count_all(self._chains))
        self._compare([])

    def _compare(self, begun: list[Followed]) -> None:
        """Compare chains, from their beginning."""
        self._begun = begun
        self._time = RunningTime(self._read)
        self._rhat: RunningRhat | None = None
        if len(begun) > 1:
            self._rhat = RunningRhat([f.n_walkers for f in begun], len(begun[0].names))
        self._last_row = None
        self._n_compared = 0
        self._tau = 0, np.empty(0)
        self._history = History()
        self._found_last: Status | None = None
        self._checked: Status | None = None  # at the last check
        self._checked_at = 0
        self._verdict = False

    def _is_another(self) -> bool:
        """Say whether the draws are others than those that were followed, as after a reset."""
        before = [progress.n_steps + progress.n_left_out for progress in self._chains]
        counts = [followed.count() for followed in self._found.followed]
        if any(n < n_before for n, n_before in zip(counts, before, strict=True)):
            return True
        if counts == before or self._last_row is None:
            return False
        row = self._read_joint(self._n_compared - 1, self._n_compared)
        return not np.array_equal(row, self._last_row, equal_nan=True)

    def _look(self) -> None:
        """See which draws there are by now."""
        if self._found.is_outdated() or self._is_another():
            self._begin()
        else:
            self._chains = tuple(followed.update() for followed in self._found.followed)
        self._clock.tick(count_all(self._chains))
        both = zip(self._found.followed, self._chains, strict=True)
        begun = [followed for followed, progress in both if progress.n_steps]
        if begun != self._begun:
            self._compare(begun)

    def _read_joint(self, start: int, stop: int) -> Array:
        if self._reading is not None:
            row_bytes = 8 * sum(f.n_walkers * len(f.names) for f in self._begun)
            self._reading(start, stop, _n_common(self._chains), (stop - start) * row_bytes)
        parts = [followed.read(start, stop) for followed in self._begun]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _read(self, start: int, stop: int) -> Array:
        """Read draws of all that is compared; R-hat takes those in that it has not seen."""
        draws = self._read_joint(start, stop)
        if stop > self._n_compared:
            self._n_compared = stop
            self._last_row = np.array(draws[-1:])
        if self._rhat is not None and start <= self._rhat.n_steps < stop:
            self._rhat.add(draws[self._rhat.n_steps - start :])
        return draws

    def _check(self, n_common: int) -> None:
        """Ask the rule, where that is due."""
        due = n_common // self.every * self.every
        if due <= self._checked_at:
            return
        before = self._checked
        if due - self.every > self._checked_at:
            before = self._status_at(due - self.every)
        self._checked = self._status_at(due)
        self._checked_at = due
        self._verdict = bool(self.rule(self._checked, before))

    def _status_at(self, n: int) -> Status:
        """Give the status when no chain had more than n draws; n never falls."""
        chains = [replace(chain, n_steps=min(chain.n_steps, n)) for chain in self._chains]
        return self._status(tuple(chains), n)

    def _status(self, chains: tuple[Progress, ...], n_common: int) -> Status:
        names = self._found.followed[0].names if self._found.followed else ()
        if n_common == 0:
            self._tau = 0, np.full(len(names), np.nan)
        elif n_common != self._tau[0]:
            self._tau = n_common, self._time.tau(n_common)
        tau, rhat = self._tau[1], None
        if self._rhat is not None:
            if self._rhat.n_steps < n_common:
                self._read(self._rhat.n_steps, n_common)
            rhat = self._rhat.rhat()
        n_draws = sum(chain.n_steps * chain.n_walkers for chain in chains)
        rates = self._clock.rate, self._clock.mean_rate
        with np.errstate(divide="ignore"):  # of two draws, τ is 0
            ess = n_draws / tau
        found = Status(datetime.now(UTC), chains, names, tau, ess, rhat, *rates)
        self._history.add(n_common, found.longest_tau)
        self._found_last = found
        return found

    def _forecast(self, status: Status) -> tuple[int | None, datetime | None]:
        """Estimate at how many steps, and when, the run will be long enough for the rule."""
        steps_needed = getattr(self.rule, "steps_needed", None)
        needed = math.nan if steps_needed is None else float(steps_needed(status))
        if not math.isfinite(needed):
            return None, None
        n_needed = (math.floor(needed / self.every) + 1) * self.every  # where the rule is asked
        missing = sum(max(0, n_needed - chain.n_steps) for chain in status.chains)
        if self._verdict or missing == 0 or not status.mean_rate:
            return n_needed, None
        try:
            return n_needed, status.time + timedelta(seconds=missing / status.mean_rate)
        except OverflowError:
            return n_needed, None


def _n_common(chains: Sequence[Progress]) -> int:
    """Give the steps of the shortest chain that has begun."""
    return min((chain.n_steps for chain in chains if chain.n_steps), default=0)
