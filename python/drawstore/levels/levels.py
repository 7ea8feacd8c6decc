"""The levels of the parameters of a run, as it grows."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .pace import Pace
from .pairs import Values
from .pieces import places_of_pieces, spreading_order
from .series import Series, walker_lines
from .view import View, join

if TYPE_CHECKING:
    from ..interface import Run
    from ..monitor.following import Followed

__all__ = ["Levels"]

_STEP = 0.02  # seconds that draws are read at a time, about
_MOST_STEP_BYTES = 2**22
_STEP_MARKS = 2**20  # of draws that are looked at for warm-up at a time
_FEWEST_BUCKETS = 64  # that a series has, whatever the room
_PIECE_DRAWS = 16  # that are read at one place where not all can be
_PIXELS_A_PIECE = 4
_WIDEST = 2**13  # pixels


class Levels:
    """Views of the draws of chains, or of an ensemble, at the level of detail of a figure.

    Draws have the numbers that they have in the chain, warm-up included. One thread at a time may
    use it.

    Parameters
    ----------
    run : Run
        Which has them.
    followed : sequence of Followed
        The chains, or the one ensemble.
    most_bytes : int
        The room that all levels may take. Those that were not asked for last go; where that is not
        enough, buckets become larger.

    Attributes
    ----------
    lengths : list of int
        The number of draws of each chain, as of the last `build`.
    warmup : list of tuple of range
        Those of each that are marked as warm-up, as far as is known.
    """

    def __init__(self, run: Run, followed: Sequence[Followed], *, most_bytes: int = 2**26) -> None:
        self._run = run
        self._followed = list(followed)
        self._most_bytes = most_bytes
        self._series: OrderedDict[tuple[int, int], Series] = OrderedDict()  # the last asked last
        self._pace = Pace()
        self._n_marked = [0] * len(self._followed)  # draws that were looked at for warm-up
        self.lengths = [0] * len(self._followed)
        self.warmup: list[tuple[range, ...]] = [()] * len(self._followed)

    @property
    def nbytes(self) -> int:
        """The room that the levels take."""
        return sum(series.nbytes for series in self._series.values())

    def share(self, parameters: Sequence[int]) -> float:
        """Say what share of the draws of some parameters was taken in, from 0 to 1."""
        n_all = sum(self.lengths) * len(parameters)
        keys = [(i, p) for i in range(len(self._followed)) for p in parameters]
        n_in = sum(self._series[key].n_draws for key in keys if key in self._series)
        return n_in / n_all if n_all else 1.0

    def build(self, parameters: Sequence[int], seconds: float) -> bool:
        """Take in draws that came since.

        A chain that is shorter than before, or has other draws, begins anew.

        Parameters
        ----------
        parameters : sequence of int
            Of all chains: places among `Followed.names`.
        seconds : float
            After which no further step begins.

        Returns
        -------
        bool
            Whether all draws are in.

        Raises
        ------
        OSError, RuntimeError, KeyError
            Where the run cannot be read.
        """
        end = time.perf_counter() + seconds
        with self._run.held_open():
            self._look(parameters)
            while True:
                is_marked = self._look_for_warmup()
                step = self._next_step(parameters)
                if is_marked and step is None:
                    return True
                if time.perf_counter() >= end:
                    return False
                if step is not None:
                    self._take_in(*step)
                    self._make_room(parameters)

    def views(
        self,
        number: int,
        parameters: Sequence[int],
        start: int,
        stop: int,
        width: int,
        seconds: float,
    ) -> list[View]:
        """Show a range of draws.

        What no level has is read, if it is no more than can be in that time; else evenly spaced
        pieces of it are, as many as there is time for.

        Parameters
        ----------
        number : int
            Of the chain among those that are followed.
        parameters : sequence of int
            Places among `Followed.names`.
        start, stop : int
            The range, cut to the draws that there were at the last `build`; the buckets at its ends
            may reach beyond.
        width : int
            How many buckets are wanted, at most; twice as many draws are shown one by one.
        seconds : float
            To read with, about; with 0 nothing is read, and shown is what levels have.

        Returns
        -------
        list of View
            Of each parameter.

        Raises
        ------
        OSError, RuntimeError, KeyError
            Where the run cannot be read.
        """
        width = max(1, min(width, _WIDEST))
        stop = max(0, min(stop, self.lengths[number]))
        start = min(max(0, start), stop)
        bucket = 1 if stop - start <= 2 * width else -(-(stop - start) // width)
        kept = [self._series[number, p] for p in parameters if (number, p) in self._series]
        built = 0
        if len(kept) == len(parameters) > 0:
            kept_bucket = max(series.bucket for series in kept)
            if bucket >= kept_bucket or not self._fits(number, parameters, stop - start, seconds):
                bucket = -(-bucket // kept_bucket) * kept_bucket
                built = min(series.n_draws for series in kept)
        if built < stop:
            built = built // bucket * bucket
        parts = []
        if start < built:
            parts.append([series.view(start, min(stop, built), bucket) for series in kept])
        if built < stop or start == stop:
            asked = (number, parameters, max(start, built), stop)
            with self._run.held_open():
                if start == stop or self._fits(
                    number, parameters, stop - max(start, built), seconds
                ):
                    parts.append(self._read_all(*asked, bucket))
                else:
                    parts.append(self._read_pieces(*asked, width // _PIXELS_A_PIECE, seconds))
        return [join(views) for views in zip(*parts, strict=True)]

    def _look(self, parameters: Sequence[int]) -> None:
        """See which draws there are by now."""
        for i, followed in enumerate(self._followed):
            self.lengths[i] = n = followed.count()
            before = [series.n_draws for (j, _), series in self._series.items() if j == i]
            if n < max(before, default=0):
                self._forget(i)
            for parameter in parameters:
                if (i, parameter) not in self._series:
                    self._series[i, parameter] = Series(followed.n_walkers)
                self._series.move_to_end((i, parameter))

    def _forget(self, number: int) -> None:
        for key, series in self._series.items():
            if key[0] == number:
                self._series[key] = Series(len(series.last))

    def _look_for_warmup(self) -> bool:
        """Look at the marks of some more draws; says whether all were looked at."""
        for i, n in enumerate(self.lengths):
            if self._n_marked[i] < n:
                self.warmup[i], self._n_marked[i] = self._followed[i].find_warmup(_STEP_MARKS)
        return all(n <= marked for n, marked in zip(self.lengths, self._n_marked, strict=True))

    def _next_step(self, parameters: Sequence[int]) -> tuple[int, list[int], int, int] | None:
        """Say what to read next: of the chain that is behind most, parameters and a range."""
        least, step = 1.0, None
        for i, n in enumerate(self.lengths):
            n_in = {p: self._series[i, p].n_draws for p in parameters}
            start = min(n_in.values(), default=n)
            if start < n and start / n < least:
                least = start / n
                behind = [p for p, n_before in n_in.items() if n_before == start]
                others = [n_before for n_before in n_in.values() if n_before > start]
                step = i, behind, start, min([n, *others])
        return step

    def _take_in(self, number: int, parameters: list[int], start: int, stop: int) -> None:
        """Read a range, or its beginning, and the draw before it, which is to be as it was."""
        began, followed = time.perf_counter(), self._followed[number]
        row_bytes = max(1, followed.row_bytes(parameters))
        n_bytes = min(self._pace.n_bytes(_STEP), _MOST_STEP_BYTES)
        stop = min(stop, start + max(1, n_bytes // row_bytes))
        before = min(start, 1)
        columns = followed.read_columns(parameters, start - before, stop)
        for parameter, values in zip(parameters, columns, strict=True):
            series = self._series[number, parameter]
            if before and not np.array_equal(values[0], series.last, equal_nan=True):
                self._forget(number)
                return
            series.append(values[before:])
        self._pace.measured((stop - start) * row_bytes, time.perf_counter() - began)

    def _make_room(self, parameters: Sequence[int]) -> None:
        """Keep to the room: let others go; where that is not enough, make the largest coarser."""
        while self.nbytes > self._most_bytes:
            oldest = next(iter(self._series))
            if oldest[1] not in parameters:
                del self._series[oldest]
                continue
            largest = max(self._series.values(), key=lambda series: series.nbytes)
            if largest.n_buckets <= _FEWEST_BUCKETS:
                return
            largest.coarsen()

    def _fits(self, number: int, parameters: Sequence[int], n_draws: int, seconds: float) -> bool:
        n_bytes = n_draws * self._followed[number].row_bytes(parameters)
        return n_bytes <= self._pace.n_bytes(seconds)

    def _read_all(
        self, number: int, parameters: Sequence[int], start: int, stop: int, bucket: int
    ) -> list[View]:
        """Show all draws of a range."""
        began, followed = time.perf_counter(), self._followed[number]
        n_walkers = followed.n_walkers
        start = start // bucket * bucket
        stop = min(-(-stop // bucket) * bucket, self.lengths[number])
        columns: list[Values] = [np.empty((0, n_walkers)) for _ in parameters]
        if start < stop:
            columns = followed.read_columns(parameters, start, stop)
        shown = []
        for values in columns:
            series = Series(n_walkers, bucket)
            series.append(values)
            view = series.view(0, stop - start, bucket, shift=start)
            if bucket == 1 and n_walkers > 1:
                view = View(view.line, view.band, walker_lines(values, start))
            shown.append(view)
        n_bytes = (stop - start) * followed.row_bytes(parameters)
        self._pace.measured(n_bytes, time.perf_counter() - began)
        return shown

    def _read_pieces(
        self,
        number: int,
        parameters: Sequence[int],
        start: int,
        stop: int,
        most: int,
        seconds: float,
    ) -> list[View]:
        """Show evenly spaced pieces of a range, as many as there is time for."""
        end, followed = time.perf_counter() + seconds, self._followed[number]
        n_at_once = self._pace.n_bytes(seconds) // max(1, followed.row_bytes(parameters))
        size = max(1, min(_PIECE_DRAWS, n_at_once, stop - start))
        n = max(1, min(most, (stop - start) // size))
        places = places_of_pieces(start, stop, n, size)
        pieces: dict[int, list[Values]] = {}
        for i in spreading_order(n) if seconds > 0 else []:
            place = int(places[i])
            pieces[i] = followed.read_columns(parameters, place, place + size)
            if time.perf_counter() >= end and len(pieces) > 1:
                break
        nothing, seen, shown = np.empty((0, followed.n_walkers)), sorted(pieces), []
        for column in range(len(parameters)):
            series = Series(followed.n_walkers, size)
            series.append(np.concatenate([nothing, *(pieces[i][column] for i in seen)]))
            view = series.view_pieces(places[seen])
            n_left_out = stop - start - size * len(seen)
            shown.append(View(view.line, view.band, n_left_out=n_left_out))
        return shown
