"""A small curve, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .markup import GOOD, WAITING

__all__ = ["tau_curve"]

_WIDTH, _HEIGHT, _EDGE = 240, 64, 3
_LATEST = 0.8  # of the last point, where the first one is


def tau_curve(history: Sequence[tuple[int, float]], n_taus: float | None) -> str:
    """Draw the autocorrelation time over the number of steps, and how long the rule wants them.

    Parameters
    ----------
    history : sequence of (int, float)
        Steps, and the longest autocorrelation time of that many.
    n_taus : float or None
        Autocorrelation times that a run is to be long: it is where the curve is below the line
        N / n_taus.

    Returns
    -------
    str
        HTML; "" where most of it would be empty.
    """
    points = [(n, tau) for n, tau in history if n > 0 and math.isfinite(tau)]
    if not points or points[0][0] > _LATEST * points[-1][0]:
        return ""
    last, tau = points[-1]
    highest = 1.15 * max(value for _, value in points) or 1.0

    def place(n: float, value: float) -> str:
        x = _EDGE + (_WIDTH - 2 * _EDGE) * n / last
        return f"{x:.1f},{_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * value / highest:.1f}"

    colour, lines, said = GOOD, "", f"τ of {tau:.4g} after {last:,} steps"
    if n_taus:
        end = min(last, highest * n_taus)
        colour = GOOD if n_taus * tau < last else WAITING
        said += f", against N/{n_taus:g} = {last / n_taus:.4g}"
        lines = (
            f'<polyline points="{place(0, 0)} {place(end, end / n_taus)}" stroke="currentColor" '
            'stroke-opacity="0.55" stroke-dasharray="4 3"></polyline>'
        )
    curve = " ".join(place(n, value) for n, value in points)
    x, y = place(last, tau).split(",")
    return (
        f'<svg role="img" aria-label="{said}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" fill="none" style="display:block;overflow:visible">'
        f"<title>{said}</title>"
        f'<path d="M{_EDGE} {_EDGE}V{_HEIGHT - _EDGE}H{_WIDTH - _EDGE}" stroke="currentColor" '
        f'stroke-opacity="0.25"></path>{lines}'
        f'<polyline points="{curve}" stroke="{colour}" stroke-width="2" '
        'stroke-linejoin="round"></polyline>'
        f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"></circle></svg>'
    )
