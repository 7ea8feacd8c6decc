"""The colours of figures; those of the page around them are in `static/theme.css`."""

from __future__ import annotations

from .figures.figure import Colours

__all__ = ["THEMES"]

THEMES = {
    "light": Colours(
        text="#1c2330",
        faint="#6b7585",
        grid="#e6e9ee",
        ground="#ffffff",
        good="#1a7f4b",
        doubtful="#b26a00",
        bad="#c62b2b",
        # After M. Okabe and K. Ito, "Color universal design", 2008, darker on white.
        series=(
            "#0072b2",
            "#d55e00",
            "#009e73",
            "#b5508f",
            "#b58900",
            "#3f8fbf",
            "#7a4fd0",
            "#5c6370",
        ),
    ),
    "dark": Colours(
        text="#e4e8ef",
        faint="#8e99aa",
        grid="#2b3340",
        ground="#171c24",
        good="#3fbf7f",
        doubtful="#e0a030",
        bad="#ff6b6b",
        series=(
            "#56b4e9",
            "#f0883e",
            "#2fc99a",
            "#e08fc4",
            "#e6c34a",
            "#8ab8ff",
            "#b497ff",
            "#a9b3c1",
        ),
    ),
}
