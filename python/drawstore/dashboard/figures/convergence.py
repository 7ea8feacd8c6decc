"""Autocorrelation times and R-hat over the draws of a run, with the rule that judges them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...autocorr import integrated_time
from ...monitor.rules import LongEnough
from ...reports.mixing import split_rhat
from .chains import is_of_chains, long_ones, unit_of
from .figure import Answer, Colours, Figure, Question
from .panel import by_series, colour_of, grid, hover, key, level, panel, short, source, stack, write
from .sampling import SECONDS, SpacedDraws, kept

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, LayoutDOM

    from ..view import RunView

__all__ = ["Convergence"]

_RULE = LongEnough()
_POINTS = 32  # of a line, at most; half of them at least, where there are as many draws
_LEAST = 25  # draws from a point to the next
_MOST = 2**21  # values, of all parameters, chains and walkers
_LEAST_RHAT = 1e-4  # below this, R-hat - 1 is 0 for all that it matters

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Convergence(Figure):
    """How τ and R-hat came to be what they are."""

    name = "convergence"
    title = "Convergence"
    about = (
        f"The autocorrelation time τ of the first N draws: long enough is where it is below "
        f"N/{_RULE.n_taus:g} and has settled, to {_RULE.change:.0%} from one check to the next. "
        f"Chains agree where R̂ is below {_RULE.rhat:g}."
    )

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make one panel, or two; with a line a parameter."""
        lines = source("convergence", "xs", "taus", "rhats", "parameter", "name")
        colour = by_series(colours, "parameter", len(parameters))
        unit = unit_of(view)
        times = panel(colours, name="Autocorrelation time τ", x=unit, y=f"τ, in {unit}", height=260)
        rule = source("convergence-rule", "x", "y")
        settled = source("convergence-settled", "left", "right", "low", "high", "parameter")
        times.y_range.start = 0
        times.x_range.range_padding = 0.02
        times.varea("x", 0, "y", source=rule, color=colours.good, alpha=0.1)
        times.line("x", "y", source=rule, color=colours.good, line_dash="dashed", line_width=1.5)
        said = source("convergence-said", "x", "y", "text")
        write(times, said, colours.good, x_offset=-4, text_align="right", text_baseline="bottom")
        times.quad(
            "left", "right", "high", "low", source=settled, color=colour, alpha=0.3, line_color=None
        )
        _draw(times, lines, "taus", colour, "τ")
        panels = [times]
        if _has_rhat(view):
            rhat = panel(
                colours, name="R̂", x=unit, height=260, y_axis_type="log",
                y_range=(_LEAST_RHAT / 2, 2),
            )  # fmt: skip
            shown = {0.0001: "1.0001", 0.001: "1.001", 0.01: "1.01", 0.1: "1.1", 1: "2"}
            rhat.x_range = times.x_range
            rhat.yaxis.ticker = list(shown)
            rhat.yaxis.major_label_overrides = shown
            rhat.hstrip(
                [_LEAST_RHAT / 2], [_RULE.rhat - 1], color=colours.good, alpha=0.1, line_color=None
            )
            limit = level(colours, _RULE.rhat - 1, "dashed")
            limit.line_color, limit.line_width = colours.good, 1.5
            rhat.add_layout(limit)
            _draw(rhat, lines, "rhats", colour, "R̂ - 1")
            panels.append(rhat)
        entries = [
            ("line", colour_of(colours, i), short(name)) for i, name in enumerate(parameters[:12])
        ]
        entries.append(("area", colours.good + "33", "as the rule wants it"))
        return stack(key(colours, entries), grid(panels, 340))

    def data(self, view: RunView, question: Question) -> Answer:
        """Go on with the history, which begins with the run."""
        parameters = question.parameters
        history = kept(view, self.name, parameters, lambda: _History(view, parameters))
        history.update()
        n, taus, rhats = history.values()
        end = float(n[-1]) if len(n) else 0.0
        last = taus[-1] if len(n) else np.full(len(parameters), np.nan)
        known = np.flatnonzero(np.isfinite(last))
        said = [(end, end / _RULE.n_taus, f"N/{_RULE.n_taus:g}")] if end else []
        sources: dict[str, dict[str, Any]] = {
            "convergence": {
                "xs": [n] * len(parameters),
                "taus": list(taus.T),
                "rhats": list(np.maximum(rhats - 1, _LEAST_RHAT).T),
                "parameter": np.arange(len(parameters), dtype=float),
                "name": [short(name) for name in parameters],
            },
            "convergence-rule": {"x": [0.0, end], "y": [0.0, end / _RULE.n_taus]},
            "convergence-said": {
                column: [point[i] for point in said] for i, column in enumerate(("x", "y", "text"))
            },
            "convergence-settled": {
                "left": np.full(len(known), end * 0.8),
                "right": np.full(len(known), end),
                "low": last[known] * (1 - _RULE.change),
                "high": last[known] * (1 + _RULE.change),
                "parameter": known.astype(float),
            },
        }
        return Answer(sources, history.notes)


