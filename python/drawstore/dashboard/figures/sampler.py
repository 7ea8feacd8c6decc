"""What the sampler says of itself: divergences, step sizes, trees, energies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...warmup import is_mark
from .chains import chain_entries, chain_labels
from .figure import Answer, Colours, Figure, Question
from .panel import by_series, grid, hover, key, panel, source, stack, write
from .sampling import SECONDS, kept, ordinal
from .stats import Divergences, SpacedStats, Stats, chains_of, is_warmup, n_draws, warmup_of

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from ..view import RunView

__all__ = ["Sampler", "bfmi"]

_OVER_DRAWS = {
    "step_size": "Step size",
    "tree_depth": "Tree depth",
    "acceptance_rate": "Acceptance rate",
}
_MOST = 2**14  # draws of a chain
_POINTS = 100  # of a line
_RUG = 500  # marks of a chain
_BINS = 40
_LEAST_BFMI = 0.3

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Sampler(Figure):
    """Stats over draws, and energies [1]_.

    References
    ----------
    .. [1] M. Betancourt, "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte
       Carlo", arXiv:1604.00695, 2016: energies, and what BFMI is.
    """

    name = "sampler"
    title = "Sampler"
    about = (
        "What the sampler says of its own work. Divergent draws are parts of the posterior that it "
        f"cannot enter; a BFMI below {_LEAST_BFMI:g} says that energies are explored slowly."
    )

    def applies(self, view: RunView) -> bool:
        """Say whether there is any of these stats."""
        stats = Stats(view)
        return any(stats.has(name) for name in ("diverging", "energy", *_OVER_DRAWS))

    def layout(self, view: RunView, parameters: Sequence[str], colours: Colours) -> LayoutDOM:
        """Make a panel a stat."""
        stats, n_chains = Stats(view), len(view.followed)
        warmup = source("sampler-warmup", "left", "right")
        over_draws: list[Any] = []

        def add(title: str, **options: Any) -> Any:
            if over_draws:
                options["x_range"] = over_draws[0].x_range
            made = panel(colours, name=title, x="draw", **options)
            made.vstrip("left", "right", source=warmup, color=colours.faint, alpha=0.14,
                        line_color=None)  # fmt: skip
            made.x_range.range_padding = 0
            over_draws.append(made)
            return made

        if stats.has("diverging"):
            made = add("Divergences", y_range=(n_chains - 0.4, -0.6))
            labels = chain_labels(view)
            made.ygrid.grid_line_color = None
            made.yaxis.ticker = list(range(n_chains)) if n_chains <= 12 else []
            made.yaxis.major_label_overrides = {i: f"chain {x}" for i, x in enumerate(labels)}
            marks = source("sampler-divergences", "x", "top", "bottom")
            made.segment("x", "top", "x", "bottom", source=marks, color=colours.bad, line_width=1.5)
            counts = source("sampler-counts", "x", "y", "text")
            write(made, counts, colours.text, text_align="right", text_baseline="middle")
        for name, title in _OVER_DRAWS.items():
            if stats.has(name):
                made = add(title)
                lines = source(f"sampler-{name}", "xs", "ys", "series", "chain")
                drawn = made.multi_line(
                    "xs", "ys", source=lines, color=by_series(colours, "series", n_chains),
                    line_width=1.5, alpha=0.85,
                )  # fmt: skip
                made.add_tools(
                    hover([drawn], [("chain", "@chain"), ("draw", "$x{0,0}"), (title, "$y")])
                )
        panels = list(over_draws)
        entries = chain_entries(view, colours)
        if any(is_mark(name) for name in view.run.sample_stats):
            entries.append(("area", colours.grid, "warm-up"))
        if stats.has("energy"):
            panels.append(_energy_panel(colours))
            entries += [
                ("area", colours.faint + "66", "energy about its mean"),
                ("line", colours.text, "energy from draw to draw"),
            ]
        return stack(key(colours, entries), grid(panels, 280))

    def data(self, view: RunView, question: Question) -> Answer:
        """Give the stats of evenly spaced draws, and all divergences."""
        return kept(view, self.name, (), lambda: _Kept(view)).update(view)


def _energy_panel(colours: Colours) -> Any:
    made = panel(colours, name="Energy", x="energy, from its mean", y="density")
    bars = source("sampler-marginal", "left", "right", "top")
    made.quad("left", "right", "top", 0, source=bars, color=colours.faint, alpha=0.4,
              line_color=None)  # fmt: skip
    steps = source("sampler-transition", "x", "y")
    made.step("x", "y", source=steps, mode="after", color=colours.text, line_width=1.8)
    made.y_range.start = 0
    said = source("sampler-bfmi", "x", "y", "text")
    write(made, said, colours.text, text_align="right", text_baseline="top")
    return made


class _Kept:
    """What is kept of the stats between two answers."""

    def __init__(self, view: RunView) -> None:
        stats = Stats(view)
        self._labels = chain_labels(view)
        self._over_draws = {
            name: SpacedStats(view, name, _MOST) for name in _OVER_DRAWS if stats.has(name)
        }
        self._energy = SpacedStats(view, "energy", _MOST, 1) if stats.has("energy") else None

    def update(self, view: RunView) -> Answer:
        sources: dict[str, dict[str, Any]] = {}
        notes: list[str] = []
        began = time.monotonic()
        n_parts = len(self._over_draws) + 2
        with view.run.held_open():
            longest = max(map(n_draws, chains_of(view)), default=0)
            divergences = Divergences.of(view)
            if divergences is not None:
                divergences.update(began + SECONDS / n_parts)
                sources |= self._divergences(divergences, longest)
                notes += self._said(divergences, view)
            for i, (name, stats) in enumerate(self._over_draws.items(), start=2):
                lines = stats.update(began + SECONDS * i / n_parts)
                sources[f"sampler-{name}"] = self._lines(lines, name != "step_size")
            if self._energy is not None:
                of_energy, low = self._energies(view, self._energy.update(began + SECONDS))
                sources |= of_energy
                notes += low
        stretches = warmup_of(view)
        sources["sampler-warmup"] = {
            "left": np.array([s.start for s in stretches], dtype=float),
            "right": np.array([s.stop for s in stretches], dtype=float),
        }
        spaced = [*self._over_draws.values(), *([self._energy] if self._energy else [])]
        stride = max((stats.stride for stats in spaced), default=1)
        if stride > 1:
            notes.append(f"From every {ordinal(stride)} draw, but for divergences.")
        return Answer(sources, tuple(notes))

    def _divergences(self, found: Divergences, longest: int) -> dict[str, dict[str, Any]]:
        rugs = [draws[:: -(-len(draws) // _RUG) or 1] for draws in found.draws]
        lanes = np.repeat(np.arange(len(rugs)), [len(rug) for rug in rugs])
        return {
            "sampler-divergences": {
                "x": np.concatenate([*rugs, np.empty(0)]),
                "top": lanes - 0.32,
                "bottom": lanes + 0.32,
            },
            "sampler-counts": {
                "x": np.full(len(rugs), longest * 1.12),
                "y": np.arange(len(rugs), dtype=float),
                "text": [f"{count:,}" for count in found.counts],
            },
        }

    def _said(self, found: Divergences, view: RunView) -> list[str]:
        missing = sum(map(n_draws, chains_of(view))) - found.n_seen
        n = sum(found.counts)
        said = [f"Looking for divergences: {missing:,} draws to go."] if missing > 0 else []
        if n or not said:
            which = (
                f"{n:,} divergent {'draw' if n == 1 else 'draws'}" if n else "No divergent draws"
            )
            said.append(f"{which} after warm-up.")
        return said

    def _lines(self, of_each: list[tuple[Array, Numbers]], is_averaged: bool) -> dict[str, Any]:
        lines = [_line(draws, values[:, 0], is_averaged) for draws, values in of_each]
        return {
            "xs": [x for x, _ in lines],
            "ys": [y for _, y in lines],
            "series": np.arange(len(lines), dtype=float),
            "chain": self._labels,
        }

    def _energies(
        self, view: RunView, of_each: list[tuple[Array, Numbers]]
    ) -> tuple[dict[str, dict[str, Any]], list[str]]:
        about_mean, changes, fractions = [np.empty(0)], [np.empty(0)], []
        for chain, (draws, pairs) in zip(chains_of(view), of_each, strict=True):
            counted = pairs[~is_warmup(draws, chain.warmup)]
            counted = counted[np.isfinite(counted).all(axis=1)]
            fractions.append(bfmi(counted))
            if len(counted):
                about_mean.append(counted[:, 0] - counted[:, 0].mean())
                changes.append(counted[:, 1] - counted[:, 0])
        marginal, change = np.concatenate(about_mean), np.concatenate(changes)
        reach = float(np.max(np.abs(np.concatenate([marginal, change])), initial=0.0))
        edges = np.linspace(-reach, reach, _BINS + 1) if reach else np.empty(0)
        bars, steps = (_density(values, edges) for values in (marginal, change))
        worst = int(np.argmin(np.nan_to_num(fractions, nan=np.inf))) if fractions else 0
        text = ""
        if fractions and not np.isnan(fractions[worst]):
            sign = "=" if len(fractions) == 1 else "≥"
            text = f"BFMI {sign} {fractions[worst]:.2f} (chain {self._labels[worst]})"
        low = [
            f"BFMI of chain {name} is {fraction:.2f}: below {_LEAST_BFMI:g}."
            for name, fraction in zip(self._labels, fractions, strict=True)
            if fraction < _LEAST_BFMI
        ]
        sources: dict[str, dict[str, Any]] = {
            "sampler-marginal": {"left": edges[:-1], "right": edges[1:], "top": bars},
            "sampler-transition": {"x": edges, "y": np.append(steps, steps[-1:])},
            "sampler-bfmi": {
                "x": [reach],
                "y": [1.2 * float(np.max([*bars, *steps], initial=0.0))],
                "text": [text],
            },
        }
        return sources, low


def bfmi(pairs: Numbers) -> float:
    """Estimate the Bayesian fraction of missing information of a chain.

    Parameters
    ----------
    pairs : ndarray, shape (n, 2)
        The energies of draws, and of those that follow them.

    Returns
    -------
    float
        The mean square of the change, divided by the variance; NaN where that is unknown.
    """
    if len(pairs) < 2:
        return float("nan")
    energies = np.append(pairs[:, 0], pairs[-1, 1])
    with np.errstate(all="ignore"):
        return float(np.mean(np.square(pairs[:, 1] - pairs[:, 0])) / np.var(energies, ddof=1))


def _line(draws: Array, values: Numbers, is_averaged: bool) -> tuple[Array, Array]:
    """Give a line of bounded length: means of draws that follow one another, or some of them."""
    n = -(-len(draws) // _POINTS)
    if not is_averaged or n < 2:
        chosen = slice(None, None, n or 1)
        return draws[chosen].astype(float), values[chosen]
    starts = np.arange(0, len(draws), n)
    sizes = np.diff(np.append(starts, len(draws)))
    is_known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(is_known, values, 0.0), starts)
    counts = np.add.reduceat(is_known.astype(float), starts)
    with np.errstate(invalid="ignore"):
        return np.add.reduceat(draws.astype(float), starts) / sizes, sums / counts


def _density(values: Numbers, edges: Numbers) -> Numbers:
    if not len(edges) or not len(values):
        return np.empty(0) if not len(edges) else np.zeros(len(edges) - 1)
    counts = np.histogram(values, edges)[0]
    return counts / (len(values) * np.diff(edges))
