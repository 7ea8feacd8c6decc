"""HTML made of data: texts are escaped here, and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence

from ..text import escaped

__all__ = [
    "BAD",
    "GOOD",
    "MOST",
    "WAITING",
    "code",
    "columns",
    "frame",
    "guarded",
    "mark",
    "section",
    "table",
    "text",
]

MOST = 50
"""Rows of a table that are shown, at most."""

GOOD, WAITING, BAD = "#2a9d5c", "#c77d0a", "#d64545"
"""Colours that can be read on white and on black; each beside a word that says the same."""

_LONGEST = 200  # characters of a name
_ERROR = 2000
_FAINT = "opacity:.65"
_CELL = "padding:1px 14px 1px 0;border:0;background:none;vertical-align:baseline;"
_HEAD = "border-bottom:1px solid rgba(128,128,128,.4);opacity:.7;font-weight:500;"
_WIDTH = "max-width:40em;overflow-wrap:anywhere;"
_LEFT, _RIGHT = "text-align:left", "text-align:right"


def text(value: object, most: int = _LONGEST) -> str:
    """Give a text of the data as HTML that shows it, whatever it is made of; its beginning."""
    said = str(value)
    return html.escape(escaped(said if len(said) <= most else f"{said[:most]}…"))


def code(value: object) -> str:
    """Give a name: isolated, so that its direction is its own, and never read as a formula."""
    return f'<bdi><code style="background:none;color:inherit;padding:0">{text(value)}</code></bdi>'


def mark(word: str, colour: str) -> str:
    """Give a word that says how things are."""
    return f'<span style="color:{colour};font-weight:600">{text(word)}</span>'


def frame(title: str, facts: Iterable[str], *parts: str) -> str:
    """Give all that is shown of one thing.

    Parameters
    ----------
    title : str
        HTML.
    facts : iterable of str
        In HTML, beside the title; those that are empty are left out.
    *parts : str
        HTML, below.
    """
    said = " · ".join(fact for fact in facts if fact)
    head = f'<div><strong>{title}</strong> <span style="opacity:.8">{said}</span></div>'
    # The classes keep notebooks from taking what is between dollars for a formula.
    return (
        '<div class="drawstore tex2jax_ignore mathjax_ignore" '
        'style="line-height:1.5;overflow-x:auto">'
        f"{head}{''.join(parts)}</div>"
    )


def section(title: str, inside: str, *, is_open: bool = False) -> str:
    """Give a part that can be folded; nothing where there is nothing inside."""
    if not inside:
        return ""
    opened = ' open=""' if is_open else ""
    return (
        f'<details{opened} style="margin:2px 0"><summary style="cursor:pointer">{title}</summary>'
        f'<div style="margin:2px 0 4px 1.1em">{inside}</div></details>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], total: int, what: str) -> str:
    """Give a table.

    Parameters
    ----------
    head : sequence of str
        Of the columns; those that begin with ">" hold numbers, which are aligned to the right.
    rows : sequence of sequence of str
        Cells in HTML; at most `MOST` rows.
    total : int
        Rows there are; how many more than are shown is said.
    what : str
        They are, in the plural.
    """
    if not rows:
        return ""
    sides = [_RIGHT if name.startswith(">") else _LEFT for name in head]
    names = [text(name.lstrip(">")) for name in head]
    named = _row(f'th style="{_CELL}{_HEAD}', sides, names) if any(names) else ""
    body = "".join(_row(f'td style="{_CELL}{_WIDTH}', sides, row) for row in rows)
    more = total - len(rows)
    rest = f'<div style="{_FAINT}">and {more:,} more {what}</div>' if more > 0 else ""
    return (
        '<table style="border-collapse:collapse;border:0;margin:2px 0;color:inherit;'
        f'font-variant-numeric:tabular-nums"><thead>{named}</thead><tbody>{body}</tbody></table>'
        f"{rest}"
    )


def _row(begin: str, sides: Sequence[str], cells: Sequence[str]) -> str:
    made = "".join(
        f'<{begin}{side}">{cell}</{begin[:2]}>' for side, cell in zip(sides, cells, strict=True)
    )
    return f'<tr style="background:none">{made}</tr>'


def columns(*parts: str) -> str:
    """Give parts side by side, where there is room."""
    inside = "".join(f"<div>{part}</div>" for part in parts if part)
    style = "display:flex;flex-wrap:wrap;gap:4px 2em;align-items:flex-start"
    return f'<div style="{style}">{inside}</div>'


def guarded(item: object, show: Callable[[], str]) -> str:
    """Give what `show` makes; where that fails, what the thing is, and why it cannot be shown."""
    try:
        return show()
    except Exception as error:  # whatever is wrong with a store: a repr says so, and raises nothing
        why = error.args[0] if isinstance(error, KeyError) and error.args else error
        said = text(why or type(error).__name__, _ERROR)
        below = f"<div>{mark('cannot be read', BAD)}: {said}</div>"
        return frame(text(type(item).__name__), [], below)
