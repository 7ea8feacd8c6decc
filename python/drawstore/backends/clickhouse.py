"""Runs in a database of ClickHouse."""

from __future__ import annotations

import functools
import itertools
import logging
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from drawstore import _core
from drawstore.backends.core import core_meta
from drawstore.clickhouse.chain import ClickHouseChain
from drawstore.clickhouse.connecting import connect
from drawstore.clickhouse.draws import DrawsTable, row_bytes
from drawstore.clickhouse.errors import MEMORY_LIMIT, ClickHouseError, UnreachableError
from drawstore.clickhouse.runs import Record, Runs
from drawstore.clickhouse.spool import Spool, journals_directory, label_of, last_sum
from drawstore.clickhouse.summary import ServerSummary
from drawstore.clickhouse.tables import Tables
from drawstore.clickhouse.writer import PendingDraws, ServerWriter
from drawstore.delivery import writer
from drawstore.delivery.backend import DeliveredBackend
from drawstore.delivery.delivery import EXIT_WAIT
from drawstore.delivery.journals import JournalOptions
from drawstore.delivery.pending import Pending, Waiting
from drawstore.delivery.writer import Writer, find_pending, find_writer
from drawstore.ensemble import is_ensemble
from drawstore.groups import from_npz, to_npz_bytes
from drawstore.interface import Chain, Group, Run, RunInfo
from drawstore.meta import RunMeta
from drawstore.summary import Summary, checked_levels, summarize, summarized_dtype

__all__ = ["ClickHouseBackend"]

logger = logging.getLogger("drawstore")


