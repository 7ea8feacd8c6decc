"""The groups of a run as xarray's datasets; all ways out start here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from ..groups import SAMPLING
from ..interface import Group, Run
from ..samplers import Stat, is_transformed, name_stats
from ..warmup import Part, is_mark, split
from .columns import Column
from .labels import Labeller

if TYPE_CHECKING:
    from ..meta import Variable

__all__ = ["Convention", "Parts", "as_dataset", "as_group", "datasets"]

Parts = tuple[list[Part], list[Part]]

SAMPLED = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats")
_OF_LIBRARY = ("inference_library", "inference_library_version")
_OF_SAMPLING = ("sampling_time", "tuning_steps")


@dataclass(frozen=True)
class Convention:
    """What differs between the versions of ArviZ.

    Attributes
    ----------
    attrs : dict of str to str
        Of each dataset: what made it.
    datatree : bool
        Whether it is that of ArviZ 1: datasets name their sample dims, unnamed dimensions are
        counted by themselves, the draws of ensembles stand before their walkers, and observed
        scalars stay such.
    """

    attrs: dict[str, str]
    datatree: bool


@dataclass
class _Conversion:
    run: Run
    convention: Convention
    equalize: bool
    lazy: bool
    include_transformed: bool
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kept = self.run._load_groups()
        after = self.kept.pop(SAMPLING, Group({}, {})).attrs
        known = {**self.run.attributes, **after}
        self.attributes = {name: _plain(value) for name, value in known.items()}
        self.coords = self.run.coords
        self.library = self.attributes.get("inference_library")
        self.ensemble = self.library == "emcee"
        self.draw_first = self.convention.datatree and self.ensemble

    def sampled(self) -> dict[str, xr.Dataset]:
        """Give the groups that hold draws and stats."""
        stats = self.run.sample_stats
        marks = [name for name in stats if is_mark(name)]
        posterior, warmup = split(self.run.get_chains(), marks, ensemble=self.ensemble)
        self.parts = posterior, warmup
        # PyMC tells the steps of tuning, so these are there although they are marked.
        steps = {"tuning_steps": max(map(len, warmup), default=0)} if marks else {}
        variables, stats_shown = self._variables(), name_stats(stats)
        draws_shown = {name: Stat((name,)) for name in variables}
        groups = {}
        for prefix, parts in (("", posterior), ("warmup_", warmup)):
            if prefix and not any(map(len, parts)):
                continue
            kept, n = self._lengths(f"{prefix}posterior", parts)
            groups[f"{prefix}posterior"] = self._group(
                "draws", variables, draws_shown, kept, n, steps
            )
            if stats_shown:
                groups[f"{prefix}sample_stats"] = self._group(
                    "stats", stats, stats_shown, kept, n, steps
                )
        return groups

    def data(self) -> dict[str, xr.Dataset]:
        """Give the groups of data that the run has."""
        dims = self.run.dims
        groups = {}
        for name, values in (
            ("observed_data", self.run.observed_data),
            ("constant_data", self.run.constant_data),
        ):
            if not values:
                continue
            labeller = self._labeller(())
            for item, value in values.items():
                array = value
                if name == "observed_data" and not self.convention.datatree:
                    array = np.atleast_1d(value)
                labeller.add(item, array, array.shape, dims.get(item, ()))
            groups[name] = labeller.dataset(self._attrs(()))
        return groups

    def _group(
        self,
        kind: Literal["draws", "stats"],
        variables: Mapping[str, Variable],
        shown: Mapping[str, Stat],
        parts: Sequence[Part],
        n: int,
        steps: Mapping[str, int],
    ) -> xr.Dataset:
        sample_dims = ("draw", "chain") if self.draw_first else ("chain", "draw")
        chains = np.array([part.chain.chain_number for part in parts], dtype=np.int64)
        labeller = self._labeller(sample_dims, chain=chains, draw=np.arange(n))
        ragged = []
        for name, stat in shown.items():
            variable = variables[stat.columns[0]]
            if variable.undefined_ndim or any(size < 0 for size in variable.shape):
                ragged.append(name)
                continue
            column = Column(
                parts,
                kind,
                stat.columns,
                tuple(variable.shape),
                np.dtype(object) if variable.dtype == "str" else parse_dtype(variable.dtype),
                n,
                stacked=stat.stacked,
                draw_first=self.draw_first,
                zeros=stat.of_sampler and self.library == "pymc",
            )
            array = column.lazy() if self.lazy else column.read()
            labeller.add(name, array, column.shape, variable.dims)
        if ragged:
            self.problems.append(
                f"left out, because their shape differs from draw to draw: {', '.join(ragged)} "
                f"(the chains' get_{kind} gives them)"
            )
        return labeller.dataset(self._attrs(sample_dims) | self._of_sampling(steps))

    def _variables(self) -> dict[str, Variable]:
        return {
            name: variable
            for name, variable in self.run.variables.items()
            if self.include_transformed or not (self.library == "pymc" and is_transformed(name))
        }

    def _lengths(self, group: str, parts: list[Part]) -> tuple[list[Part], int]:
        """Give the chains and how many draws of each are shown."""
        lengths = [len(part) for part in parts]
        if not self.equalize or len(set(lengths)) < 2:
            return parts, max(lengths, default=0)
        kept = [part for part in parts if len(part)]
        n = min(len(part) for part in kept)
        left_out = [
            f"{len(part) - n} draws of chain {part.chain.chain_number}"
            for part in kept
            if len(part) > n
        ]
        left_out += [
            f"chain {part.chain.chain_number}, which has none" for part in parts if not len(part)
        ]
        self.problems.append(
            f"the chains of the {group} differ in length, so that it has {n} draws of each; left "
            f"out are {', '.join(left_out)} (equalize=False keeps all)"
        )
        return kept, n

    def _labeller(self, sample_dims: Sequence[str], **coords: NDArray[Any]) -> Labeller:
        every = self.coords | coords
        return Labeller(sample_dims, every, self.convention.datatree, self.problems)

    def _attrs(self, sample_dims: Sequence[str]) -> dict[str, Any]:
        attrs: dict[str, Any] = {
            "created_at": self.run.created_at.isoformat(),
            **self.convention.attrs,
        }
        attrs |= {name: self.attributes[name] for name in _OF_LIBRARY if name in self.attributes}
        if self.convention.datatree:
            attrs["sample_dims"] = list(sample_dims)
        return attrs

    def _of_sampling(self, steps: Mapping[str, int]) -> dict[str, Any]:
        known = {name: self.attributes[name] for name in _OF_SAMPLING if name in self.attributes}
        if "tuning_steps" in known:
            known["tuning_steps"] = int(known["tuning_steps"])
        return {**steps, **known}


def datasets(
    run: Run,
    convention: Convention,
    *,
    equalize: bool,
    lazy: bool | None,
    include_transformed: bool,
) -> tuple[dict[str, xr.Dataset], dict[str, Any], list[str], Parts]:
    """Give all groups of a run, and what is told beside them.

    Returns
    -------
    groups : dict of str to Dataset
    attributes : dict of str to object
        The run's others.
    problems : list of str
        What could not be shown as it is.
    parts : tuple of list of Part
        The draws after warm-up that each chain has, and those of warm-up.
    """
    conversion = _Conversion(
        run, convention, equalize, not run.in_memory if lazy is None else lazy, include_transformed
    )
    groups = conversion.sampled() | conversion.data()
    groups |= {name: as_dataset(group) for name, group in conversion.kept.items()}
    others = {
        name: value
        for name, value in conversion.attributes.items()
        if name not in (*_OF_LIBRARY, *_OF_SAMPLING)
    }
    return groups, others, conversion.problems, conversion.parts


def as_dataset(group: Group) -> xr.Dataset:
    """Give a group that was kept as a dataset."""
    return xr.Dataset(
        {name: (group.dims[name], values) for name, values in group.values.items()},
        {name: (group.dims.get(name, (name,)), values) for name, values in group.coords.items()},
        group.attrs,
    )


def as_group(dataset: xr.Dataset) -> Group:
    """Give a dataset as a group to keep; what lies on disk is read."""
    multi = [name for name, index in dataset.indexes.items() if index.nlevels > 1]
    dataset = dataset.reset_index(multi)
    return Group(
        {str(name): variable.values for name, variable in dataset.data_vars.items()},
        {str(name): tuple(map(str, v.dims)) for name, v in dataset.variables.items()},
        {str(name): variable.values for name, variable in dataset.coords.items()},
        dict(dataset.attrs),
    )


def _plain(value: Any) -> Any:
    """Give a number that came back as an array as such."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
