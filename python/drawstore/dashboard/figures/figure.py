"""What all figures of a run have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Answer", "Colours", "Figure", "Question"]


@dataclass(frozen=True)
class Colours:
    """What a figure is painted with; the page gives those of its theme, as "#rrggbb".

    Attributes
    ----------
    text, faint, grid, ground : str
        Of labels, of what is there to be overlooked, of grid lines, and behind it all.
    good, doubtful, bad : str
        Of what is as it should be, and of what is not.
    series : tuple of str
        Of chains, one after the other; told apart by people who see colours differently.
    """

    text: str
    faint: str
    grid: str
    ground: str
    good: str
    doubtful: str
    bad: str
    series: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """What the page wants to see.

    Attributes
    ----------
    parameters : tuple of str
        Of `RunView.names`, at least one.
    start, stop : int or None
        The range of draws that is shown, as a slice; None for what there is.
    width : int
        Pixels of a figure's width; more points than these are not seen.
    """

    parameters: tuple[str, ...]
    start: int | None = None
    stop: int | None = None
    width: int = 800


@dataclass(frozen=True)
class Answer:
    """What a figure shows now.

    Attributes
    ----------
    sources : dict of str to dict of str to ndarray or list
        The columns of each ColumnDataSource of the layout, by its name.
    notes : tuple of str
        What a reader should know: that these are every 64th draw.
    """

    sources: Mapping[str, Mapping[str, NDArray[Any] | list[Any]]]
    notes: tuple[str, ...] = field(default=())


class Figure(ABC):
    """A figure of a run. It keeps nothing itself: see `RunView.kept`.

    Attributes
    ----------
    name : str
        In addresses.
    title, about : str
        On the page; and a sentence that says how to read it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]

    def applies(self, view: RunView) -> bool:
        """Say whether the run has what is shown; reads no draws."""
        return True

    @abstractmethod
    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make the figure, without data; each of its ColumnDataSources has a name of its own.

        The names of runs, variables and chains are `PlainText` where Bokeh would read a str as TeX.
        """

    @abstractmethod
    def data(self, view: RunView, question: Question) -> Answer:
        """Give its data as of now, within 200 ms whatever the size of the run."""
