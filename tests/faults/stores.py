"""The stores that faults are tried on, in one form: opened, filled with numbered rows, checked."""

import os

import emcee
import h5py
import numpy as np
import rows

from drawstore import FileBackend, HDF5Backend
from drawstore.emcee import HDFBackend


class ChainWriter:
    """Appends numbered rows to a chain, and says in a ledger how many."""

    def __init__(self, chain, layout):
        self.chain = chain
        self._layout = layout

    def count(self):
        return len(self.chain)

    def append(self, i, batch=1):
        if batch == 1:
            self._layout.append(self.chain, i)
        else:
            self._layout.extend(self.chain, i, batch)

    def sync(self):
        self.chain.flush(sync=True)

    def close(self):
        self.chain.close()


class Chains:
    """A run of one chain, through the interface of all backends."""

    def backend(self, path, mode="a"):
        raise NotImplementedError

    def create(self, path, layout):
        chain = self.backend(path).init_run(layout.meta()).init_chain(0)
        chain.close()

    def begin_anew(self, path, layout):
        self.backend(path).delete_run(rows.RID)
        self.create(path, layout)

    def resume(self, path, layout):
        run = self.backend(path).get_run(rows.RID)
        return ChainWriter(run.init_chain(0, resume=True), layout)

    def has_run(self, path):
        """Whether a run was begun; whatever is there can be read."""
        if not os.path.exists(path):
            return False
        backend = self.backend(path, "r")
        return any(info.chains for info in backend.get_runs())

    def row_bytes(self, layout):
        """Tell about how much a journal takes for a row."""
        return 8 * layout.width

    def read(self, path, layout):
        """Check all rows as a reader finds them; returns their number."""
        return layout.check(self.backend(path, "r").get_run(rows.RID).get_chains()[0])

    def check(self, path, layout):
        """Check all rows as a reader and as the next writer find them; returns their number."""
        n = self.read(path, layout)
        writer = self.resume(path, layout)
        assert layout.check(writer.chain) == n
        writer.append(n)
        writer.close()
        assert self.read(path, layout) == n + 1
        return n


class Files(Chains):
    """Runs in a folder of files."""

    def __init__(self, tail):
        self._tail = tail

    def backend(self, path, mode="a"):
        return FileBackend(path, mode, store=self._tail)


class HDF5(Chains):
    """Runs in an HDF5 file."""

    def __init__(self, **options):
        self._options = options

    def backend(self, path, mode="a"):
        return HDF5Backend(path, mode=mode, **self._options)

    def check(self, path, layout):
        n = super().check(path, layout)
        with h5py.File(path) as file:  # anyone's reader
            found = file[f"drawstore/{rows.RID}/chains/0"]
            assert found.attrs["draws"] == n + 1
        return n


class StepWriter:
    """Saves numbered steps."""

    def __init__(self, backend, shape, mark, blobs):
        self._backend = backend
        self._shape = shape
        self._mark = mark
        self._blobs = blobs

    def count(self):
        return self._backend.iteration

    def append(self, i, batch=1):
        for k in range(i, i + batch):
            self._backend.save_step(self._state(k), np.ones(self._shape[0], bool))

    def _state(self, i):
        return emcee.State(
            np.full(self._shape, float(i + self._mark)) + np.arange(self._shape[1]),
            log_prob=np.full(self._shape[0], -float(i)),
            blobs=np.full(self._shape[0], float(i)) if self._blobs else None,
            random_state=("MT19937", np.full(624, i, np.uint32), i % 624, 0, 0.0),
        )

    def sync(self):
        self._backend.flush()

    def close(self):
        self._backend.close()


class Emcee:
    """A run of emcee's sampler, in emcee's own layout; a layout's width gives the parameters."""

    def __init__(self, blobs=False, begun_by_emcee=False, **options):
        self._blobs = blobs
        self._begun_by_emcee = begun_by_emcee
        self._options = options

    def create(self, path, layout):
        shape = self._shape(layout)
        if self._begun_by_emcee:
            emcee.backends.HDFBackend(path).reset(*shape)
            for long_ago in path, os.path.dirname(path):
                fd = os.open(long_ago, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)
        else:
            with HDFBackend(path, **self._options) as backend:
                backend.reset(*shape)

    def begin_anew(self, path, layout):
        self.create(path, layout)

    def go_on_with_emcee(self, path, layout, n):
        """Append n steps without drawstore."""
        backend = emcee.backends.HDFBackend(path)
        backend.grow(n, None)
        writer = StepWriter(backend, self._shape(layout), layout.mark, self._blobs)
        writer.append(writer.count(), n)

    def row_bytes(self, layout):
        """Tell about how much a journal takes for a step, most of it the random state."""
        nwalkers, ndim = self._shape(layout)
        return 2500 + 8 * nwalkers * (ndim + 2)

    def _shape(self, layout):
        ndim = min(layout.width, 30)
        return 2 * ndim, ndim

    def resume(self, path, layout):
        backend = HDFBackend(path, **self._options)
        shape = self._shape(layout)
        backend.grow(100_000, np.zeros(shape[0]) if self._blobs else None)
        return StepWriter(backend, shape, layout.mark, self._blobs)

    def has_run(self, path):
        """Whether a run was begun; whatever is there can be read."""
        return os.path.exists(path) and HDFBackend(path, read_only=True).initialized

    def read(self, path, layout, backend=None):
        """Check all steps as a reader finds them; returns their number."""
        backend = backend or HDFBackend(path, read_only=True)
        n = backend.iteration
        shape = self._shape(layout)
        assert backend.shape == shape
        np.testing.assert_array_equal(backend.accepted, np.full(shape[0], float(n)))
        if n == 0:
            return 0
        steps = np.arange(float(n))
        expected = np.broadcast_to(
            steps[:, None, None] + layout.mark + np.arange(float(shape[1])), (n, *shape)
        )
        np.testing.assert_array_equal(backend.get_chain(), expected)
        expected = np.broadcast_to(-steps[:, None], (n, shape[0]))
        np.testing.assert_array_equal(backend.get_log_prob(), expected)
        if self._blobs:
            np.testing.assert_array_equal(backend.get_blobs(), -expected)
        state = backend.random_state
        assert (int(state[1][0]), int(state[1][-1]), state[2]) == (n - 1, n - 1, (n - 1) % 624)
        return n

    def check(self, path, layout):
        """Check all steps as a reader, as emcee and as the next writer find them."""
        n = self.read(path, layout)
        writer = self.resume(path, layout)  # heals
        assert writer.count() == n
        writer.append(n)
        writer.close()
        assert self.read(path, layout) == n + 1
        assert self.read(path, layout, emcee.backends.HDFBackend(path, read_only=True)) == n + 1
        return n


FILES = {"files-mapped": Files("mapped"), "files-written": Files("written")}
IN_HDF5 = {
    "hdf5": HDF5(flush_interval=0.003),
    "hdf5-gzip": HDF5(flush_interval=0.003, compression="gzip"),
    "emcee": Emcee(flush_interval=0.003),
    "emcee-gzip": Emcee(flush_interval=0.003, compression="gzip"),
    "emcee-blobs": Emcee(flush_interval=0.003, blobs=True),
    "emcee-begun-by-emcee": Emcee(flush_interval=0.003, begun_by_emcee=True),
}
STORES = FILES | IN_HDF5
# Which write nothing to their file by themselves.
LAZY = {"hdf5-lazy": HDF5(flush_interval=1000.0), "emcee-lazy": Emcee(flush_interval=1000.0)}
ALL = STORES | LAZY
