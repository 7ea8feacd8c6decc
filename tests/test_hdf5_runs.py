"""Runs in an HDF5 file, beside what others keep in it: who uses it, who only reads, and errors."""

import h5py
import numpy as np
import pytest

from drawstore import HDF5Backend, make_meta
from drawstore.emcee import HDFBackend
from hdf_files import made_up_states, save
from hdf_runs import META, check, draws_in, fill, stored
from scripting import finish, run, start, wait_for


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.h5"


# What else is in the file, and who else uses it.


def test_what_else_is_in_the_file_stays(path):
    with h5py.File(path, "w") as file:
        file.attrs["mine"] = "kept"
        file["data/values"] = np.arange(5.0)
    sampler = HDFBackend(path, name="emcee's")
    save(sampler, 50, (8, 2))
    sampler.close()
    chains = sampler.get_chain()
    with HDF5Backend(path) as backend:
        with backend.init_run(META).init_chain(0) as chain:
            fill(chain, 0, 300)
        backend.init_run(make_meta({"y": ("i8", ())}, rid="other"))
        backend.delete_run("other")
        check(chain, 300)
    with h5py.File(path) as file:
        assert set(file) == {"data", "emcee's", "drawstore"}
        assert file.attrs["mine"] == "kept"
        np.testing.assert_array_equal(file["data/values"], np.arange(5.0))
    np.testing.assert_array_equal(HDFBackend(path, name="emcee's").get_chain(), chains)


def test_emcee_and_a_run_are_written_at_once(path):
    sampler = HDFBackend(path, flush_interval=0.001)
    sampler.reset(8, 2)
    sampler.grow(200, None)
    chain = HDF5Backend(path, flush_interval=0.001).init_run(META).init_chain(0)
    for i, state in enumerate(made_up_states(200, (8, 2))):
        sampler.save_step(state, np.ones(8, bool))
        fill(chain, i, 1)
    sampler.close()
    chain.close()
    assert len(HDFBackend(path).get_chain()) == 200
    check(stored(path), 200)


def test_what_is_called_as_our_group_is_left_alone(path):
    with h5py.File(path, "w") as file:
        file["drawstore"] = 5
    backend = HDF5Backend(path)
    assert backend.get_runs() == []
    with pytest.raises(ValueError, match="not a group of runs"):
        backend.init_run(META)
    with h5py.File(path) as file:
        assert file["drawstore"][()] == 5


def test_a_newer_format_is_not_guessed_at(path):
    HDF5Backend(path).init_run(META)
    with h5py.File(path, "r+") as file:
        file["drawstore"].attrs["format"] = 2
    with pytest.raises(ValueError, match="format 2"):
        HDF5Backend(path).get_runs()


def test_a_second_process_is_told_who_writes(path):
    chain = HDF5Backend(path).init_run(META).init_chain(0)
    fill(chain, 0, 10)
    chain.flush()
    out, _ = run(
        """
        import os, sys
        from drawstore import HDF5Backend
        backend = HDF5Backend(sys.argv[1])
        run = backend.get_run("ours")
        print(len(run.get_chains()[0]))
        for begin in (lambda: run.init_chain(1), lambda: run.init_chain(0, resume=True)):
            try:
                begin()
            except RuntimeError as error:
                assert f"process {os.getppid()}" in str(error), error
                print("refused")
        """,
        path,
    )
    assert out.split() == ["10", "refused", "refused"]
    fill(chain, 10, 5)
    chain.close()
    check(stored(path), 15)


def test_a_reader_that_holds_the_file_does_not_stop_the_sampler(path):
    chain = HDF5Backend(path, flush_interval=0.001).init_run(META).init_chain(0)
    with h5py.File(path):
        fill(chain, 0, 5000)
        assert len(chain) == 5000
    chain.close()
    check(stored(path), 5000)


# Reading only, and errors.


def test_a_reader_changes_nothing(path):
    with pytest.raises(FileNotFoundError, match=r"runs\.h5"):
        HDF5Backend(path, mode="r")
    with HDF5Backend(path).init_run(META).init_chain(0) as chain:
        fill(chain, 0, 10)
    before = path.read_bytes()
    reader = HDF5Backend(path, mode="r")
    read = reader.get_run("ours")
    for refused in (
        lambda: reader.init_run(META),
        lambda: reader.delete_run("ours"),
        lambda: read.init_chain(1),
        lambda: read.init_chain(0, resume=True),
    ):
        with pytest.raises(RuntimeError, match="to be read"):
            refused()
    with pytest.raises(RuntimeError, match="resume=True"):
        fill(read.get_chains()[0], 10, 1)
    check(read.get_chains()[0], 10)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["runs.h5"]


