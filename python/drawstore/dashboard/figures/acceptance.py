"""The accepted share of the proposals of each walker, or chain."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...ensemble import steps_of
from ...monitor.following import FollowedEnsemble
from ...reports.steps import still_walkers, window_of
from .chains import chain_labels
from .figure import Answer, Colours, Figure, Question
from .panel import by_series, hover, key, panel, source, stack
from .sampling import SECONDS, kept, ordinal
from .stats import SpacedStats, Stats, chains_of, is_warmup

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Acceptance"]

_USUAL = 0.2, 0.5  # of an ensemble
_MOST = 2**14  # draws of a chain
_INTERVAL = 5.0  # seconds from one search for stuck walkers to the next

Numbers = NDArray[np.float64]


class Acceptance(Figure):
    """A point a walker, or a chain.

    References
    ----------
    .. [1] D. Foreman-Mackey et al., "emcee: The MCMC Hammer", PASP 125, 306, 2013: what is usual.
    """

    name = "acceptance"
    title = "Acceptance"
    about = (
        "The accepted share of proposals. Of the walkers of an ensemble 0.2 to 0.5 is usual; one "
        "that is stuck has not moved for 5 autocorrelation times."
    )

    def applies(self, view: RunView) -> bool:
        """Say whether the sampler tells how many proposals it accepts."""
        return _is_ensemble(view) or Stats(view).has("acceptance_rate")

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make one panel."""
        of_walkers = _is_ensemble(view)
        made = panel(
            colours, x="walker" if of_walkers else "chain", y="accepted share", y_range=(0, 1),
            height=220 if of_walkers else 160,
        )  # fmt: skip
        if of_walkers:
            made.hstrip([_USUAL[0]], [_USUAL[1]], color=colours.good, alpha=0.12, line_color=None)
            kinds: list[tuple[str, Any, str, str]] = [
                ("usual", colours.good, "circle", "usual"),
                ("unusual", colours.doubtful, "triangle", "outside 0.2 to 0.5"),
                ("stuck", colours.bad, "x", "stuck"),
            ]
        else:
            made.xaxis.ticker = list(range(len(view.followed)))
            made.xaxis.major_label_overrides = dict(enumerate(chain_labels(view)))
            kinds = [("usual", by_series(colours, "x", len(view.followed)), "circle", "chain")]
        for kind, colour, marker, _ in kinds:
            points = source(f"acceptance-{kind}", "x", "share", "of")
            drawn = made.scatter(
                "x", "share", source=points, marker=marker, size=8, color=colour,
                line_width=2 if marker == "x" else 0,
            )  # fmt: skip
            made.add_tools(hover([drawn], [("", "@of"), ("accepted", "@share{0.000}")]))
        entries = [("point", colour, text) for _, colour, _, text in kinds]
        return stack(*([key(colours, entries)] if of_walkers else []), made)

    def data(self, view: RunView, question: Question) -> Answer:
        """Give the shares."""
        if _is_ensemble(view):
            return _of_walkers(view)
        if not self.applies(view):
            return Answer({})
        shares = kept(view, self.name, (), lambda: SpacedStats(view, "acceptance_rate", _MOST))
        of_each = shares.update(time.monotonic() + SECONDS)
        means = np.full(len(of_each), np.nan)
        for i, (chain, (draws, values)) in enumerate(zip(chains_of(view), of_each, strict=True)):
            said = values[~is_warmup(draws, chain.warmup), 0]
            means[i] = np.mean(said[~np.isnan(said)]) if not np.isnan(said).all() else np.nan
        notes = (f"From every {ordinal(shares.stride)} draw.",) if shares.stride > 1 else ()
        known = np.flatnonzero(~np.isnan(means))
        labels = chain_labels(view)
        points: dict[str, Any] = {
            "x": known,
            "share": means[known],
            "of": [f"chain {labels[i]}" for i in known],
        }
        return Answer({"acceptance-usual": points}, notes)


def _of_walkers(view: RunView) -> Answer:
    share = view.followed[0].update().acceptance
    shares = np.empty(0) if share is None else share
    is_stuck = np.isin(np.arange(len(shares)), _stuck(view))
    is_usual = (shares >= _USUAL[0]) & (shares <= _USUAL[1])
    sources: dict[str, dict[str, Any]] = {
        f"acceptance-{kind}": {
            "x": np.flatnonzero(chosen),
            "share": shares[chosen],
            "of": [f"walker {i}" for i in np.flatnonzero(chosen)],
        }
        for kind, chosen in (
            ("usual", is_usual & ~is_stuck),
            ("unusual", ~is_usual & ~is_stuck),
            ("stuck", is_stuck),
        )
    }
    n = int(np.count_nonzero(is_stuck))
    notes = (f"{n} of {len(shares)} walkers {'is' if n == 1 else 'are'} stuck.",) if n else ()
    return Answer(sources, notes)


def _stuck(view: RunView) -> NDArray[np.intp]:
    """Find the walkers that are stuck, every few seconds."""
    found: tuple[float, NDArray[np.intp]] | None = view.kept.get("stuck")
    if found is None or time.monotonic() - found[0] > _INTERVAL:
        walkers = np.empty(0, np.intp)
        steps = steps_of(view.run)
        if steps is not None:
            with view.run.held_open():
                window = window_of(steps)
                if window is not None:
                    walkers = still_walkers(steps, window)
        found = view.kept["stuck"] = time.monotonic(), walkers
    return found[1]


def _is_ensemble(view: RunView) -> bool:
    return any(isinstance(followed, FollowedEnsemble) for followed in view.followed)
