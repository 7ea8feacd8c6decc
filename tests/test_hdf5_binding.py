"""What binds a journal to a chain in an HDF5 file changes with its rows, and with nothing else."""

import time

import h5py
import numpy as np
import pytest

import drawstore
from drawstore import HDF5Backend
from drawstore.emcee import HDFBackend
from drawstore.hdf5.binding import Binding
from hdf_files import save
from hdf_runs import META, check, fill, stored

CHAIN = "drawstore/ours/chains/0"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.h5"


def binding_in(path, name=CHAIN):
    with h5py.File(path) as file:
        return Binding.of(file[name])


def test_a_binding_is_read_as_it_was_written(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("g")
        assert Binding.of(group) is None
        binding = Binding(bytes(range(16)), 2**63, 2**32 - 1)
        binding.write(group)
        assert Binding.of(group) == binding


def test_rows_that_another_program_changed_get_a_new_id(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("g")
        first = Binding.begin(group, 5)
        assert (first.rows, first.sum) == (5, 0)
        assert Binding.begin(group, 5) == first
        second = Binding.begin(group, 4)
        assert second.id != first.id
        assert second.rows == 4
        assert Binding.of(group) == second


def test_a_chain_keeps_its_id_as_long_as_only_we_write_it(path):
    backend = HDF5Backend(path, flush_interval=1000)
    run = backend.init_run(META)
    chain = run.init_chain(0)
    first = binding_in(path)
    assert first.rows == 0
    fill(chain, 0, 10)
    chain.flush()
    fill(chain, 10, 10)
    chain.close()
    assert (binding_in(path).id, binding_in(path).rows) == (first.id, 20)
    with run.init_chain(0, resume=True) as chain:
        fill(chain, 20, 10)
    assert (binding_in(path).id, binding_in(path).rows) == (first.id, 30)
    with run.init_chain(1):
        assert binding_in(path, "drawstore/ours/chains/1").id != first.id
    with h5py.File(path, "r+") as file:
        file[CHAIN].attrs.modify("draws", np.int64(25))
    with run.init_chain(0, resume=True) as chain:
        fill(chain, 25, 10)
    check(stored(path), 35)
    assert binding_in(path).id != first.id
    backend.delete_run("ours")
    with backend.init_run(META).init_chain(0):
        assert binding_in(path).id not in (first.id, b"")


def test_a_chain_that_another_one_replaced_is_left_as_it_is(path):
    chain = HDF5Backend(path, flush_interval=1000).init_run(META).init_chain(0)
    fill(chain, 0, 10)
    with h5py.File(path, "r+") as file:
        binding = Binding.of(file[CHAIN])
        Binding.new().write(file[CHAIN])
    with pytest.raises(RuntimeError, match="another program changed the chain"):
        chain.flush()
    assert binding_in(path).rows == 0
    with h5py.File(path, "r+") as file:
        binding.write(file[CHAIN])
    chain.close()
    check(stored(path), 10)


def test_close_waits_as_long_as_is_said(path):
    backend = HDF5Backend(path, flush_interval=1000)
    run = backend.init_run(META)
    chain = run.init_chain(0)
    fill(chain, 0, 10)
    with h5py.File(path):
        for what in (chain, run, backend):
            begun = time.monotonic()
            with pytest.raises(TimeoutError, match="10 draws are not in"):
                what.close(timeout=0.05)
            assert time.monotonic() - begun < 30  # and not a minute
    chain.close()
    check(stored(path), 10)


def test_a_run_can_be_looked_at_again(path):
    sampler = HDFBackend(path)
    save(sampler, 5, (4, 2))
    sampler.close()
    (info,) = drawstore.open(path).get_runs()
    run = drawstore.open(path).get_run(info.rid)
    before = run.get_chains()[0].get_draws("var_0")
    sampler.reset(4, 2)
    save(sampler, 5, (4, 2), seed=8)
    sampler.close()
    run.refresh()
    after = run.get_chains()[0].get_draws("var_0")
    assert len(after) == 5
    assert (after != before).all()
