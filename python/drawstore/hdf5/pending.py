"""A chain on its way into the group that it has in a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drawstore.delivery.pending import Pending, Waiting

from .binding import Binding, sign
from .columns import Block, expected_rows
from .runs import Layout

if TYPE_CHECKING:
    from drawstore.meta import RunMeta

__all__ = ["PendingGroup"]


class PendingGroup(Pending):
    """A chain that is being written to a file.

    Parameters
    ----------
    meta : RunMeta
    number : int
        Of the chain.
    waiting : Waiting
    layout : Layout
        Of the run.
    binding : Binding
        Of the group of the chain, which tells how many rows the file has.
    compression, compression_opts
        Of h5py.
    """

    def __init__(
        self,
        meta: RunMeta,
        number: int,
        waiting: Waiting,
        layout: Layout,
        binding: Binding,
        compression: Any,
        compression_opts: Any,
    ) -> None:
        super().__init__(meta.rid, number, waiting, binding.rows)
        self.layout = layout
        self._binding = binding
        self._compression = compression, compression_opts

    def write(self, group: Any, start: int, stop: int, found: int) -> bool:
        """Write rows into the group of the chain, which has ``found`` rows.

        What binds the journal to them changes with them.

        Returns
        -------
        bool
            False where another program has changed the chain.
        """
        binding = Binding.of(group)
        if found not in (start, self._attempted) or (binding and binding.id != self._binding.id):
            return False
        start, self._attempted = found, max(found, stop)
        if start >= stop:
            return True
        rows = slice(start, stop)
        block = Block(start, stop - start, expected_rows(self.announced, stop), *self._compression)
        draws = {name: self.rows.get_draws(name, rows) for name in self.layout.variables}
        stats = {name: self.rows.get_stats(name, rows) for name in self.layout.stats}
        self.layout.append(group, block, draws, stats)
        replace(self._binding, rows=stop, sum=self.rows.sum_of(stop - 1)).write(group)
        sign(group)
        return True
