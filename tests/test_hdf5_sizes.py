"""How large an HDF5 file of runs gets, and how much of it is read."""

import os

import numpy as np
import pytest

from drawstore import HDF5Backend, make_meta
from hdf_runs import META, check, fill, stored


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.h5"


def test_large_blocks_are_delivered_in_pieces(path):
    chain = HDF5Backend(path).init_run(make_meta({"x": ("f8", (1000,))}, rid="ours")).init_chain(0)
    values = np.random.default_rng(1).normal(size=(5000, 1000))
    chain.extend({"x": values})
    chain.extend({"x": values[:100]})
    chain.flush()
    assert chain._pending.size == 0
    np.testing.assert_array_equal(chain.get_draws("x", slice(5000)), values)
    chain.close()
    np.testing.assert_array_equal(stored(path).get_draws("x", slice(5000, None)), values[:100])
    assert os.path.getsize(path) < 1.05 * 5100 * 8000


def test_a_file_is_not_much_larger_than_its_draws(path):
    with HDF5Backend(path, flush_interval=1000).init_run(META).init_chain(0) as chain:
        chain.announce(20_000)
        for first in range(0, 20_000, 400):
            fill(chain, first, 400)
            chain.flush()
    check(stored(path), 20_000)
    raw = 20_000 * (16 + 4 * 1.5 + 8 + 5 + 8 + 8 + 1)
    assert os.path.getsize(path) < 1.2 * raw


def test_many_variables_of_few_draws_stay_small(path):
    names = [f"v{i}" for i in range(1000)]
    meta = make_meta(dict.fromkeys(names, ("f8", ())), rid="ours")
    with HDF5Backend(path).init_run(meta).init_chain(0) as chain:
        chain.announce(10)
        for i in range(10):
            chain.append(dict.fromkeys(names, i))
    assert os.path.getsize(path) < 4_000_000


def test_a_slice_reads_what_is_asked_for(path):
    meta = make_meta({f"v{i}": ("f8", (50,)) for i in range(20)}, rid="ours")
    with HDF5Backend(path).init_run(meta).init_chain(0) as chain:
        for _ in range(4):
            chain.extend({f"v{i}": np.full((2500, 50), i, float) for i in range(20)})
    size = os.path.getsize(path)
    assert size > 80_000_000
    chain = stored(path)

    def read(*slices):
        before = bytes_read()
        for slc in slices:
            assert (chain.get_draws("v7", slc) == 7).all()
        return bytes_read() - before

    assert read(slice(None)) < size / 15
    assert read(slice(5000, 5010), slice(-1, None)) < size / 40


def bytes_read():
    with open("/proc/self/io") as file:
        return int(file.readline().split()[1])


def test_the_space_of_the_only_run_is_used_again(path):
    backend = HDF5Backend(path)
    sizes = []
    for _ in range(3):
        with backend.init_run(META).init_chain(0) as chain:
            fill(chain, 0, 5000)
        sizes.append(os.path.getsize(path))
        backend.delete_run("ours")
    assert max(sizes) < 1.1 * min(sizes)