def _draw(made: Any, lines: ColumnDataSource, ys: str, colour: Any, says: str) -> None:
    """Draw a line a parameter."""
    drawn = made.multi_line("xs", ys, source=lines, color=colour, line_width=2)
    made.add_tools(hover([drawn], [("", "@name"), ("N", "$x{0,0}"), (says, "$y{0.000}")]))


def _has_rhat(view: RunView) -> bool:
    return len(view.followed) > 1 and is_of_chains(view)


class _History:
    """τ and R-hat of some parameters at some numbers of draws, from the beginning on."""

    def __init__(self, view: RunView, parameters: Sequence[str]) -> None:
        self._draws = SpacedDraws(view, parameters, _MOST // max(1, len(parameters)))
        self._n_params = len(parameters)
        self._points: dict[int, tuple[Numbers, Numbers]] = {}
        self._compared: list[int] = []
        self._has_rhat = _has_rhat(view)
        self._n = 0
        self.notes: tuple[str, ...] = ()

    def values(self) -> tuple[Numbers, Numbers, Numbers]:
        """Give numbers of draws, shape (k,), and τ and R-hat there, shape (k, n_params)."""
        n = sorted(self._points)
        shape = len(n), self._n_params
        tau, rhat = (np.array([self._points[i][j] for i in n]).reshape(shape) for j in (0, 1))
        return np.array(n, dtype=float), tau, rhat

    def update(self) -> None:
        """Compute what is missing, as long as there is time."""
        until = time.monotonic() + SECONDS
        read = self._draws.update()
        compared = long_ones(list(enumerate(self._draws.counts)))
        n = min((self._draws.counts[i] for i in compared), default=0)
        if compared != self._compared or n < self._n:
            self._points = {}
        has_grown, self._compared, self._n = n != self._n, compared, n
        if not self._draws.is_complete or not n:
            self.notes = (f"Reading: {self._draws.note or 'all draws'}, and more.",) if n else ()
            return
        stride = max(self._draws.strides[i] for i in compared)
        wanted = list(range(_step(n), n + 1, _step(n)))
        if not has_grown and n not in wanted:
            wanted.append(n)
        self._points = {at: point for at, point in self._points.items() if at in wanted}
        # A few over all draws first.
        missing = [at for every in (8, 4, 2, 1) for at in wanted[::-every]]
        missing = [at for at in dict.fromkeys(missing) if at not in self._points]
        if missing:
            rows = [read[i][:: stride // self._draws.strides[i]] for i in compared]
            shortest = min(map(len, rows))
            joint = np.concatenate([values[:shortest] for values in rows], axis=1)
        for at in missing:
            self._points[at] = self._at(joint[: -(-at // stride)], stride)
            if time.monotonic() > until:
                break
        self.notes = (f"From {self._draws.note}.",) if stride > 1 else ()
        if len(compared) < len(read):
            self.notes += ("Chains less than half as long as the longest are left out.",)

    def _at(self, draws: Array, stride: int) -> tuple[Numbers, Numbers]:
        rhat = np.full(self._n_params, np.nan)
        if self._has_rhat:
            rhat = split_rhat(draws.transpose(2, 1, 0))
        return integrated_time(draws, tol=0) * stride, rhat


def _step(n: int) -> int:
    """Say how many draws there are from one point to the next."""
    step = _LEAST
    while n > _POINTS * step:
        step *= 2
    return step
