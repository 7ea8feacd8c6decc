"""The values of parameters over the draws of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...levels import Builder, Levels
from ...text import escaped
from .figure import Answer, Colours, Figure, Question

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, LayoutDOM
    from bokeh.plotting import figure

    from ...levels import View
    from ..view import RunView

__all__ = ["Traces"]

_BUILDING = 0.02  # seconds of an answer in which levels are built
_READING = 0.04  # in which draws are read, of all chains
_MOST_POINTS = 2**17  # of an answer
_FEWEST_PIXELS = 64  # of a chain, however many there are
_OUTSIDE = 8  # as many pixels stand for one where draws are that are not shown now
_MOST_IN_LEGEND = 8
_MOST_STRIPS = 1000
_FEWEST_DRAWS = 8  # that can be zoomed to
_LONGEST = 24  # characters of a name, along a panel
_HEIGHT = 170  # pixels of a panel

_EDGES = ("lowest", "lower", "upper", "highest")  # of a band

Columns = dict[str, Any]


class Traces(Figure):
    """A panel a parameter, one below the other, with the draws along all of them."""

    name = "traces"
    title = "Traces"
    about = (
        "Values over the draws, warm-up shaded. Of an ensemble: the mean over its walkers, the "
        "central 68 % of them and the range of all; some single walkers where you zoom in."
    )

    def applies(self, view: RunView) -> bool:
        """Say whether there are parameters."""
        return bool(view.names)

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make the panels, without data: a source for each line, and one for warm-up."""
        from bokeh.layouts import gridplot
        from bokeh.models import ColumnDataSource, Range1d

        draws = Range1d(start=0, end=1, name="draws", min_interval=_FEWEST_DRAWS)
        warmup = ColumnDataSource({"start": [], "stop": []}, name="warmup")
        panels = []
        for number, parameter in enumerate(parameters):
            panel = _panel(parameter, draws, colours, is_last=number == len(parameters) - 1)
            panel.vstrip(
                x0="start",
                x1="stop",
                source=warmup,
                fill_color=colours.faint,
                fill_alpha=0.15,
                line_color=None,
            )
            extent = panel.scatter(
                "draw",
                "value",
                source=_source("extent", str(number), "draw", "value"),
                fill_color=None,
                line_color=None,
            )
            values: Any = panel.y_range
            values.renderers = [extent]
            lines = []
            for i, followed in enumerate(view.followed):
                key = f"{number}-{i}"
                colour = colours.series[i % len(colours.series)]
                if followed.n_walkers > 1:
                    _add_walkers(panel, key, colour)
                line = panel.line(
                    "draw",
                    "value",
                    source=_source("line", key, "draw", "value"),
                    color=colour,
                    line_width=1,
                    line_alpha=0.8,
                    name=_label(view, i),
                )
                lines.append(line)
            _add_hover(panel, lines, "step" if _is_ensemble(view) else "draw")
            if number == 0 and 1 < len(lines) <= _MOST_IN_LEGEND:
                _add_legend(panel, lines, colours)
            panels.append(panel)
        grid = gridplot(
            [[panel] for panel in panels],
            sizing_mode="stretch_width",
            toolbar_location="above",
            toolbar_options={"logo": None},
            merge_tools=True,
        )
        grid.toolbar.stylesheets = [f".bk-divider {{ background-color: {colours.grid}; }}"]
        return grid

    def data(self, view: RunView, question: Question) -> Answer:
        """Give the lines of the range that is shown, and a coarse one of what is beside it."""
        with view.run.held_open():
            return self._data(view, question)

    def _data(self, view: RunView, question: Question) -> Answer:
        if "traces" not in view.kept:
            levels = Levels(view.run, view.followed)
            view.kept["traces"] = Builder(levels, view.lock)
        builder: Builder = view.kept["traces"]
        levels = builder.levels
        parameters = [view.names.index(name) for name in question.parameters]
        if not levels.build(parameters, 0 if builder.is_busy else _BUILDING):
            builder.ask(parameters)
        n_lines = max(1, len(parameters) * len(view.followed))
        width = max(_FEWEST_PIXELS, min(question.width, _MOST_POINTS // (2 * n_lines)))
        sources: dict[str, Columns] = {"warmup": _strips(levels)}
        n_left_out = 0
        extents = [_Extent() for _ in parameters]
        for i, followed in enumerate(view.followed):
            before, shown, after = _parts(levels, i, parameters, question, width)
            for number, main in enumerate(shown):
                key, extent = f"{number}-{i}", extents[number]
                extent.add(main)
                beside = [before[number], after[number]]
                sources[f"line-{key}"] = _ascending(_line(main), map(_line, beside))
                if main.band is not None:
                    sources[f"band-{key}"] = _ascending(_band(main), map(_band, beside))
                    sources[f"walkers-{key}"] = _walkers(main)
                n_left_out += main.n_left_out
        sources |= {f"extent-{i}": extent.columns() for i, extent in enumerate(extents)}
        notes = []
        if n_left_out:
            done = int(100 * levels.share(parameters))
            notes.append(
                f"Not all draws are read yet ({done} %); of the others you see evenly spaced ones."
            )
        return Answer(sources, tuple(notes))


# What is shown.


def _parts(
    levels: Levels, number: int, parameters: Sequence[int], question: Question, width: int
) -> tuple[list[View], list[View], list[View]]:
    """Give the views of what is before the range, of the range, and of what is after it."""
    n = levels.lengths[number]
    start = 0 if question.start is None else min(max(0, question.start), n)
    stop = n if question.stop is None else min(max(start, question.stop), n)
    outside, seconds = max(2, width // _OUTSIDE), _READING / len(levels.lengths)
    return (
        levels.views(number, parameters, 0, start, outside, 0),
        levels.views(number, parameters, start, stop, width, seconds),
        levels.views(number, parameters, stop, n, outside, 0),
    )


@dataclass
class _Extent:
    """The least and the greatest value that a panel shows, by which its range goes."""

    least: float = math.inf
    greatest: float = -math.inf

    def add(self, view: View) -> None:
        """Take in what is shown of a chain, or an ensemble."""
        lowest = view.line.values if view.band is None else view.band.lowest
        highest = view.line.values if view.band is None else view.band.highest
        self.least = float(np.fmin.reduce(lowest, initial=self.least))
        self.greatest = float(np.fmax.reduce(highest, initial=self.greatest))

    def columns(self) -> Columns:
        """Give the two as points; none where nothing is shown."""
        values = [self.least, self.greatest] if self.least <= self.greatest else []
        return {"draw": np.zeros(len(values)), "value": np.array(values)}


def _line(view: View) -> Columns:
    return {"draw": view.line.draws, "value": view.line.values}


def _band(view: View) -> Columns:
    assert view.band is not None
    return {"draw": view.band.draws} | {name: getattr(view.band, name) for name in _EDGES}


def _walkers(view: View) -> Columns:
    """Give single walkers as one line, with a gap behind each."""
    draws = [np.append(line.draws, np.nan) for line in view.walkers]
    values = [np.append(line.values, np.nan) for line in view.walkers]
    return {
        "draw": np.concatenate([np.empty(0), *draws]),
        "value": np.concatenate([np.empty(0), *values]),
    }


def _ascending(main: Columns, beside: Iterable[Columns]) -> Columns:
    """Put what is before and after the range beside it, but for buckets that reach into it."""
    before, after = beside
    draws = main["draw"]
    if len(draws):
        before = _kept(before, before["draw"] < draws[0])
        after = _kept(after, after["draw"] > draws[-1])
    return {name: np.concatenate([before[name], main[name], after[name]]) for name in main}


def _kept(columns: Columns, counts: Any) -> Columns:
    return {name: values[counts] for name, values in columns.items()}


def _strips(levels: Levels) -> Columns:
    """Give where draws are warm-up: of chains that were warmed up alike, once."""
    strips = sorted({(s.start, s.stop) for chain in levels.warmup for s in chain})[:_MOST_STRIPS]
    return {
        "start": np.array([start for start, _ in strips], dtype=float),
        "stop": np.array([stop for _, stop in strips], dtype=float),
    }


# How it is drawn.


def _is_ensemble(view: RunView) -> bool:
    return any(followed.n_walkers > 1 for followed in view.followed)


def _label(view: RunView, number: int) -> str:
    followed = view.followed[number]
    return "mean over walkers" if followed.n_walkers > 1 else f"chain {followed.label}"


def _source(kind: str, key: str, *columns: str) -> ColumnDataSource:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=f"{kind}-{key}")


def _panel(parameter: str, draws: Any, colours: Colours, *, is_last: bool) -> figure:
    from bokeh.models import DataRange1d, PlainText, WheelZoomTool
    from bokeh.models.formatters import NumeralTickFormatter
    from bokeh.plotting import figure

    panel = figure(
        height=_HEIGHT + (40 if is_last else 0),
        sizing_mode="stretch_width",
        x_range=draws,
        y_range=DataRange1d(range_padding=0.08),
        tools="xpan,box_zoom,reset,save",
        background_fill_color=colours.ground,
        border_fill_color=colours.ground,
        outline_line_color=colours.grid,
        min_border_right=28,
    )
    wheel = WheelZoomTool(dimensions="width")
    panel.add_tools(wheel)
    panel.toolbar.active_scroll = wheel
    for axis in panel.axis:
        axis.axis_line_color = axis.major_tick_line_color = colours.grid
        axis.minor_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = colours.faint
        axis.axis_label_text_font_style = "normal"
    panel.yaxis.axis_label = PlainText(text=_short(parameter))
    panel.yaxis.axis_label_text_color = colours.text
    panel.xaxis.formatter = NumeralTickFormatter(format="0,0")
    panel.xaxis.major_label_text_alpha = 1.0 if is_last else 0.0
    panel.grid.grid_line_color = colours.grid
    return panel


def _short(name: str) -> str:
    """Give a name as it is shown: on one line, and cut where it is long."""
    text = escaped(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 9]}…{text[-8:]}"


def _add_walkers(panel: figure, key: str, colour: str) -> None:
    """Add the range of all walkers, the central ones, and single ones."""
    band = _source("band", key, "draw", *_EDGES)
    for lower, upper, alpha in (("lowest", "highest", 0.15), ("lower", "upper", 0.3)):
        panel.varea("draw", lower, upper, source=band, fill_color=colour, fill_alpha=alpha)
    panel.line(
        "draw",
        "value",
        source=_source("walkers", key, "draw", "value"),
        color=colour,
        line_width=0.6,
        line_alpha=0.5,
    )


def _add_hover(panel: figure, lines: list[Any], what: str) -> None:
    from bokeh.models import HoverTool

    panel.add_tools(
        HoverTool(
            renderers=lines,
            tooltips=[(what, "@draw{0,0}"), ("of", "$name"), ("value", "@value{%.6g}")],
            formatters={"@value": "printf"},
            line_policy="nearest",
        )
    )


def _add_legend(panel: figure, lines: list[Any], colours: Colours) -> None:
    from bokeh.models.annotations import Legend, LegendItem

    legend = Legend(
        items=[LegendItem(label=line.name, renderers=[line]) for line in lines],
        orientation="horizontal",
        label_text_color=colours.faint,
        background_fill_color=colours.ground,
        border_line_color=None,
        margin=4,
        click_policy="mute",
    )
    panel.add_layout(legend, "above")
