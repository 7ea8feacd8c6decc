"""What a `Monitor` is to follow, found in what it was given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..ensemble import Steps, coordinate_names, parameters, steps_in, steps_of
from ..interface import Backend, Run
from ..samplers import is_transformed
from ..summary import summarized_dtype
from .following import Followed, FollowedChain, FollowedEnsemble, FollowedWalkers

__all__ = ["Found", "find"]

_EXPECTED = (
    "a drawstore.Run, a drawstore.Backend with a run, a path or URL as for drawstore.open, an "
    "emcee.EnsembleSampler or one of emcee's backends, or a list of these"
)


@dataclass(frozen=True)
class Found:
    """What there is to follow, as of now.

    Attributes
    ----------
    followed : list of Followed
    chains : list of (Run, int)
        The runs to which chains may be added, and how many there are.
    places : list of (Backend, Run)
        Where runs were found, in whose place there may be others.
    """

    followed: list[Followed] = field(default_factory=list)
    chains: list[tuple[Run, int]] = field(default_factory=list)
    places: list[tuple[Backend, Run]] = field(default_factory=list)

    def is_outdated(self) -> bool:
        """Say whether there are other runs by now, or other chains.

        Raises
        ------
        KeyError
            Where a run is gone.
        """
        return any(
            backend.get_run(run.rid).created_at != run.created_at for backend, run in self.places
        ) or any(len(run.get_chains()) != n for run, n in self.chains)


def find(watched: Any, rid: str | None, names: Sequence[str] | None, discard: int) -> Found:
    """Find the chains and ensembles that there are by now.

    Parameters
    ----------
    watched, rid, names, discard
        As given to `Monitor`.

    Raises
    ------
    TypeError, ValueError, KeyError
        Where it is nothing that can be followed, where a name is not there, and where several runs
        do not have the same parameters.
    """
    several = isinstance(watched, list | tuple)
    found = Found()
    for item in watched if several else [watched]:
        if isinstance(item, str | os.PathLike):
            from ..opening import open

            item = open(item)
        place = item if isinstance(item, Backend) else None
        if place is not None:
            item = _run_in(place, rid)
        elif rid is not None:
            raise TypeError("rid= says which run of a drawstore.Backend, or of a path or URL")
        if not isinstance(item, Run):
            found.followed.append(_follow_ensemble(_in_backend(item), names, discard))
            continue
        steps = steps_of(item)
        # emcee does not keep when a run was made, by which another one would be known.
        if place is not None and item._own_steps() is None:
            found.places.append((place, item))
        if steps is not None:
            found.followed.append(_follow_ensemble(steps, names, discard))
            continue
        chains = _follow_chains(item, names, discard, f"{item.rid}/" if several else "")
        found.chains.append((item, len(chains)))
        if item.attributes.get("inference_library") == "emcee" and chains:
            # Walkers of a file of emcee that was converted.
            found.followed.append(FollowedWalkers(chains, item.rid))
        else:
            found.followed.extend(chains)
    for other in found.followed[1:]:
        if other.names != found.followed[0].names:
            raise ValueError(
                f"the runs do not have the same parameters: {list(found.followed[0].names)} and "
                f"{list(other.names)}; say which with names="
            )
    return found


def _in_backend(item: Any) -> Steps:
    steps = steps_in(item)
    if steps is None:
        kind = f"{type(item).__module__}.{type(item).__qualname__}"
        raise TypeError(f"expected {_EXPECTED}; got {kind}")
    return steps


def _run_in(backend: Backend, rid: str | None) -> Run:
    if rid is not None:
        return backend.get_run(rid)
    rids = [info.rid for info in backend.get_runs()]
    if len(rids) != 1:
        there = f"there are {', '.join(map(repr, rids))}" if rids else "there is no run yet"
        raise ValueError(f"expected one run, or the id of one as rid=; {there}")
    return backend.get_run(rids[0])


def _follow_chains(
    run: Run, names: Sequence[str] | None, discard: int, prefix: str
) -> list[FollowedChain]:
    variables = [
        name for name, variable in run.variables.items() if summarized_dtype(variable) is not None
    ]
    if names is None:
        # Of PyMC's, those that `Run.to_datatree` shows.
        of_pymc = run.attributes.get("inference_library") == "pymc"
        chosen = [name for name in variables if not (of_pymc and is_transformed(name))]
    else:
        chosen = _checked(names, variables)
    if not chosen:
        raise ValueError(f"run {run.rid!r} has no numeric variable of a fixed shape to follow")
    return [
        FollowedChain(run, chain, chosen, discard, f"{prefix}{chain.chain_number}")
        for chain in run.get_chains()
    ]


def _follow_ensemble(steps: Steps, names: Sequence[str] | None, discard: int) -> FollowedEnsemble:
    named = parameters(steps.ndim, None, {}) if steps.parameters is None else steps.parameters
    variables, own = zip(*coordinate_names(steps.ndim, named), strict=True)
    if names is None:
        return FollowedEnsemble(steps, dict(enumerate(own)), discard)
    if steps.parameters is None:
        if len(names) != steps.ndim or len(set(names)) != len(names):
            raise ValueError(
                f"{steps.label} has {steps.ndim} parameters and no names for them; expected "
                f"one for each, all different, got {list(names)}"
            )
        return FollowedEnsemble(steps, dict(enumerate(names)), discard)
    chosen = _checked(names, variables)
    columns = {i: name for i, name in enumerate(own) if variables[i] in chosen}
    return FollowedEnsemble(steps, columns, discard)


def _checked(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Give names of variables that are there, and at least one of them."""
    unknown = [name for name in names if name not in known]
    if unknown or not names or isinstance(names, str):
        raise ValueError(
            f"names= is a list of variables to follow, of {list(dict.fromkeys(known))}; got "
            f"{names if isinstance(names, str) else list(names)!r}"
        )
    return list(names)
