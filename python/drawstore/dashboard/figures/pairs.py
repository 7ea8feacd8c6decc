"""Parameters against one another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import DataRange1d, GridBox
from numpy.typing import NDArray

from .chains import chain_entries
from .figure import Answer, Colours, Figure, Question
from .panel import by_series, key, label, panel, short, source, stack
from .sampling import SECONDS, SpacedDraws, columns_of, kept
from .stats import Divergences, chains_of, is_warmup

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Pairs"]

_MOST_PARAMETERS = 6
_MOST = 4000  # draws, of all chains and walkers
_MOST_DIVERGENT = 400
_BINS = 30
_REACH = 4  # times the central 90 % of draws beyond which a draw is far from all others
_LARGEST = float(np.finfo(np.float64).max) / 4  # that still can be drawn

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Pairs(Figure):
    """Points of two parameters each, and histograms of one."""

    name = "pairs"
    title = "Pairs"
    about = (
        "Draws after warm-up, of two parameters each. Ridges and funnels are hard to sample; "
        "divergent draws show where it fails."
    )

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make the lower triangle of a matrix."""
        chosen = parameters[:_MOST_PARAMETERS]
        n, n_chains = len(chosen), len(view.followed)
        columns = [f"p{i}" for i in range(n)]
        points = source("pairs-draws", *columns, "series")
        divergent = source("pairs-divergent", *columns)
        has_divergences = Divergences.of(view) is not None
        ranges = [DataRange1d(range_padding=0.05) for _ in chosen]
        children: list[Any] = []
        for row in range(n):
            for column in range(row + 1):
                is_histogram = row == column
                made = panel(colours, height=_height(n), x_range=ranges[column])
                made.ygrid.grid_line_color = None
                if is_histogram:
                    bars = source(f"pairs-{row}", "left", "right", "top")
                    made.quad(
                        "left", "right", "top", 0, source=bars, color=colours.series[0], alpha=0.5,
                        line_color=None,
                    )  # fmt: skip
                    made.y_range.start = 0
                    made.yaxis.major_label_text_font_size = "0px"
                else:
                    made.y_range = ranges[row]
                    made.scatter(
                        columns[column], columns[row], source=points, size=2.5, line_color=None,
                        fill_color=by_series(colours, "series", n_chains), fill_alpha=0.35,
                    )  # fmt: skip
                    made.scatter(
                        columns[column], columns[row], source=divergent, size=5, marker="x",
                        line_color=colours.bad, line_width=1.2,
                    )  # fmt: skip
                for axes, is_outer, name in (
                    (made.xaxis, row == n - 1, chosen[column]),
                    (made.yaxis, column == 0 and row > 0, chosen[row]),
                ):
                    axes[0].ticker.desired_num_ticks = 3
                    axes[0].visible = is_outer
                    axes[0].axis_label = label(short(name)) if is_outer else None
                children.append((made, row, column))
        entries = chain_entries(view, colours)
        if has_divergences:
            entries.append(("point", colours.bad, "divergent (×)"))
        matrix = GridBox(children=children, sizing_mode="stretch_width")
        return stack(key(colours, entries), matrix) if entries else matrix

    def data(self, view: RunView, question: Question) -> Answer:
        """Give evenly spaced draws, and divergent ones."""
        chosen = question.parameters[:_MOST_PARAMETERS]
        draws = kept(view, self.name, chosen, lambda: SpacedDraws(view, chosen, _MOST))
        read = [values.reshape(-1, len(chosen)) for values in draws.update()]
        joint = np.concatenate([np.empty((0, len(chosen))), *read])
        series = np.repeat(np.arange(len(read), dtype=float), list(map(len, read)))
        low, high = _bounds(joint)
        is_shown = _is_within(joint, low, high)
        found = kept(view, "pairs-divergent", chosen, lambda: _Divergent(view, chosen)).update()
        sources: dict[str, dict[str, Array]] = {
            "pairs-draws": _columns(joint[is_shown]) | {"series": series[is_shown]},
            "pairs-divergent": _columns(found[_is_within(found, low, high)]),
        }
        for i, values in enumerate(joint.T):
            sources[f"pairs-{i}"] = _histogram(values[(low[i] <= values) & (values <= high[i])])
        notes = []
        if draws.note:
            notes.append(f"From {draws.note}.")
        if not is_shown.all():
            n, of = np.count_nonzero(~is_shown), len(joint)
            notes.append(f"Without {n:,} of {of:,} draws, not finite or far from all others.")
        if len(question.parameters) > len(chosen):
            notes.append(f"The first {len(chosen)} of {len(question.parameters)} parameters.")
        return Answer(sources, tuple(notes))


class _Divergent:
    """The values of some parameters at divergent draws."""

    def __init__(self, view: RunView, parameters: Sequence[str]) -> None:
        self._view = view
        self._columns = columns_of(view, parameters)
        self._rows: list[dict[int, Numbers]] = [{} for _ in view.followed]

    def update(self) -> Numbers:
        """Read those that are new, as long as there is time; shape (n, n_params)."""
        empty = np.empty((0, len(self._columns)))
        divergences = Divergences.of(self._view)
        if divergences is None:
            return empty
        until = time.monotonic() + SECONDS / 2
        with self._view.run.held_open():
            divergences.update(until)
            each = max(1, _MOST_DIVERGENT // len(self._rows))
            for i, chain in enumerate(chains_of(self._view)):
                counted = divergences.draws[i]
                counted = counted[~is_warmup(counted, chain.warmup)]
                shown = counted[:: -(-len(counted) // each) or 1].tolist()
                self._rows[i] = {at: row for at, row in self._rows[i].items() if at in shown}
                for at in shown:
                    if at not in self._rows[i] and time.monotonic() < until:
                        row = at - sum(max(0, min(at, w.stop) - w.start) for w in chain.warmup)
                        self._rows[i][at] = chain.read(row, row + 1, 1, self._columns)[0]
        return np.concatenate([empty, *(row for rows in self._rows for row in rows.values())])


def _bounds(draws: Numbers) -> tuple[Numbers, Numbers]:
    """Say between what each parameter is shown, so that a far start does not hide the rest."""
    low, high = np.full((2, draws.shape[1]), np.nan)
    for i, values in enumerate(draws.T):
        finite = values[np.isfinite(values)]
        if len(finite):
            first, last = np.quantile(finite, [0.05, 0.95])
            reach = _REACH * (last - first) or np.inf
            low[i], high[i] = first - reach, last + reach
    return np.maximum(low, -_LARGEST), np.minimum(high, _LARGEST)


def _is_within(draws: Numbers, low: Numbers, high: Numbers) -> NDArray[np.bool_]:
    is_within: NDArray[np.bool_] = np.all((low <= draws) & (draws <= high), axis=1)
    return is_within


def _columns(rows: Numbers) -> dict[str, Array]:
    return {f"p{i}": values for i, values in enumerate(np.ascontiguousarray(rows.T))}


def _histogram(values: Numbers) -> dict[str, Array]:
    if not len(values):
        return dict.fromkeys(("left", "right", "top"), np.empty(0))
    counts, edges = np.histogram(values, _BINS)
    return {"left": edges[:-1], "right": edges[1:], "top": counts.astype(float)}


def _height(n: int) -> int:
    """Give the height of a row, so that the whole fits a screen."""
    return max(110, 640 // n)
