"""Bars of progress in programs and notebooks, by tqdm. Commands have bars of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from .text import escaped

__all__ = ["NoBar", "Progress", "expect", "make_bar", "told", "told_by_run"]

logger = logging.getLogger("drawstore")

Tell = Callable[[int, int], None]
Progress = Callable[[str, int, int], None]
"""Is told the id of a run, the rows of columns that were read of it, and how many there are."""


class NoBar:
    """Takes the place of a bar of tqdm, and shows nothing."""

    n = 0
    total: int | None = None

    def update(self, n: float) -> None:
        """Take no notice."""

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """Take no notice."""

    def close(self) -> None:
        """Nothing is open."""


def make_bar(shown: bool | str, **options: Any) -> Any:
    """Make a bar of progress.

    Parameters
    ----------
    shown : bool or str
        Whether it is to be seen; or the kind, as emcee takes it: "notebook" is
        ``tqdm.tqdm_notebook``. By default the one that ``tqdm.auto`` chooses: that of a notebook
        where there is one, and has ipywidgets.
    **options
        Of tqdm.

    Returns
    -------
    tqdm.tqdm or NoBar
        To be closed. Without tqdm there is none, and a warning in the log says so, as with emcee.
    """
    if not shown:
        return NoBar()
    try:
        kinds = import_module("tqdm.auto" if shown is True else "tqdm")
    except ModuleNotFoundError as error:
        if error.name != "tqdm":
            raise
        logger.warning("there is no bar of progress without tqdm: pip install tqdm")
        return NoBar()
    return getattr(kinds, "tqdm" if shown is True else f"tqdm_{shown}")(**options)


@contextmanager
def told(progress: bool | Tell | None, unit: str) -> Iterator[Tell | None]:
    """Give what is to be told how much is done.

    Parameters
    ----------
    progress : bool or callable, optional
        Whether a bar is shown; or who is told in place of one.
    unit : str
        What is counted.
    """
    if callable(progress) or not progress:
        yield progress or None
        return
    bar = make_bar(True, unit=f" {unit}", unit_scale=True)
    try:
        yield lambda done, total: _put(bar, done, total)
    finally:
        bar.close()


@contextmanager
def told_by_run(progress: bool | Progress) -> Iterator[Progress]:
    """Give what is to be told how much of a run is done; there is a bar for each run."""
    if callable(progress):
        yield progress
        return
    bars: dict[str, Any] = {}

    def tell(rid: str, done: int, total: int) -> None:
        if rid not in bars:
            for bar in bars.values():
                bar.close()
            bars[rid] = make_bar(progress, desc=escaped(rid), unit=" values", unit_scale=True)
        _put(bars[rid], done, total)

    try:
        yield tell
    finally:
        for bar in bars.values():
            bar.close()


def expect(bar: Any, total: int) -> None:
    """Say anew how much there is to be done."""
    bar.total = total
    if (container := getattr(bar, "container", None)) is not None:  # of a notebook
        widget = container.children[1]
        widget.max, widget.bar_style, widget.layout.width = total, "", None


def _put(bar: Any, done: int, total: int) -> None:
    if bar.total != total:
        expect(bar, total)
    bar.update(done - bar.n)
