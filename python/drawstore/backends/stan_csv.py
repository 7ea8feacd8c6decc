"""Files of Stan as runs: a file is a chain."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from drawstore.interface import Backend, Chain, Group, Run, RunInfo
from drawstore.meta import RunMeta
from drawstore.read_only import ReadOnlyChain
from drawstore.stan.describe import check_columns, described, meta_of
from drawstore.stan.names import find_runs
from drawstore.stan.source import Kind, Source

__all__ = ["StanCSV"]

_KEPT_BYTES = 256 * 2**20  # of what was read last, of all chains of a run
_TIME = "%Y-%m-%d %H:%M:%S UTC"


class StanCSV(Backend):
    """The runs in files of cmdstan, to be read; also while cmdstan writes them.

    Columns whose names end in two underscores are sampler stats, under ArviZ's names: ``lp``,
    ``acceptance_rate``, ``step_size``, ``tree_depth``, ``n_steps``, ``diverging``, ``energy``.
    Containers are arrays in C order, complex numbers complex128, and parts of tuples variables of
    their own, ``pair:1``. All other variables are float64: the files do not say which are integers.
    Draws that were saved during warm-up are marked by the stat ``in_warmup``.

    How cmdstan was run is in the attributes, by names such as ``sample.num_samples`` and
    ``random.seed``; with what it adapted, ``step_size`` and ``inverse_metric``, and how long it
    took, ``warmup_seconds``, ``sampling_seconds`` and ``total_seconds``, one number a chain. Of the
    method "variational" the mean of the approximation is there, too, as ``mean.NAME``. Files of
    the methods "optimize", "diagnose" and "log_prob" hold no draws, and are refused.

    Parameters
    ----------
    where : path-like, or sequence of path-like
        A file; a list of files, which are the chains of one run; or a directory, or a pattern such
        as ``"results/fit_*.csv"``, in which files are one run whose names differ in the number of
        the chain only.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where two files are the same chain of a run.
    """

    def __init__(self, where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> None:
        self._runs = find_runs(where)
        for path in (path for chains in self._runs.values() for path in chains.values()):
            if not os.path.isfile(path):
                raise FileNotFoundError(f"there is no file {path!r}")

    def __repr__(self) -> str:
        return f"<StanCSV: {', '.join(map(repr, self._runs))}>"

    def init_run(self, meta: RunMeta) -> Run:
        """Refuse: cmdstan writes these files."""
        raise _reads_only()

    def get_runs(self) -> list[RunInfo]:
        """List the runs, in the order in which they were begun. A file of no use has no draws."""
        infos = []
        for rid, paths in self._runs.items():
            try:
                run = self.get_run(rid)
                chains = {chain.chain_number: len(chain) for chain in run.get_chains()}
                infos.append(RunInfo(rid, run.created_at, chains, run.size))
            except ValueError:
                chains, files = dict.fromkeys(paths, 0), list(paths.values())
                infos.append(RunInfo(rid, _changed(files), chains, _size(files)))
        return sorted(infos, key=lambda info: info.created_at)

    def get_run(self, rid: str) -> Run:
        """Give a handle on a run: see `drawstore.Backend.get_run`.

        Raises
        ------
        ValueError
            Where a file holds no draws, is no such file, or other variables than the first.
        """
        if rid not in self._runs:
            raise KeyError(f"there is no run {rid!r}; there are {', '.join(map(repr, self._runs))}")
        return StanRun(rid, self._runs[rid])

    def delete_run(self, rid: str) -> None:
        """Refuse."""
        self.get_run(rid)
        raise _reads_only()


class StanRun(Run):
    """A run of Stan; `StanCSV` makes it."""

    def __init__(self, rid: str, paths: Mapping[int, str]) -> None:
        self._rid = rid
        self._paths = dict(paths)
        kept = _KEPT_BYTES // len(paths)
        self._sources = {number: Source(path, kept) for number, path in paths.items()}
        first, *others = self._sources.values()
        for other in others:
            check_columns(first, other)
        self._meta = meta_of(rid, list(self._sources.values()))

    @property
    def meta(self) -> RunMeta:
        meta = RunMeta()
        meta.CopyFrom(self._meta)
        return meta

    @property
    def rid(self) -> str:
        return self._rid

    @property
    def created_at(self) -> datetime:
        starts = [source.notes.settings.get("start_datetime") for source in self._sources.values()]
        try:
            return min(datetime.strptime(str(s), _TIME).replace(tzinfo=UTC) for s in starts)
        except ValueError:  # older versions do not tell
            return _changed(self._paths.values())

    @property
    def size(self) -> int:
        return _size(self._paths.values())

    def refresh(self) -> None:
        for source in self._sources.values():
            source.refresh()
        self._meta = meta_of(self._rid, list(self._sources.values()))

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        raise _reads_only()

    def get_chains(self) -> list[Chain]:
        return [StanChain(self._rid, *item) for item in self._sources.items()]

    def _save_group(self, name: str, group: Group) -> None:
        raise _reads_only()

    def _load_groups(self) -> dict[str, Group]:
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        return StanRun, (self._rid, self._paths)


class StanChain(ReadOnlyChain):
    """A file of Stan; `StanRun` makes it."""

    def __init__(self, rid: str, number: int, source: Source) -> None:
        self._rid = rid
        self._number = number
        self._source = source

    @property
    def rid(self) -> str:
        return self._rid

    @property
    def chain_number(self) -> int:
        return self._number

    def __len__(self) -> int:
        return len(self._source)

    def _refusal(self) -> RuntimeError:
        return _reads_only()

    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("draws", name, slc)

    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        return self._read("stats", name, slc)

    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at("draws", i, names)

    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        return self._read_at("stats", i, names)

    def _read(self, kind: Kind, name: str, slc: slice) -> NDArray[Any]:
        rows = self._source.rows(slc)
        if rows.step > 0:
            return self._source.read(kind, name, rows)
        return self._source.read(kind, name, rows[::-1])[::-1]

    def _read_at(self, kind: Kind, i: int, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        row = self._row(i)
        rows = range(row, row + 1)
        known = described(self._source, kind) if names is None else names
        return {name: self._source.read(kind, name, rows)[0, ...] for name in known}

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_chain, (self._rid, self._number, self._source.path)


def _open_chain(rid: str, number: int, path: str) -> StanChain:
    return StanChain(rid, number, Source(path, _KEPT_BYTES))


def _reads_only() -> RuntimeError:
    return RuntimeError("files of Stan can only be read here; cmdstan writes them")


def _size(paths: Collection[str]) -> int:
    return sum(os.path.getsize(path) for path in paths)


def _changed(paths: Collection[str]) -> datetime:
    return datetime.fromtimestamp(max(map(os.path.getmtime, paths)), UTC)
