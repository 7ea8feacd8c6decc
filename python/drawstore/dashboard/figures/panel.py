"""How figures look: panels, several of them in a grid, and a key to their colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.core.properties import value
from bokeh.models import (
    Column,
    ColumnDataSource,
    HoverTool,
    InlineStyleSheet,
    LayoutDOM,
    PlainText,
    dom,
)
from bokeh.models.annotations import Span, Title
from bokeh.models.ui import Pane
from bokeh.plotting import figure
from bokeh.transform import linear_cmap

from ...text import escaped
from .figure import Colours

__all__ = [
    "by_series",
    "colour_of",
    "grid",
    "hover",
    "key",
    "label",
    "level",
    "panel",
    "short",
    "source",
    "stack",
    "write",
]

_FONT = "system-ui, sans-serif"
_LONGEST = 32  # characters of a name
_SWATCHES = {
    "line": {"width": "16px", "height": "3px", "border-radius": "2px"},
    "point": {"width": "8px", "height": "8px", "border-radius": "50%"},
    "area": {"width": "16px", "height": "10px", "border-radius": "2px"},
}


def short(name: str) -> str:
    """Give a name as it is shown: on one line, and cut where it is long."""
    text = escaped(name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def label(text: str) -> PlainText:
    """Give text that Bokeh shows as it is."""
    return PlainText(text=text)


def colour_of(colours: Colours, i: int) -> str:
    """Give the colour of a series."""
    return colours.series[i % len(colours.series)]


def source(name: str, *columns: str) -> ColumnDataSource:
    """Make a data source with empty columns."""
    return ColumnDataSource({column: [] for column in columns}, name=name)


def hover(renderers: Sequence[Any], tooltips: Sequence[tuple[str, str]], **options: Any) -> Any:
    """Make what says more of a point that is pointed at; labels and fields, as Bokeh takes them."""
    return HoverTool(renderers=list(renderers), tooltips=list(tooltips), **options)


def level(colours: Colours, at: float, dash: str = "solid") -> Span:
    """Make a line across a panel."""
    return Span(location=at, dimension="width", line_color=colours.faint, line_dash=dash)


def by_series(colours: Colours, field: str, n: int) -> Any:
    """Colour by a column that numbers n series."""
    palette = [colour_of(colours, i) for i in range(max(1, n))]
    return linear_cmap(field, palette, low=-0.5, high=len(palette) - 0.5)


def write(made: Any, texts: ColumnDataSource, colour: str, **options: Any) -> None:
    """Write the column "text" of a source at "x" and "y"; options are those of `figure.text`."""
    made.text(
        "x", "y", "text", source=texts, text_color=colour, text_font=value(_FONT),
        text_font_size="12px", **options,
    )  # fmt: skip


def panel(
    colours: Colours,
    *,
    name: str | None = None,
    x: str = "",
    y: str = "",
    height: int = 200,
    **options: Any,
) -> Any:
    """Make a panel as wide as there is room.

    Parameters
    ----------
    colours : Colours
    name : str, optional
        Stands above it: of a parameter, say.
    x, y : str
        Labels of the axes.
    height : int
        In pixels.
    **options
        For ``bokeh.plotting.figure``, which is what this is.
    """
    made = figure(
        height=height,
        min_width=0,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border=4,
        lod_threshold=None,
        **options,
    )
    if name is not None:
        made.title = Title(
            text=label(short(name)),
            text_color=colours.text,
            text_font=_FONT,
            text_font_size="12px",
            text_font_style="bold",
        )
    for axis, text in (*((a, x) for a in made.xaxis), *((a, y) for a in made.yaxis)):
        axis.axis_label = label(text) if text else None
        axis.axis_label_text_color = colours.faint
        axis.axis_label_text_font = _FONT
        axis.axis_label_text_font_size = "11px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_standoff = 4
        axis.axis_line_color = colours.grid
        axis.major_tick_line_color = None
        axis.minor_tick_line_color = None
        axis.major_label_text_color = colours.faint
        axis.major_label_text_font = _FONT
        axis.major_label_text_font_size = "11px"
        axis.major_label_standoff = 3
        if hasattr(axis.ticker, "desired_num_ticks"):
            axis.ticker.desired_num_ticks = 5
        if hasattr(axis.formatter, "power_limit_high"):
            axis.formatter.power_limit_high = 7
    made.xgrid.grid_line_color = None
    made.ygrid.grid_line_color = colours.grid
    return made


def grid(panels: Sequence[LayoutDOM], least: int = 230) -> LayoutDOM:
    """Put panels side by side, as many in a row as there is room for; ``least`` is in pixels."""
    tracks = f"repeat(auto-fill, minmax(min(100%, {least}px), 1fr))"
    if len(panels) < 3:  # few may be wider than that
        tracks = tracks.replace("auto-fill", "auto-fit")
    css = f":host {{ display: grid; grid-template-columns: {tracks}; gap: 12px 20px; }}"
    return Column(
        children=list(panels),
        sizing_mode="stretch_width",
        stylesheets=[InlineStyleSheet(css=css)],
    )


def key(colours: Colours, entries: Sequence[tuple[str, str, str]]) -> Pane:
    """Say what the colours stand for.

    Parameters
    ----------
    colours : Colours
    entries : sequence of (str, str, str)
        The shape, "line", "point" or "area"; its colour; what it is.
    """
    return Pane(
        elements=[
            dom.Span(
                style={"display": "inline-flex", "align-items": "center", "gap": "6px"},
                children=[
                    dom.Span(style={**_SWATCHES[shape], "background": colour, "flex": "none"}),
                    dom.Text(content=text),
                ],
            )
            for shape, colour, text in entries
        ],
        styles={
            "display": "flex",
            "flex-wrap": "wrap",
            "gap": "2px 16px",
            "margin-bottom": "8px",
            "font": f"12px/1.6 {_FONT}",
            "color": colours.faint,
        },
    )


def stack(*parts: Any) -> LayoutDOM:
    """Put parts one below the other."""
    return Column(children=list(parts), sizing_mode="stretch_width")
