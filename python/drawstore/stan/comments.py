"""The comments in Stan CSV: how cmdstan was run, what it adapted, how long it took."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Notes", "read_comments"]

Value = int | float | str

_SETTING = re.compile(r"#( *)([^=]*?) *=(.*)", re.DOTALL)
_TIME = re.compile(r"#\s*(?:Elapsed Time:)?\s*(\S+) seconds \((.+)\)")
_ADAPTED = "Adaptation terminated"
_LARGEST = 2**53  # integer that attributes keep exactly


@dataclass
class Notes:
    """What the comments of one file say.

    Attributes
    ----------
    settings : dict of str to int, float or str
        The configuration: names of nested arguments are joined by dots, as in
        ``"sample.adapt.delta"``. "true" and "false" are 1 and 0, as older versions write them.
    n_before_adapted : int or None
        Rows above the end of the adaptation, where it is told.
    step_size : float or None
        After adaptation.
    inverse_metric : list of list of float
        Rows of the inverse mass matrix, or one row, its diagonal.
    seconds : dict of str to float
        By the words in which they are told, such as "Warm-up", "Sampling", "Total".
    """

    settings: dict[str, Value] = field(default_factory=dict)
    n_before_adapted: int | None = None
    step_size: float | None = None
    inverse_metric: list[list[float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """What cmdstan was asked for; "sample" where the file does not say."""
        return str(self.settings.get("method", "sample"))

    @property
    def version(self) -> str | None:
        """The version of Stan, such as "2.32.2"."""
        parts = [self.settings.get(f"stan_version_{part}") for part in ("major", "minor", "patch")]
        return None if None in parts else ".".join(map(str, parts))

    @property
    def n_warmup_saved(self) -> int:
        """How many of the first rows are warm-up, as far as the file says."""
        if self.n_before_adapted is not None:
            return self.n_before_adapted
        saved = self.settings.get("sample.save_warmup", 0)
        n, thin = self.settings.get("sample.num_warmup", 0), self.settings.get("sample.thin", 1)
        if not (saved and isinstance(n, int) and isinstance(thin, int) and thin > 0):
            return 0
        return -(-n // thin)


def read_comments(comments: Sequence[tuple[int, str]]) -> Notes:
    """Read the comments of a file.

    Parameters
    ----------
    comments : sequence of (int, str)
        Blocks of lines, and how many rows are above each.
    """
    notes = Notes()
    path: list[tuple[int, str]] = []  # the arguments that the next line may belong to
    in_metric = False
    for row, block in comments:
        for line in block.splitlines():
            text = line.lstrip("# ").rstrip()
            if in_metric and (numbers := _numbers(text)):
                notes.inverse_metric.append(numbers)
                continue
            in_metric = "inverse mass matrix:" in text
            if text == _ADAPTED:
                notes.n_before_adapted = row
            elif text.startswith("Step size = ") and (step := _numbers(text[12:])):
                notes.step_size = step[0]
            elif (match := _TIME.match(line)) and (seconds := _numbers(match[1])):
                notes.seconds[match[2]] = seconds[0]
            elif row == 0 and notes.n_before_adapted is None:
                _read_setting(line, path, notes.settings)
    return notes


def _read_setting(line: str, path: list[tuple[int, str]], settings: dict[str, Value]) -> None:
    match = _SETTING.match(line)
    indent = len(line) - len(line[1:].lstrip(" "))
    name = match[2] if match else line[1:].strip()
    while path and path[-1][0] >= indent:
        path.pop()
    if match:
        # What "method = sample" holds stands below the word "sample".
        outer = [part for _, part in path if part]
        settings[".".join([*outer, name])] = _value(match[3])
        path.append((indent, ""))
    elif name:
        path.append((indent, name))


def _value(text: str) -> Value:
    text = text.strip().removesuffix("(Default)").strip()
    if text in ("true", "false"):
        return int(text == "true")
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if kind is float or abs(number) <= _LARGEST:
            return number
    return text


def _numbers(text: str) -> list[float]:
    """Give the numbers that a line consists of, if it does."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