class ClickHouseBackend(DeliveredBackend):
    """Keeps runs in a database of ClickHouse: on a server, on a cluster, or in this process.

    Draws gather in journals on this machine, and are sent to the server in blocks by a background
    thread, each block whole or not at all, and never twice. Once an append returns, the draw
    survives the death of the process, and after `sync_interval` seconds a loss of power. A server
    that is down, or slow, or refuses, does not stop the sampler: draws wait, and are sent when it
    takes them. What a process that died has left is sent by the next one that opens the place with
    mode "a" on this machine, and by ``drawstore recover``.

    The process that appends sees every draw at once, all others those that the server has: a draw
    after `flush_interval` seconds, and all after `Chain.flush` and `Chain.close`. Chains of one run
    may be written by any number of processes on any machines, each chain by one at a time.

    Parameters
    ----------
    url : str, optional
        ``clickhouse://user:password@host:8123/database``, where the server speaks HTTP; with
        ``?secure=true`` HTTPS, and with ``&ca=<file>`` certificates of your own. Nodes of a cluster
        are separated by commas. Or a client of ``clickhouse_connect``. Or ``chdb://directory``: the
        engine in this process, chDB, which one process can use at a time; without a URL that in
        the directory "drawstore.chdb".
    cluster : str, optional
        Distribute the runs of this database over the nodes of a cluster, which the servers'
        configuration names. A run's chains are spread; all draws of a chain are on one node. Where
        a node is missing, reading is an error, and what is for it waits.
    flush_interval : float
        Seconds after which a draw is sent at the latest.
    mode : {"a", "r"}
        "r" changes nothing.
    journal : bool or path-like
        The directory of the journals. By default ``$XDG_STATE_HOME/drawstore/journals``, which is
        in ``~/.local/state``. False keeps draws in memory until the server has them.
    sync_interval : float
        Seconds after which a draw survives a loss of power of this machine; 0: when it is flushed
        with ``sync``.
    max_buffer : int
        Bytes of draws that may wait. Then an append waits, too.
    store : {"auto", "mapped", "written"}
        How draws get into the journals, as for `drawstore.HDF5Backend`.
    timeout : float
        Seconds without any progress after which an answer is not waited for any more.

    Raises
    ------
    ValueError
        For a URL that is none.
    ImportError
        Where there is no chDB.

    Examples
    --------
    The same for a server; this needs none, but chDB:

    >>> import drawstore
    >>> backend = drawstore.ClickHouseBackend("chdb://runs.chdb")
    >>> run = backend.init_run(drawstore.make_meta({"x": ("float64", ())}, rid="mine"))
    >>> with run.init_chain(0) as chain:
    ...     chain.extend({"x": [1, 2, 3]})
    >>> run.summary(quantiles=[]).variables["x"].mean.item()
    2.0
    >>> backend.close()
    """

    def __init__(
        self,
        url: Any = None,
        *,
        cluster: str | None = None,
        flush_interval: float = 1.0,
        mode: str = "a",
        journal: bool | str | os.PathLike[str] = True,
        sync_interval: float = 1.0,
        max_buffer: int = 2**30,
        store: Literal["auto", "mapped", "written"] = "auto",
        timeout: float = 60.0,
    ) -> None:
        directory = journals_directory(journal)
        options = JournalOptions(directory, sync_interval, max_buffer, store)
        server = connect(url, timeout)
        super().__init__(server.place, flush_interval, mode)
        self._how = (url, cluster, timeout)
        self.runs = Runs(Tables(server, cluster))
        self.spool = Spool(self.runs, options)
        if mode == "a":
            self._heal_all()

    def _heal_all(self) -> None:
        for path in self.spool.all():
            try:
                self.spool.heal(path)
            except BlockingIOError:
                pass  # a process is writing it
            except ClickHouseError as error:
                logger.warning("draws wait in the journal %r: %s", path, error)
                if isinstance(error, UnreachableError):
                    return

    def exists(self) -> bool:
        """Whether there are, or were, runs in the database."""
        return self.runs.tables.exist()

    def init_run(self, meta: RunMeta) -> Run:
        self.check_writable()
        own = RunMeta()
        own.CopyFrom(meta)
        own.rid = meta.rid or _core.fresh_rid()
        return ClickHouseRun(self, self.runs.add(own), own)

    def get_runs(self) -> list[RunInfo]:
        return [self._info(record) for record in self.runs.all()]

    def _list_first(self, most: int) -> tuple[list[RunInfo], int]:
        records = self.runs.all()
        return [self._info(record) for record in records[:most]], len(records)

    def _info(self, record: Record) -> RunInfo:
        waiting = self.waiting(record.rid)
        size = self.runs.tables.size_of(record.table) + sum(p.size for p in waiting)
        return RunInfo(record.rid, record.created_at, self.lengths(record), size)

    def lengths(self, record: Record) -> dict[int, int]:
        """Give the draws of each chain of a run; those that wait count, too.

        Parameters
        ----------
        record : Record

        Returns
        -------
        dict of int to int
            By the number of the chain.
        """
        waiting = {pending.number: len(pending) for pending in self.waiting(record.rid)}
        return self.runs.chains(record) | waiting

    def get_run(self, rid: str) -> Run:
        record = self.runs.find(rid)
        return ClickHouseRun(self, record, self.runs.meta_of(record))

    def delete_run(self, rid: str) -> None:
        self.check_writable()
        record = self.runs.find(rid)
        self.check_not_written(rid)
        self.runs.remove(record)

    def replace_run(self, rid: str, by: str) -> None:
        """Give a run the id of another, which is deleted: on one server all of that at once.

        Parameters
        ----------
        rid : str
            Of which there may be a run, or none.
        by : str
            Of the run that is to have this id.

        Raises
        ------
        KeyError
            Where there is no such run.
        RuntimeError
            Where this process is writing one of them.
        """
        self.check_writable()
        for each in (rid, by):
            self.check_not_written(each)
        self.runs.replace(rid, self.runs.find(by))

    def close(self, timeout: float = EXIT_WAIT) -> None:
        super().close(timeout)
        self.runs.tables.server.close()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["runs"], state["spool"]
        return {**state, "options": self.spool.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        options = state.pop("options")
        super().__setstate__(state)
        url, cluster, timeout = self._how
        self.runs = Runs(Tables(connect(url, timeout), cluster))
        self.spool = Spool(self.runs, options)


class ClickHouseRun(Run):
    """A run in a database; `ClickHouseBackend` makes it."""

    def __init__(self, backend: ClickHouseBackend, record: Record, meta: RunMeta) -> None:
        self._backend = backend
        self._record = record
        self._meta = meta
        self.draws = DrawsTable(backend.runs.tables, record.table, meta)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._backend, self._record, self._meta)

    @property
    def place(self) -> str:
        """Where the run is."""
        return self._backend.place

    @property
    def meta(self) -> RunMeta:
        meta = RunMeta()
        meta.CopyFrom(self._meta)
        return meta

    @property
    def rid(self) -> str:
        return self._record.rid

    @property
    def created_at(self) -> datetime:
        return self._record.created_at

    @property
    def table(self) -> str:
        """Name of the table of its draws, for queries of your own: see cpp/CLICKHOUSE.md."""
        return self._record.table

    @property
    def size(self) -> int:
        stored = self._backend.runs.tables.size_of(self._record.table)
        return stored + sum(pending.size for pending in self._backend.waiting(self.rid))

    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        if chain_number < 0:
            raise ValueError(f"chain_number={chain_number}: chains are numbered from 0 on")
        self._backend.check_writable()
        number = int(chain_number)
        spool = self._backend.spool

        def make_handle(writer: Writer, pending: Pending) -> Chain:
            self._backend.note(pending)
            return ClickHouseChain(self, number, writer, pending)

        return writer.begin(
            self.place,
            self.rid,
            number,
            resume,
            EXIT_WAIT,
            functools.partial(self._begin, number, resume),
            lambda: ServerWriter(self.place, spool.options),
            make_handle,
        )

    def _begin(self, number: int, resume: bool) -> Pending:
        runs, spool = self._backend.runs, self._backend.spool
        if path := spool.path_of(self.rid, number):
            try:
                spool.heal(path)
            except BlockingIOError as error:
                raise RuntimeError(
                    f"chain {number} of run {self.rid!r}: {error.strerror}"
                ) from error
        n = self.draws.count(number)
        if not resume and (n or runs.writers(self._record, number)):
            raise writer.exists(self.rid, number, n)
        journal = spool.make(self.rid, number)
        try:
            before = runs.begin_chain(self._record, number)
            if before and not resume:  # two at once: both see it
                raise writer.exists(self.rid, number, n)
            rows = journal.begin_chain(
                self._record.journal_id,
                label_of(self.rid, number),
                core_meta(self._meta),
                number,
                n,
                last_sum(self.draws, number, n),
            )
        except BaseException:
            journal.close(remove=True)
            raise
        waiting = Waiting.of(
            journal, rows, spool.options, self._backend.flush_interval, row_bytes(self._meta)
        )
        return PendingDraws(runs, self._record, self.draws, number, waiting, n)

    def get_chains(self) -> list[Chain]:
        chains: list[Chain] = []
        for number in self._backend.runs.chains(self._record):
            found = find_pending(self.place, self.rid, number)
            live = None if found is None else found[1].handle()
            chains.append(live or ClickHouseChain(self, number))
        return chains

    def _measure_first(self, most: int) -> tuple[dict[int, int], int]:
        lengths = self._backend.lengths(self._record)
        return dict(itertools.islice(lengths.items(), most)), len(lengths)

    def flush(self, sync: bool = False) -> None:
        for pending in self._backend.waiting(self.rid):
            if found := find_writer(self.place):
                found.flush(pending)

    def close(self, timeout: float = EXIT_WAIT) -> None:
        """Close the chains of the run, as `ClickHouseBackend.close` does."""
        self._backend.close_chains(lambda pending: pending.rid == self.rid, timeout)

    def summary(self, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> Summary:
        levels = checked_levels(quantiles)
        if is_ensemble(self) or not ServerSummary.can_tell_warmup(self.draws):
            return super().summary(levels)
        self.flush()
        chains = self._backend.runs.chains(self._record)
        is_twofold = self.draws.rows() != sum(chains.values())
        try:
            counted, found = ServerSummary(self.draws, levels, is_twofold).run()
        except ClickHouseError as error:
            if error.code != MEMORY_LIMIT:
                raise
            return super().summary(levels)
        summarized = [v.name for v in self._meta.variables if summarized_dtype(v) is not None]
        if not found or len(found) < len(summarized):
            rest = summarize(self, levels, found)
            counted, found = rest.chains, rest.variables | found
        ordered = {name: found[name] for name in summarized}
        return Summary(dict.fromkeys(chains, 0) | counted, levels, ordered)

    def _save_group(self, name: str, group: Group) -> None:
        self._backend.check_writable()
        self._backend.runs.save_group(self._record, name, to_npz_bytes(group))

    def _load_groups(self) -> dict[str, Group]:
        groups = self._backend.runs.groups(self._record)
        return {name: from_npz(data) for name, data in groups.items()}
