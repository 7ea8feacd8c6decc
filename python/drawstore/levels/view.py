"""What is seen of a parameter in a range of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Band", "Line", "View", "join"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """Points of a line; where it has a gap, a value is NaN.

    Attributes
    ----------
    draws, values : ndarray of float64, shape (n,)
        Numbers of draws; where a bucket has several, places between its first and its last.
    """

    draws: Numbers
    values: Numbers


@dataclass(frozen=True, eq=False)
class Band:
    """How the walkers of an ensemble lie at each bucket of draws.

    Attributes
    ----------
    draws : ndarray of float64, shape (n,)
        The middle of each bucket.
    lowest, highest : ndarray of float64, shape (n,)
        Of all its walkers and draws.
    lower, upper : ndarray of float64, shape (n,)
        Between which the central 68 % of the walkers are: the quantiles at 0.16 and 0.84, as
        `Run.summary` takes them, of each draw, averaged over the bucket.
    """

    draws: Numbers
    lowest: Numbers
    lower: Numbers
    upper: Numbers
    highest: Numbers


@dataclass(frozen=True, eq=False)
class View:
    """What is seen of a parameter of a chain, or an ensemble, in a range of draws.

    Attributes
    ----------
    line : Line
        Of the chain; of an ensemble the mean over its walkers.
    band : Band or None
        Of an ensemble.
    walkers : tuple of Line
        Some walkers, where there are as few draws as pixels.
    n_left_out : int
        Draws of the range of which only some that are evenly spaced were looked at yet.
    """

    line: Line
    band: Band | None = None
    walkers: tuple[Line, ...] = ()
    n_left_out: int = 0


def join(views: Sequence[View]) -> View:
    """Give views of ranges that follow one another, at least one, as one."""
    if len(views) == 1:
        return views[0]
    bands = [view.band for view in views if view.band is not None]
    return View(
        _join_lines([view.line for view in views]),
        _join_bands(bands) if bands else None,
        n_left_out=sum(view.n_left_out for view in views),
    )


def _join_lines(lines: Sequence[Line]) -> Line:
    return Line(
        np.concatenate([line.draws for line in lines]),
        np.concatenate([line.values for line in lines]),
    )


def _join_bands(bands: Sequence[Band]) -> Band:
    return Band(
        *(
            np.concatenate([getattr(band, name) for band in bands])
            for name in ("draws", "lowest", "lower", "upper", "highest")
        )
    )
