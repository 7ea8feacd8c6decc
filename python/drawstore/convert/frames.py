"""Runs into Parquet and Arrow IPC files, for data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from ..ensemble import by_walkers, steps_of
from ..groups import SAMPLING
from ..interface import Chain, Run
from .blocks import Rows, block_rows, blocks, row_bytes
from .writing import STATE_OF_ENSEMBLE, Writer

try:
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet
except ImportError as error:
    raise ImportError(
        "drawstore needs pyarrow to write data frames: pip install 'drawstore[convert]'"
    ) from error

from ..frames.columns import items_of, schema_of
from ..frames.shape import described

__all__ = ["WRITERS"]


class _FramesWriter(Writer):
    """Writes a row for each draw of each chain, warm-up included, with columns chain and draw."""

    def __init__(self, run: Run, make: Callable[[str, Any], AbstractContextManager[Any]]) -> None:
        super().__init__(run)
        self._make = make
        self._walkers = by_walkers(run, blobs=True)
        with run.held_open():
            self._chains = self._walkers.get_chains()
            self._lengths = [len(chain) for chain in self._chains]
        self.n_rows = sum(self._lengths)
        self._items, losses = items_of(self._walkers.meta)
        self.losses += losses
        groups = run._load_groups()
        after = groups.pop(SAMPLING).attrs if SAMPLING in groups else {}
        numbers = [chain.chain_number for chain in self._chains]
        metadata, losses = described(
            self._walkers, self._items, dict(zip(numbers, self._lengths, strict=True)), after
        )
        self.losses += losses
        if groups:
            self.losses.append(f"groups: {', '.join(map(repr, groups))}")
        if steps_of(run) is not None:
            self.losses.append(STATE_OF_ENSEMBLE)
        self._schema = schema_of(self._items, metadata)

    def write(self, path: str, rows: Rows) -> None:
        with self._make(path, self._schema) as file:
            for pieces in self._pieces():
                with self.run.held_open():
                    batches = [self._batch(chain, block) for chain, block in pieces]
                file.write_table(pa.Table.from_batches(batches, self._schema))
                rows.add(sum(len(block) for _, block in pieces))

    def _pieces(self) -> Iterator[list[tuple[Chain, range]]]:
        """Cut the run into what is written at once: all walkers of an ensemble, or one chain."""
        variables = [*self._walkers.variables.values(), *self._walkers.sample_stats.values()]
        each = row_bytes(variables, self.run, self.n_rows)
        if steps_of(self.run) is not None:
            n = min(self._lengths, default=0)
            for block in blocks(n, block_rows(each * len(self._chains))):
                yield [(chain, block) for chain in self._chains]
            return
        for chain, n in zip(self._chains, self._lengths, strict=True):
            for block in blocks(n, block_rows(each)):
                yield [(chain, block)]

    def _batch(self, chain: Chain, block: range) -> Any:
        slc = slice(block.start, block.stop)
        arrays = [
            pa.array(np.full(len(block), chain.chain_number, np.int64)),
            pa.array(np.arange(block.start, block.stop, dtype=np.int64)),
        ]
        for item in self._items:
            get = chain.get_stats if item.is_stat else chain.get_draws
            arrays += item.arrays(get(item.name, slc))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _parquet(run: Run) -> Writer:
    return _FramesWriter(run, partial(pa.parquet.ParquetWriter, write_page_checksum=True))


def _arrow(run: Run) -> Writer:
    return _FramesWriter(run, pa.ipc.new_file)


WRITERS = {"parquet": _parquet, "arrow": _arrow}
