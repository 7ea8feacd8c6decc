"""Backends, runs and chains."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..meta import unpack_value
from ..text import size_text
from .markup import MOST, code, frame, guarded, section, table, text

if TYPE_CHECKING:
    from ..interface import Backend, Chain, Run, RunInfo
    from ..meta import RunMeta, Variable

__all__ = ["backend_html", "chain_html", "info_html", "run_html"]


def backend_html(backend: Backend) -> str:
    """Show the runs of a store."""
    return guarded(backend, lambda: _backend(backend))


def run_html(run: Run) -> str:
    """Show what a run is made of, and how long its chains are."""
    return guarded(run, lambda: _run(run))


def chain_html(chain: Chain) -> str:
    """Show which chain it is, and how long."""
    return guarded(chain, lambda: _chain(chain))


def info_html(info: RunInfo) -> str:
    """Show a run as it was listed."""
    return guarded(info, lambda: table(_LISTED, [_listed(info)], 1, "runs"))


_LISTED = ["run", "made", ">chains", ">draws", ">size"]


def _listed(info: RunInfo) -> list[str]:
    size, made = size_text(info.size), _moment(info.created_at)
    return [code(info.rid), made, f"{len(info.chains):,}", _draws_of(info.chains), size]


def _backend(backend: Backend) -> str:
    infos, total = backend._list_first(MOST)
    has_own_text = type(backend).__repr__ is not object.__repr__
    title = code(repr(backend)) if has_own_text else text(type(backend).__name__)
    facts = [_count(total, "run")]
    return frame(title, facts, table(_LISTED, [_listed(info) for info in infos], total, "runs"))


def _run(run: Run) -> str:
    meta = run.meta
    lengths, n_chains = run._measure_first(MOST)
    made_by = meta.attributes.get("inference_library")
    facts = [
        f"{_count(n_chains, 'chain')} of {_draws_of(lengths)} draws"
        if lengths
        else "no chains yet",
        f"made {_moment(run.created_at)}",
        text(unpack_value(made_by)) if made_by is not None else "",
    ]
    return frame(
        f"Run {code(run.rid)}",
        facts,
        _variables("variable", meta.variables, is_open=True),
        _variables("sampler stat", meta.sample_stats),
        _section("chain", ["", ">draws"], _chains(lengths), n_chains),
        _section(
            "coordinate",
            ["", ">labels"],
            [[code(each.name), _shape(each.values.shape)] for each in meta.coordinates[:MOST]],
            len(meta.coordinates),
        ),
        _section(
            "data variable",
            ["", "shape", "dims"],
            [[code(d.name), _shape(d.value.shape), _names(d.dims)] for d in meta.data[:MOST]],
            len(meta.data),
        ),
        _section("attribute", ["", ""], _attributes(meta), len(meta.attributes)),
    )


def _chain(chain: Chain) -> str:
    title = f"Chain {chain.chain_number} of run {code(chain.rid)}"
    return frame(title, [_count(len(chain), "draw")])


# Parts of a run.


def _section(
    what: str, head: Sequence[str], rows: Sequence[Sequence[str]], total: int, is_open: bool = False
) -> str:
    return section(_count(total, what), table(head, rows, total, f"{what}s"), is_open=is_open)


def _variables(what: str, variables: Sequence[Variable], is_open: bool = False) -> str:
    rows = [[code(v.name), text(v.dtype), _shape_of(v), _names(v.dims)] for v in variables[:MOST]]
    return _section(what, ["", "dtype", "shape", "dims"], rows, len(variables), is_open)


def _chains(lengths: Mapping[int, int]) -> list[list[str]]:
    return [[str(number), f"{n:,}"] for number, n in lengths.items()]


def _attributes(meta: RunMeta) -> list[list[str]]:
    return [
        [code(name), text(unpack_value(value))]
        for name, value in itertools.islice(sorted(meta.attributes.items()), MOST)
    ]


# Numbers in words.


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _draws_of(chains: Mapping[int, int]) -> str:
    """Give the draws of each chain, or how many they are at least and at most."""
    least, most = min(chains.values(), default=0), max(chains.values(), default=0)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M UTC")


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(code, names[:MOST]))


def _shape(shape: Sequence[int]) -> str:
    return "scalar" if not shape else " × ".join("?" if n < 0 else f"{n:,}" for n in shape)


def _shape_of(variable: Variable) -> str:
    return "any" if variable.undefined_ndim else _shape(variable.shape)
