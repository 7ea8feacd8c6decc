"""The accepted share of the proposals of each walker, or chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .figure import Answer, Colours, Figure, Question

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Acceptance"]


class Acceptance(Figure):
    """Points, one a walker or a chain."""

    name = "acceptance"
    title = "Acceptance"
    about = "The accepted share of proposals; 0.2 to 0.5 is usual for an ensemble."

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make the figure."""
        from bokeh.models import ColumnDataSource, Range1d
        from bokeh.plotting import figure

        source = ColumnDataSource({"at": [], "share": []}, name="acceptance")
        made = figure(
            height=220, sizing_mode="stretch_width", y_range=Range1d(start=0, end=1), tools=""
        )
        made.scatter("at", "share", source=source, color=colours.series[0], size=6)
        return made

    def data(self, view: RunView, question: Question) -> Answer:
        """Give the shares."""
        said = [followed.update().acceptance for followed in view.followed]
        shares = np.concatenate([s for s in said if s is not None] or [np.empty(0)])
        return Answer({"acceptance": {"at": np.arange(len(shares)), "share": shares}})
