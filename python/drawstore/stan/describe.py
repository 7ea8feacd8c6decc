"""What the files of a run say of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from drawstore.meta import RunMeta, make_meta

from .comments import Notes
from .source import MARK, Kind, Source

__all__ = ["check_columns", "described", "meta_of"]


def check_columns(first: Source, other: Source) -> None:
    """Refuse files that are not of one run: whose variables or stats are not the same."""
    if first.columns.header == other.columns.header and bool(first.n_warmup) == bool(
        other.n_warmup
    ):
        return
    mine, theirs = first.columns.header, other.columns.header
    where = next(
        (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b),
        min(len(mine), len(theirs)),
    )
    if mine == theirs:
        differs = "only one of them has draws of the warm-up"
    else:
        one, two = (
            repr(names[where]) if where < len(names) else "not there" for names in (mine, theirs)
        )
        differs = f"column {where + 1} is {one} in the first and {two} in the second"
    raise ValueError(f"{first.path} and {other.path} are no chains of one run: {differs}")


def described(source: Source, kind: Kind) -> dict[str, tuple[DTypeLike, tuple[int, ...]]]:
    """Give dtype and shape of the variables, or the stats, of a file."""
    known: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
        name: (item.dtype, item.shape) for name, item in source.columns.of(kind).items()
    }
    if kind == "stats" and source.n_warmup:
        known[MARK] = (np.bool_, ())
    return known


def meta_of(rid: str, sources: Sequence[Source]) -> RunMeta:
    """Describe a run whose chains are in these files; `StanCSV` says what is in the attributes."""
    notes = [source.notes for source in sources]
    attributes: dict[str, object] = {"inference_library": "Stan"}
    if notes[0].version is not None:
        attributes["inference_library_version"] = notes[0].version
    attributes |= _settings(notes) | _adapted(notes) | _seconds(notes)
    if len(sources) == 1:
        attributes |= {f"mean.{name}": mean for name, mean in sources[0].means().items()}
    return make_meta(
        described(sources[0], "draws"),
        described(sources[0], "stats"),
        attributes=attributes,
        rid=rid,
    )


def _settings(notes: Sequence[Notes]) -> dict[str, object]:
    """Give the configuration; what differs between the chains as a list."""
    names = dict.fromkeys(name for note in notes for name in note.settings)
    settings: dict[str, object] = {}
    for name in names:
        if not name.startswith("stan_version_"):
            values = [note.settings.get(name) for note in notes]
            settings[name] = values[0] if values.count(values[0]) == len(values) else values
    return settings


def _adapted(notes: Sequence[Notes]) -> dict[str, object]:
    adapted: dict[str, object] = {}
    steps = [note.step_size for note in notes]
    if steps.count(None) < len(steps):
        adapted["step_size"] = np.array(steps, np.float64)
    metrics = [note.inverse_metric for note in notes]
    sizes = {tuple(map(len, metric)) for metric in metrics}
    if len(sizes) == 1 and metrics[0] and len(set(*sizes)) == 1:
        adapted["inverse_metric"] = np.array([m[0] if len(m) == 1 else m for m in metrics])
    return adapted


def _seconds(notes: Sequence[Notes]) -> dict[str, object]:
    words = dict.fromkeys(word for note in notes for word in note.seconds)
    return {
        f"{word.lower().replace('-', '').replace(' ', '_')}_seconds": np.array(
            [note.seconds.get(word, np.nan) for note in notes]
        )
        for word in words
    }
