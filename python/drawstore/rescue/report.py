"""What a rescue has to tell."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Lost", "Rescued", "RescuedDataset", "RescuedRun", "Stretch"]


@dataclass(frozen=True)
class Lost:
    """Steps of a dataset that cannot be read.

    Attributes
    ----------
    start, stop : int
    why : str
    """

    start: int
    stop: int
    why: str


@dataclass(frozen=True)
class Stretch:
    """Steps that follow each other, and were saved.

    Attributes
    ----------
    name : str
        Of their group in the new file.
    start, stop : int
        Their numbers in the broken one.
    """

    name: str
    start: int
    stop: int


@dataclass
class RescuedDataset:
    """A dataset of a run.

    Attributes
    ----------
    name : str
    steps : int
        That the run is said to have, or, where that is lost, seems to have.
    is_checked : bool
        Whether it has checksums, so that no number in it was damaged unseen.
    readable : int
    lost : list of Lost
    """

    name: str
    steps: int
    is_checked: bool
    readable: int = 0
    lost: list[Lost] = field(default_factory=list)


@dataclass
class RescuedRun:
    """A run.

    Attributes
    ----------
    name : str
        Of its group.
    announced : int or None
        Steps that it is said to have; None where that is lost.
    datasets : list of RescuedDataset
    stretches : list of Stretch
        What was saved.
    notes : list of str
        What else was lost, or made up for.
    """

    name: str
    announced: int | None
    datasets: list[RescuedDataset] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Rescued:
    """What `rescue` found.

    Attributes
    ----------
    file, to : str
    how : str
        In which way the file could be read, where not as it is.
    runs : list of RescuedRun
    notes : list of str
        What else was lost, or left out.
    """

    file: str
    to: str
    how: str
    runs: list[RescuedRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all is saved that the file is said to hold."""
        return not self.notes and all(
            not run.notes and not any(dataset.lost for dataset in run.datasets) for run in self.runs
        )
