"""What PyMC calls its sampler stats and its variables, and how its own results show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .warmup import is_mark

if TYPE_CHECKING:
    from .meta import Variable

__all__ = ["Stat", "is_divergence", "is_transformed", "name_stats"]

_OF_SAMPLER = re.compile(r"sampler_(\d+)__(.+)", re.DOTALL)

# ArviZ's words for stats that PyMC's samplers call otherwise.
_NAMES = {
    "model_logp": "lp",
    "mean_tree_accept": "acceptance_rate",
    "depth": "tree_depth",
    "tree_size": "n_steps",
}


@dataclass(frozen=True)
class Stat:
    """A stat as it is shown: one column of the chains, or one a sampler.

    Attributes
    ----------
    columns : tuple of str
        Names of the chains' stats, which agree in shape and dtype.
    stacked : bool
        Whether the samplers become an axis, the last one.
    of_sampler : bool
        Whether it is one of PyMC's step methods.
    """

    columns: tuple[str, ...]
    stacked: bool = False
    of_sampler: bool = False


def name_stats(stats: Mapping[str, Variable]) -> dict[str, Stat]:
    """Name the stats of a run, but for those that mark warm-up.

    Stats that are called ``sampler_{i}__name``, as those of PyMC's step methods, lose the prefix
    and get ArviZ's name. Several samplers with the same stat are stacked, and so is one where it
    is text: its axis is there in PyMC's own results, too. All others are shown as they are.
    """
    shown = {name: Stat((name,)) for name in stats if not _OF_SAMPLER.fullmatch(name)}
    samplers: dict[str, list[tuple[int, str]]] = {}
    for full in stats:
        if match := _OF_SAMPLER.fullmatch(full):
            samplers.setdefault(match[2], []).append((int(match[1]), full))
    for name, columns in samplers.items():
        names = tuple(full for _, full in sorted(columns))
        first = stats[names[0]]
        agree = all(
            (stats[n].dtype, list(stats[n].shape)) == (first.dtype, list(first.shape))
            for n in names
        )
        shown_name = _NAMES.get(name, name)
        if agree and shown_name not in shown:
            shown[shown_name] = Stat(names, len(names) > 1 or first.dtype == "str", True)
        else:
            shown |= {full: Stat((full,), of_sampler=True) for full in names}
    return {name: stat for name, stat in shown.items() if not is_mark(name)}


def is_transformed(name: str) -> bool:
    """Say whether PyMC gives this name to a variable in the space in which it samples."""
    return name.endswith("__") and name.count("_") >= 3


def is_divergence(name: str) -> bool:
    """Say whether a stat tells which draws diverged: Stan's, or PyMC's, of any of its samplers."""
    return any(name == word or name.endswith(f"__{word}") for word in ("diverging", "divergent__"))
