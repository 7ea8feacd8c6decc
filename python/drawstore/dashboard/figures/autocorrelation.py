"""The autocorrelation function, with the window of its time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...autocorr import function_1d
from .chains import chain_entries, long_ones, unit_of
from .figure import Answer, Colours, Figure, Question
from .panel import by_series, colour_of, grid, key, level, panel, source, stack, write
from .sampling import SECONDS, Growth, LastDraws, columns_of, kept

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Autocorrelation"]

_MOST = 2**20  # values, of all parameters, chains and walkers
_C = 5  # width of the window, in autocorrelation times
_WIDER = 2.5  # windows that are shown
_FEWEST = 10  # lags
_POINTS = 240  # of a line
_LINES = 32  # of chains or walkers

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Autocorrelation(Figure):
    """Functions of lag: of each chain or walker, and their mean, as the time is estimated from it.

    References
    ----------
    .. [1] A. Sokal, "Monte Carlo Methods in Statistical Mechanics: Foundations and New Algorithms",
       lecture notes, 1989.
    """

    name = "autocorrelation"
    title = "Autocorrelation"
    about = (
        "How alike draws are that are so many apart. The time τ is the sum up to the window, which "
        "ends at the first lag of 5 τ or more; past it there should be noise only."
    )

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make a panel a parameter."""
        panels = []
        colour = by_series(colours, "series", len(view.followed))
        for i, parameter in enumerate(parameters):
            made = panel(colours, name=parameter, x=f"lag, in {unit_of(view)}")
            made.x_range.range_padding = 0
            made.y_range.end = 1.05
            made.varea(
                "x", 0, "y", source=source(f"autocorrelation-{i}-window", "x", "y"),
                color=colours.text, alpha=0.1,
            )  # fmt: skip
            made.add_layout(level(colours, 0))
            made.multi_line(
                "xs", "ys", color=colour, alpha=0.55, line_width=1,
                source=source(f"autocorrelation-{i}-each", "xs", "ys", "series"),
            )  # fmt: skip
            made.line(
                "x", "y", source=source(f"autocorrelation-{i}-mean", "x", "y"),
                color=colours.text, line_width=2,
            )  # fmt: skip
            mark = source(f"autocorrelation-{i}-mark", "x", "y", "text")
            made.vspan("x", source=mark, color=colours.text, line_dash="dashed")
            write(made, mark, colours.text, x_offset=6, text_baseline="top")
            panels.append(made)
        entries = chain_entries(view, colours) or [("line", colour_of(colours, 0), "walkers")]
        entries += [("line", colours.text, "mean"), ("area", colours.grid, "window")]
        return stack(key(colours, entries), grid(panels))

    def data(self, view: RunView, question: Question) -> Answer:
        """Compute the functions, of the last draws where they are many."""
        chosen = question.parameters
        return kept(view, self.name, chosen, lambda: _Functions(view, chosen)).update()


class _Functions:
    """The functions of some parameters, computed again when there are more draws to speak of."""

    def __init__(self, view: RunView, parameters: Sequence[str]) -> None:
        columns = columns_of(view, parameters)
        n_series = sum(followed.n_walkers for followed in view.followed)
        each = max(_FEWEST, _MOST // max(1, n_series * len(columns)))
        self._view = view
        self._n_params = len(columns)
        self._unit = unit_of(view)
        self._draws = [LastDraws(followed, columns, each) for followed in view.followed]
        self._growth = Growth()
        self._answer = Answer({})

    def update(self) -> Answer:
        began, read = time.monotonic(), []
        with self._view.run.held_open():
            for i, followed in enumerate(self._view.followed, start=1):
                until = began + SECONDS * i / len(self._draws)
                read.append(self._draws[i - 1].update(followed.look(), until))
        if self._growth.is_enough(sum(map(len, read))):
            self._answer = self._compute(read)
        return self._answer

    def _compute(self, read: Sequence[Array]) -> Answer:
        compared = long_ones([(i, len(draws)) for i, draws in enumerate(read)])
        shortest = min((len(read[i]) for i in compared), default=0)
        series = [i for i in compared for _ in range(read[i].shape[1])]
        sources: dict[str, Any] = {}
        for i in range(self._n_params):
            of_each = [
                function_1d(values)
                for j in compared
                for values in read[j][:shortest, :, i].astype(np.float64).T
            ]
            sources |= _of_parameter(f"autocorrelation-{i}", of_each, series)
        notes = []
        if any(self._draws[i].start for i in compared):
            notes.append(f"From the last {shortest:,} {self._unit}.")
        if len(compared) < len(read) and compared:
            notes.append("Chains less than half as long as the longest are left out.")
        return Answer(sources, tuple(notes))


def _of_parameter(
    prefix: str, of_each: Sequence[Numbers], series: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Give the sources of a panel from the function of each series, and its number."""
    mean = np.mean(of_each, axis=0) if of_each else np.empty(0)
    window, text = _window(mean)
    n_stuck = sum(bool(np.isnan(f).any()) for f in of_each)
    if n_stuck:
        text = f"no τ: {n_stuck} of {len(of_each)} never moved, or are not finite"
    longest = max(_FEWEST, math.ceil(_WIDER * window)) if window else len(mean)
    lags = np.unique(np.linspace(0, max(0, min(longest, len(mean) - 1)), _POINTS).astype(int))
    shown = [k for k, f in enumerate(of_each) if not np.isnan(f).any()]
    shown = shown[:: -(-len(shown) // _LINES) or 1]
    known = lags[: 0 if np.isnan(mean).any() else len(mean)]
    inside = known[known <= window]
    return {
        f"{prefix}-each": {
            "xs": [lags.astype(np.float32)] * len(shown),
            "ys": [of_each[k][lags].astype(np.float32) for k in shown],
            "series": np.array(series, dtype=float)[shown],
        },
        f"{prefix}-mean": {"x": known, "y": mean[known]},
        f"{prefix}-window": {"x": inside, "y": mean[inside]},
        f"{prefix}-mark": {"x": [float(window)], "y": [1.0], "text": [text]},
    }


def _window(mean: Numbers) -> tuple[int, str]:
    """Find Sokal's window in a function, and say what the time is; 0 where there is none."""
    if not len(mean):
        return 0, "no draws yet"
    times = 2 * np.cumsum(mean) - 1
    long_enough = np.arange(len(mean)) >= _C * times
    if not long_enough.any():
        return 0, "no τ yet: too few draws"
    window = int(np.argmax(long_enough))
    return window, f"τ = {times[window]:.3g}"
