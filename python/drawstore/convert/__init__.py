"""Draws from anywhere to anywhere: `convert`, and `plan_conversion`, which says what is lost.

A source is whatever `drawstore.open` opens. Draws are read and written in blocks, so that memory is
bounded, however large a run is.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module

from ..clickhouse.address import is_url
from ..interface import Backend, Run
from ..opening import open as open_runs
from ..progress import told
from .blocks import Rows
from .formats import FORMATS, STORES, guess_format
from .placing import placed
from .plan import Plan, PlannedRun
from .stores import add_run, copy_run
from .writing import Writer

__all__ = ["FORMATS", "Plan", "PlannedRun", "convert", "plan_conversion"]

logger = logging.getLogger("drawstore")

Where = str | os.PathLike[str]
_WRITERS = {
    "emcee": ".emcee_file",
    "netcdf": ".netcdf",
    "zarr": ".zarr",
    "parquet": ".frames",
    "arrow": ".frames",
}


def plan_conversion(
    source: Where, target: Where, *, rid: str | None = None, format: str | None = None
) -> Plan:
    """Say what `convert` would do, and what would be left out; nothing is written.

    Parameters
    ----------
    source, target, rid, format
        As for `convert`.

    Returns
    -------
    Plan

    Raises
    ------
    FileNotFoundError, KeyError, ValueError, ImportError
        As `convert` does.
    """
    with _Conversion(source, target, rid, format) as conversion:
        return conversion.plan


def convert(
    source: Where,
    target: Where,
    *,
    rid: str | None = None,
    format: str | None = None,
    force: bool = False,
    progress: bool | Callable[[int, int], None] | None = None,
    planned: Callable[[Plan], object] | None = None,
) -> Plan:
    """Copy runs to another place, in another format.

    What is made appears under its name when it is whole, and not before; what it replaces is there
    until then. A conversion that is killed leaves ``<target>.unfinished-...`` behind, which may be
    deleted. In a store that is there already the runs are added, one after the other: of one that
    was killed half way, the next conversion of that run deletes what was left, which in a directory
    is hidden, and elsewhere a run ``<rid>.unfinished-...``.

    Parameters
    ----------
    source : path-like
        Whatever `drawstore.open` opens.
    target : path-like
        A file, a directory, or the URL of a database.
    rid : str, optional
        The run. By default all of them where the target is a store of drawstore, and the only one
        else.
    format : str, optional
        One of `FORMATS`; by default what the target's name stands for. ``.h5`` stands for
        `drawstore.HDF5Backend`: files for emcee are asked for by "emcee".
    force : bool
        Replace what is at the target: a file, a Zarr directory, or, in a store of drawstore, the
        runs of the same ids.
    progress : bool or callable, optional
        True shows a bar, by ``tqdm.auto``. A callable is called after each block with the rows that
        are done and those there are, a row being a draw of one chain.
    planned : callable, optional
        Is called with the plan before anything is written; by default what is left out is logged
        as a warning. It may raise, which ends the conversion.

    Returns
    -------
    Plan
        What was done, and left out.

    Raises
    ------
    FileNotFoundError
        Where there is no source.
    FileExistsError
        Where something is at the target already.
    KeyError
        Where there is no run of that id.
    ValueError
        Where source or target cannot be told, and for runs that the format cannot hold at all.
    ImportError
        Where a package is missing; the message says which.
    OSError
        Where there is no room; the target is as it was.

    Notes
    -----
    The time at which a run was made is that of the copy in stores of drawstore.

    Examples
    --------
    >>> import drawstore
    >>> from drawstore.convert import convert
    >>> run = drawstore.FileBackend("runs").init_run(
    ...     drawstore.make_meta({"x": ("float64", ())}, rid="mine")
    ... )
    >>> run.init_chain(0).extend({"x": [1, 2, 3]})
    >>> convert("runs", "run.nc").runs
    (PlannedRun(rid='mine', chains=1, draws=3, losses=()),)
    >>> drawstore.open("run.nc").get_run("mine").summary().chains
    {0: 3}
    """
    with _Conversion(source, target, rid, format) as conversion:
        conversion.check_target(force)
        (planned or _log)(conversion.plan)
        with told(progress, "rows") as tell:
            conversion.run(tell)
        return conversion.plan


def _log(plan: Plan) -> None:
    for run in plan.runs:
        for loss in run.losses:
            logger.warning("run %r, to %r: %s", run.rid, plan.target, loss)


class _Conversion:
    """Source and target of one conversion, while the source is open."""

    def __init__(self, source: Where, target: Where, rid: str | None, format: str | None) -> None:
        self.source, self.target = os.fspath(source), os.fspath(target)
        self.format = guess_format(self.target) if format is None else format
        if self.format not in FORMATS:
            raise ValueError(f"format {self.format!r} is none of {', '.join(FORMATS)}")
        if is_url(self.target) != (self.format == "database"):
            raise ValueError(f"{self.target!r} is no place for {FORMATS[self.format]}")
        if _same(self.source, self.target):
            raise ValueError(f"{self.target!r} is the source itself")
        self._open = ExitStack()
        try:
            self._prepare(rid)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> _Conversion:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def _prepare(self, rid: str | None) -> None:
        with _warned() as losses:
            backend = self._open.enter_context(open_runs(self.source))
            self.runs = _choose(backend, self.source, rid, several=self.format in STORES)
        self.writers: list[Writer] = []
        planned = []
        for run in self.runs:
            with _warned() as of_run:
                with run.held_open():
                    chains = [len(chain) for chain in run.get_chains()]
                if self.format in _WRITERS:
                    writer = self._writer(run)
                    self.writers.append(writer)
                    of_run.extend(writer.losses)
            planned.append(
                PlannedRun(run.rid, len(chains), sum(chains), tuple(dict.fromkeys(losses + of_run)))
            )
        exists = False if self.format == "database" else os.path.lexists(self.target)
        self.plan = Plan(self.source, self.target, self.format, exists, tuple(planned))

    def _writer(self, run: Run) -> Writer:
        module = import_module(_WRITERS[self.format], __name__)
        make: Callable[[Run], Writer] = module.WRITERS[self.format]
        return make(run)

    def check_target(self, force: bool) -> None:
        """Raise where something is at the target that is not to be replaced."""
        if self.format in STORES:
            with self._store() as store:
                self._check_runs(store, force)
        elif self.plan.exists:
            if not force:
                raise FileExistsError(
                    f"{self.target!r} is there already; say that it is to be replaced (--force, "
                    "force=True), or name another target"
                )
            self.writers[0].check_replaced(self.target)

    @contextmanager
    def _store(self) -> Iterator[Backend | None]:
        """Open the store that is at the target, where there is one."""
        if self.format == "database":
            from ..backends.clickhouse import ClickHouseBackend

            with ClickHouseBackend(self.target) as database:
                yield database
        elif not self.plan.exists or _is_empty_directory(self.target):
            yield None
        else:
            with open_runs(self.target, "a") as store:
                yield store

    def _check_runs(self, store: Backend | None, force: bool) -> None:
        held = set() if store is None else {info.rid for info in store.get_runs()}
        for run in self.runs:
            if store is None or run.rid not in held:
                continue
            if not force:
                raise FileExistsError(
                    f"there is a run {run.rid!r} in {self.target!r} already; say that it is to be "
                    "replaced (--force, force=True), or name another target"
                )
            if store.get_run(run.rid)._own_steps() is not None:
                raise FileExistsError(
                    f"the run {run.rid!r} in {self.target!r} is one of emcee, and is not replaced "
                    "by one of drawstore; name another target"
                )

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        """Write everything."""
        if self.format not in STORES:
            (writer,) = self.writers
            with placed(self.target) as path:
                writer.write(path, Rows(writer.n_rows, progress))
            return
        rows = Rows(sum(run.draws for run in self.plan.runs), progress)
        with self._store() as store:
            if store is not None:
                for run in self.runs:
                    add_run(run, store, rows)
                return
        with placed(self.target) as path, _new_store(self.format, path) as store:
            for run in self.runs:
                copy_run(run, store, rows)


def _choose(backend: Backend, source: str, rid: str | None, several: bool) -> list[Run]:
    infos = backend.get_runs()
    if rid is not None:
        return [backend.get_run(rid)]
    if not infos:
        raise ValueError(f"there are no runs in {source!r}")
    if len(infos) > 1 and not several:
        names = ", ".join(repr(info.rid) for info in infos[:10])
        more = ", ..." if len(infos) > 10 else ""
        raise ValueError(
            f"there are {len(infos)} runs in {source!r}, and the target holds one; name it (--run, "
            f"rid=): {names}{more}"
        )
    return [backend.get_run(info.rid) for info in infos]


def _new_store(format: str, path: str) -> Backend:
    if format == "files":
        from ..backends.core import FileBackend

        return FileBackend(path)
    from ..backends.hdf5 import HDF5Backend

    # It is durable as a whole, or nothing of it counts: a journal would only be written twice.
    return HDF5Backend(path, journal=False, max_buffer=2**26)


def _is_empty_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _same(source: str, target: str) -> bool:
    if is_url(source) or is_url(target):
        return source == target
    return os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target)


@contextmanager
def _warned() -> Iterator[list[str]]:
    """Collect what is warned of, which is what is left out."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said.extend(
        str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)
    )
