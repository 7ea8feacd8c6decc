"""Runs in HDF5 files, beyond the contract: files as others see them, and what goes wrong."""

import gc
import os
import threading

import h5py
import numpy as np
import pytest

from drawstore import HDF5Backend, make_meta
from drawstore.emcee import HDFBackend
from drawstore.testing.handles import run_threads
from hdf_files import made_up_states, save, wait_until
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


# When draws are in the file.


def test_draws_arrive_by_themselves(path):
    chain = HDF5Backend(path, flush_interval=0.01).init_run(META).init_chain(0)
    for n in (10, 20, 30):
        fill(chain, n - 10, 10)
        wait_until(lambda n=n: draws_in(path) == n)
    chain.close()


def test_chains_of_several_threads_arrive(path):
    run = HDF5Backend(path, flush_interval=0.01).init_run(META)
    chains = [run.init_chain(i) for i in range(4)]
    threads = [threading.Thread(target=fill, args=(chain, 0, 1500)) for chain in chains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.close()
    assert [info.chains for info in HDF5Backend(path).get_runs()] == [dict.fromkeys(range(4), 1500)]
    for i in range(4):
        check(stored(path, i), 1500)


def test_chains_are_closed_and_gone_on_with_while_others_are_written_and_read(path):
    backend = HDF5Backend(path, flush_interval=0.001)
    run = backend.init_run(META)
    ended = []

    def write(number):
        try:
            for first in range(0, 250, 50):
                chain = run.init_chain(number, resume=True)
                assert len(chain) == first
                fill(chain, first, 50)
                chain.close()
        finally:
            ended.append(number)

    def read():
        while len(ended) < 3:
            backend.get_runs()
            for chain in backend.get_run("ours").get_chains():
                check(chain, len(chain))

    run_threads(*(lambda number=number: write(number) for number in range(3)), read)
    for number in range(3):
        check(stored(path, number), 250)
    assert not os.path.exists(f"{path}-redo")


def test_an_old_handle_is_closed_again_when_the_chain_goes_on(path):
    run = HDF5Backend(path, flush_interval=1000).init_run(META)
    old, other = run.init_chain(0), run.init_chain(1)
    fill(old, 0, 10)
    old.close()
    chain = run.init_chain(0, resume=True)
    old.close()
    fill(chain, 10, 10)
    chain.flush()
    assert draws_in(path) == len(old) == len(chain) == 20
    chain.close()
    fill(other, 0, 10)
    other.close()
    check(stored(path), 20)
    check(stored(path, 1), 10)


def test_the_end_of_the_process_delivers(path):
    run(
        """
        import sys
        from drawstore import HDF5Backend, make_meta
        run = HDF5Backend(sys.argv[1], flush_interval=1000).init_run(
            make_meta({"x": ("i8", ())}, rid="ours"))
        chain = run.init_chain(0)
        for i in range(1000):
            chain.append({"x": i})
        run.init_chain(1).append({"x": 1})  # nobody holds it
        """,
        path,
    )
    np.testing.assert_array_equal(stored(path).get_draws("x"), np.arange(1000))
    assert len(stored(path, 1)) == 1


def test_a_chain_that_nobody_holds_is_delivered_and_let_go(path):
    run = HDF5Backend(path, flush_interval=0.01).init_run(META)
    fill(run.init_chain(0), 0, 20)
    gc.collect()
    wait_until(lambda: draws_in(path) == 20)
    chain = run.init_chain(0, resume=True)
    fill(chain, 20, 20)
    chain.close()
    check(stored(path), 40)
    assert not os.path.exists(f"{path}-redo")


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_kill_leaves_whole_rows_up_to_the_last_flush(path, compression):
    code = """
    import sys
    from drawstore import HDF5Backend
    from hdf_runs import META, fill
    backend = HDF5Backend(sys.argv[1], flush_interval=0.002, compression=sys.argv[2] or None)
    if not backend.get_runs():
        backend.init_run(META)
    chain = backend.get_run("ours").init_chain(0, resume=True)
    n = len(chain)
    while True:
        fill(chain, n, 100)
        n += 100
        chain.flush()
        print(n, flush=True)
        fill(chain, n, 31)
        n += 31
    """
    env = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    for _ in range(3):
        process = start(code, path, compression or "", env=env)
        flushed = [int(process.stdout.readline()) for _ in range(3)][-1]
        process.kill()
        process.communicate()
        chain = stored(path)
        assert len(chain) >= flushed
        check(chain, len(chain))
    with HDF5Backend(path, compression=compression).get_run("ours").init_chain(0, resume=True) as c:
        fill(c, len(c), 10)
    check(stored(path), len(c))


def test_a_forked_worker_may_write_another_chain(path):
    out, _ = run(
        """
        import multiprocessing, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from drawstore import HDF5Backend, make_meta

        def work(run):
            with run.init_chain(1) as chain:
                chain.append({"x": 7})

        if __name__ == "__main__":
            run = HDF5Backend(sys.argv[1]).init_run(make_meta({"x": ("i8", ())}, rid="ours"))
            with run.init_chain(0) as chain:
                chain.append({"x": 5})
            process = multiprocessing.get_context("fork").Process(target=work, args=(run,))
            process.start()
            process.join()
            print([chain.get_draws("x").tolist() for chain in run.get_chains()])
        """,
        path,
    )
    assert out.strip() == "[[5], [7]]"


def test_a_full_disk_harms_nothing(path):
    code = """
    import logging, os, resource, signal, sys
    from drawstore import HDF5Backend
    from hdf_runs import META, check, draws_in, fill

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    logging.disable()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = sys.argv[1]
    backend = HDF5Backend(path, flush_interval=1000, journal=False)
    chain = backend.init_run(META).init_chain(0)
    fill(chain, 0, 100)
    chain.flush()
    limit(os.path.getsize(path) + 5000)
    fill(chain, 100, 20_000)
    for _ in range(2):
        try:
            chain.flush()
        except OSError as error:
            assert path in str(error), error
        else:
            sys.exit("there was room")
    check(chain, 20_100)
    assert draws_in(path) == 100
    limit(resource.RLIM_INFINITY)
    chain.close()
    """
    run(code, path, env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)})
    check(stored(path), 20_100)


# Sizes.


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
