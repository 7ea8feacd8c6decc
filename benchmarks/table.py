"""The table of ratios that ends a run of the benchmarks."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

from paired import Paired, Quartiles

_HOLDS = {"at least": operator.ge, "at most": operator.le, "under": operator.lt}


@dataclass(frozen=True)
class Bar:
    """What a measured number has to reach."""

    word: str
    """``"at least"``, ``"at most"`` or ``"under"``."""
    limit: float
    unit: str = "×"

    def met(self, value: float) -> bool:
        """Say whether a number reaches it. NaN, for what could not be measured, never does."""
        return bool(_HOLDS[self.word](value, self.limit))

    def __str__(self) -> str:
        return f"{self.word} {self.limit:,g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    against: str
    value: Quartiles
    unit: str = "×"
    bar: Bar | None = None
    judged: bool = True
    """Whether the bar is meant for this row; else it stands in brackets, to compare with."""
    memcpy: float | None = None
    """Time of drawstore in times of a memcpy of the same bytes."""
    remark: str = ""

    @property
    def missed(self) -> bool:
        """Whether there is a bar, in brackets or not, and the number does not reach it."""
        return self.bar is not None and not self.bar.met(self.value.median)

    def cells(self, verdict: bool) -> list[str]:
        """Give the cells as text."""
        value, unit = self.value, self.unit
        shown = f"{_number(value.median)} {unit}".rstrip()
        if value.lower != value.upper:
            shown += f" ({_number(value.lower)} to {_number(value.upper)})"
        if value.median != value.median:
            shown = "not measured"
        outcome = "" if self.bar is None or not verdict else "missed" if self.missed else "met"
        brackets = "{}" if self.judged else "({})"
        return [
            self.work,
            self.against,
            shown,
            brackets.format(self.bar) if self.bar else "",
            brackets.format(outcome) if outcome else "",
            "" if self.memcpy is None else f"{_number(self.memcpy)} ×",
            self.remark,
        ]


_HEAD = ["work", "against", "measured (quartiles)", "bar", "", "time / memcpy", "remark"]


@dataclass
class Table:
    """Collects the rows of a run."""

    verdict: bool = True
    """Whether to judge: small sizes show that everything runs, and no more."""
    rows: list[Row] = field(default_factory=list)

    def faster(
        self,
        work: str,
        against: str,
        paired: Paired,
        at_least: float | None,
        *,
        judged: bool = True,
        peer: str = "emcee",
        remark: str = "",
    ) -> None:
        """Add how many times as fast as its peer drawstore was.

        Parameters
        ----------
        work, against : str
            What was done, and who else did it.
        paired : Paired
            Of ``"drawstore"``, ``"memcpy"`` and the peer.
        at_least : float or None
            The bar.
        judged : bool
            Whether the bar is meant for this row, or only shown to compare with.
        peer : str
            Name of the peer in ``paired``.
        remark : str
            Anything else; the two medians come first.
        """
        times = f"{_time(paired.median('drawstore'))} against {_time(paired.median(peer))}"
        self.rows.append(
            Row(
                work,
                against,
                paired.ratio(peer, to="drawstore"),
                bar=None if at_least is None else Bar("at least", at_least),
                judged=judged,
                memcpy=paired.ratio("drawstore", to="memcpy").median,
                remark=f"{times}; {remark}" if remark else times,
            )
        )

    def slower(
        self, work: str, against: str, paired: Paired, peer: str, at_most: float | None
    ) -> None:
        """Add how many times as long as its peer drawstore took, where it does more than that."""
        self.rows.append(
            Row(
                work,
                against,
                paired.ratio("drawstore", to=peer),
                bar=None if at_most is None else Bar("at most", at_most),
                memcpy=paired.ratio("drawstore", to="memcpy").median
                if "memcpy" in paired.seconds
                else None,
                remark=f"{_time(paired.median('drawstore'))} against {_time(paired.median(peer))}",
            )
        )

    def number(self, work: str, against: str, value: float, bar: Bar, remark: str = "") -> None:
        """Add a number that is no ratio of times, such as bytes."""
        self.rows.append(
            Row(work, against, Quartiles.of([value]), unit=bar.unit, bar=bar, remark=remark)
        )

    def rate(
        self,
        work: str,
        against: str,
        n_bytes: int,
        seconds: Sequence[float],
        bar: Bar | None = None,
        remark: str = "",
    ) -> None:
        """Add how many megabytes a second were done, in rounds that took so many seconds."""
        rates = Quartiles.of([n_bytes / one / 1e6 for one in seconds])
        self.rows.append(Row(work, against, rates, unit="MB/s", bar=bar, remark=remark))

    @property
    def missed(self) -> list[Row]:
        """Rows that are judged, and whose bar was not reached."""
        return [row for row in self.rows if row.missed and row.judged]

    def summary(self) -> list[str]:
        """Say in sentences how many bars were missed, those in brackets too."""
        if not self.verdict:
            return ["Small sizes and few rounds: these numbers mean nothing."]
        beside = sum(row.missed and not row.judged for row in self.rows)
        lines = [f"Bars missed: {len(self.missed)}." if self.missed else "Every bar was met."]
        if beside:
            lines.append(f"In brackets, not judged: {beside} below the bar that stands there.")
        return lines

    def markdown(self) -> str:
        """Give the table as Markdown, its columns aligned."""
        lines = [_HEAD, *(row.cells(self.verdict) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
        text = [_join(line, widths) for line in lines]
        text.insert(1, _join(["-" * width for width in widths], widths))
        return "\n".join(text) + "\n"


def _join(cells: list[str], widths: list[int]) -> str:
    return "| " + " | ".join(map(str.ljust, cells, widths)) + " |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
