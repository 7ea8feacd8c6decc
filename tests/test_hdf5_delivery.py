"""When the draws of a run are in its HDF5 file."""

import gc
import os
import threading

import numpy as np
import pytest

from drawstore import HDF5Backend
from drawstore.testing.handles import run_threads
from hdf_files import wait_until
from hdf_runs import META, check, draws_in, fill, stored
from scripting import run, start


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.h5"


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
