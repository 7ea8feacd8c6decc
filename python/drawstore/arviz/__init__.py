"""Runs for ArviZ: as an xarray.DataTree (ArviZ 1), or as InferenceData (before)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ..ensemble import by_walkers
from ..interface import Run

try:
    import xarray as xr
except ImportError as error:
    raise ImportError(
        "drawstore needs xarray to show runs: pip install 'drawstore[arviz]'"
    ) from error

from .datasets import SAMPLED, Convention, Parts, as_group, datasets
from .labels import Labeller

__all__ = ["add_groups", "groups_of", "to_datatree", "to_inferencedata"]


def to_datatree(
    run: Run, *, equalize: bool = True, lazy: bool | None = None, include_transformed: bool = False
) -> xr.DataTree:
    """Give a run as a tree; see `Run.to_datatree`."""
    groups, attrs, problems, _ = groups_of(
        run, equalize=equalize, lazy=lazy, include_transformed=include_transformed
    )
    _warn(run, problems)
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


def groups_of(
    run: Run, *, equalize: bool, lazy: bool | None, include_transformed: bool = False
) -> tuple[dict[str, xr.Dataset], dict[str, Any], list[str], Parts]:
    """Give the groups of a run's tree, and what is told beside them; see `datasets`."""
    groups, attrs, problems, parts = datasets(
        by_walkers(run),
        Convention(_creation(), datatree=True),
        equalize=equalize,
        lazy=lazy,
        include_transformed=include_transformed,
    )
    for name, group in groups.items():
        # xarray takes slashes for paths.
        slashed = [item for item in group.variables if "/" in str(item)]
        if slashed:
            groups[name] = group.drop_vars(slashed)
            names = ", ".join(map(str, slashed))
            problems.append(f"left out of {name}, because of the slash in their names: {names}")
    return groups, attrs, problems, parts


def to_inferencedata(
    run: Run, *, equalize: bool = True, lazy: bool | None = None, include_transformed: bool = False
) -> Any:
    """Give a run as InferenceData; see `Run.to_inferencedata`."""
    installed = _version("arviz")
    if installed is None:
        raise ImportError("to_inferencedata() needs ArviZ before version 1: pip install 'arviz<1'")
    if int(installed.split(".")[0]) >= 1:
        raise ImportError(
            f"to_inferencedata() needs ArviZ before version 1, and this is {installed}, which "
            "works on xarray.DataTree: use to_datatree()"
        )
    import arviz

    groups, attrs, problems, _ = datasets(
        by_walkers(run),
        Convention({"arviz_version": installed}, datatree=False),
        equalize=equalize,
        lazy=lazy,
        include_transformed=include_transformed,
    )
    _warn(run, problems)
    make: Any = arviz.InferenceData
    return make(attrs=attrs, **groups)


def add_groups(
    run: Run,
    groups: Mapping[str, Any],
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, ArrayLike],
) -> None:
    """Keep groups with a run; see `Run.add_groups`."""
    run = by_walkers(run)
    made = {"observed_data": run.observed_data, "constant_data": run.constant_data}
    for name in groups:
        if name in SAMPLED or made.get(name):
            raise ValueError(f"'{name}' is made of the run itself")
        if not name.isidentifier():
            raise ValueError(f"'{name}' is no name of a group: it is to be a Python identifier")
    kept = {}
    for name, values in groups.items():
        dataset = _find(name, values)
        if dataset is None:
            dataset = _label(run, name, values, dims, coords)
        kept[name] = as_group(dataset)
    for name, group in kept.items():
        run._save_group(name, group)


def _find(name: str, values: Any) -> xr.Dataset | None:
    """Give the dataset that is meant, if it is one and no dict of arrays."""
    if isinstance(values, xr.Dataset):
        return values
    if isinstance(values, xr.DataTree):
        if not values.children:
            return values.to_dataset()
        values = {child: node.to_dataset() for child, node in values.children.items()}
    # InferenceData is a mapping, too.
    if any(isinstance(value, xr.Dataset) for value in values.values()):
        if name not in values:
            raise ValueError(f"there is no group '{name}' in what was given for it")
        return cast(xr.Dataset, values[name])
    return None


def _label(
    run: Run,
    group: str,
    values: Mapping[str, ArrayLike],
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, ArrayLike],
) -> xr.Dataset:
    """Make a dataset of plain arrays."""
    problems: list[str] = []
    arrays = {name: np.asarray(value) for name, value in values.items()}
    sample_dims = () if group.endswith("data") else ("chain", "draw")
    every = run.coords | {name: np.asarray(value) for name, value in coords.items()}
    labeller = Labeller(sample_dims, every, True, problems)
    named = {**run.dims, **dims}
    for name, array in arrays.items():
        if array.ndim < len(sample_dims):
            raise ValueError(
                f"'{name}' in {group} is to have the shape (chains, draws, ...), and has "
                f"{array.shape}"
            )
        labeller.add(name, array, array.shape, named.get(name, ()))
    dataset = labeller.dataset({"created_at": datetime.now(UTC).isoformat(), **_creation()})
    if problems:
        raise ValueError(f"{group} cannot be kept as it is: {'; '.join(problems)}")
    return dataset


def _creation() -> dict[str, str]:
    """Say by whose conventions a tree is made, in the words of ArviZ."""
    arviz = _version("arviz-base")
    name, number = ("ArviZ", arviz) if arviz else ("drawstore", version("drawstore"))
    return {
        "creation_library": name,
        "creation_library_version": number,
        "creation_library_language": "Python",
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _warn(run: Run, problems: Sequence[str]) -> None:
    for problem in dict.fromkeys(problems):
        # The line that called the method of the run.
        warnings.warn(f"run {run.rid}: {problem}", stacklevel=4)