def test_a_file_is_made_with_the_first_run(path):
    backend = HDF5Backend(path)
    assert backend.get_runs() == []
    assert not path.exists()
    path.touch()
    assert backend.get_runs() == []
    backend.init_run(META)
    assert [info.rid for info in backend.get_runs()] == ["ours"]


def test_a_run_that_is_written_is_not_deleted(path):
    backend = HDF5Backend(path)
    chain = backend.init_run(META).init_chain(3)
    with pytest.raises(RuntimeError, match="3"):
        backend.delete_run("ours")
    fill(chain, 0, 1)
    chain.close()
    backend.delete_run("ours")
    with pytest.raises(KeyError, match="ours"):
        len(chain)


def test_a_chain_that_another_program_changed_is_left_as_it_is(path):
    backend = HDF5Backend(path, flush_interval=1000)
    chain = backend.init_run(META).init_chain(0)
    fill(chain, 0, 10)
    chain.flush()
    with h5py.File(path, "r+") as file:
        file["drawstore/ours/chains/0"].attrs.modify("draws", np.int64(4))
    fill(chain, 10, 10)
    with pytest.raises(RuntimeError, match=r"another program changed the chain.*4 draws"):
        chain.flush()
    assert draws_in(path) == 4
    with h5py.File(path, "r+") as file:
        file["drawstore/ours/chains/0"].attrs.modify("draws", np.int64(10))
    chain.close()
    check(stored(path), 20)


def test_one_changed_chain_does_not_hold_up_the_others(path):
    run = HDF5Backend(path, flush_interval=1000).init_run(META)
    chains = [run.init_chain(i) for i in range(3)]
    for chain in chains:
        fill(chain, 0, 10)
    with h5py.File(path, "r+") as file:
        file["drawstore/ours/chains/0"].attrs.modify("draws", np.int64(7))
        del file["drawstore/ours/chains/2"]
    chains[1].flush()
    check(stored(path, 1), 10)
    chains[1].close()
    for chain, words in ((chains[0], "chain 0.*7 draws"), (chains[2], "no chain 2")):
        with pytest.raises(RuntimeError, match=words):
            chain.close()
    with h5py.File(path, "r+") as file:
        file["drawstore/ours/chains/0"].attrs.modify("draws", np.int64(0))
        file.create_group("drawstore/ours/chains/2").attrs["draws"] = np.int64(0)
    run.close()
    check(stored(path, 0), 10)
    check(stored(path, 2), 10)


def test_a_damaged_file_is_noticed(path):
    with HDF5Backend(path).init_run(META).init_chain(0) as chain:
        fill(chain, 0, 3000)
    data = bytearray(path.read_bytes())
    place = data.index(np.array([1500.0, -1500.0]).tobytes())
    data[place + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match=r"runs\.h5.*chain 0.*damaged"):
        stored(path).get_draws("x")


@pytest.mark.parametrize("content", [b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_what_is_no_file_of_runs_is_told(path, content):
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"runs\.h5"):
        HDF5Backend(path).get_runs()
    assert path.read_bytes() == content


def test_bad_arguments_are_told(path):
    with pytest.raises(ValueError, match="flush_interval"):
        HDF5Backend(path, flush_interval=float("nan"))
    with pytest.raises(ValueError, match="mode"):
        HDF5Backend(path, mode="w")


def test_what_waits_in_memory_while_another_process_reads(path):
    chain = HDF5Backend(path, flush_interval=1000, journal=False).init_run(META).init_chain(0)
    fill(chain, 0, 100)
    chain.flush()
    fill(chain, 100, 100)
    process = start(
        """
        import sys
        from drawstore import HDF5Backend
        chain, = HDF5Backend(sys.argv[1], mode="r").get_run("ours").get_chains()
        print(len(chain), flush=True)
        sys.stdin.readline()
        print(len(chain), chain.get_draws("t")[-1], flush=True)
        """,
        path,
    )
    wait_for(process, "100")
    check(chain, 200)
    chain.flush()
    process.stdin.write("\n")
    process.stdin.flush()
    assert finish(process)[0].split() == ["200", "199"]
    chain.close()
