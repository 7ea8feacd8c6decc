"""The journal beside an HDF5 file: where it is, how much may wait, and how its process ends."""

import os
import shutil
import threading

import h5py
import numpy as np
import pytest

from drawstore import HDF5Backend, make_meta
from hdf_files import wait_until
from hdf_journals import ENV, healed, journal_of, set_aside
from hdf_runs import META, check, fill, stored
from scripting import run, start


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "runs.h5")


# Where it is.


def test_it_is_there_while_rows_may_come(path):
    run_ = HDF5Backend(path, flush_interval=1000).init_run(META)
    assert not os.path.exists(journal_of(path))
    chains = [run_.init_chain(0), run_.init_chain(1)]
    fill(chains[0], 0, 10)
    assert os.path.exists(journal_of(path))
    chains[0].close()
    assert os.path.exists(journal_of(path))
    chains[1].close()
    assert os.listdir(os.path.dirname(path)) == ["runs.h5"]


def test_it_is_where_it_is_said_to_be(tmp_path, path):
    journal = tmp_path / "elsewhere" / "j"
    journal.parent.mkdir()
    chain = HDF5Backend(path, journal=journal, flush_interval=1000).init_run(META).init_chain(0)
    fill(chain, 0, 10)
    chain.flush()
    fill(chain, 10, 10)
    assert journal.exists()
    assert not os.path.exists(journal_of(path))
    copy = shutil.copy(path, tmp_path / "copy.h5")
    shutil.copy(journal, tmp_path / "k")
    assert len(stored(copy)) == 10
    reader = HDF5Backend(copy, journal=tmp_path / "k", mode="r")
    check(reader.get_run("ours").get_chains()[0], 20)
    HDF5Backend(copy, journal=tmp_path / "k").delete_run("ours")
    assert not (tmp_path / "k").exists()
    chain.close()
    assert not journal.exists()


def test_a_journal_is_not_taken_from_who_writes_it(tmp_path, path):
    journal = tmp_path / "j"
    chain = HDF5Backend(path, journal=journal).init_run(META).init_chain(0)
    fill(chain, 0, 10)
    with pytest.raises(RuntimeError, match=f"is being written by process {os.getpid()} on "):
        HDF5Backend(tmp_path / "other.h5", journal=journal).init_run(META)
    chain.close()
    assert set_aside(path) == []


def test_without_one_there_is_none(path):
    with HDF5Backend(path, journal=False).init_run(META).init_chain(0) as chain:
        fill(chain, 0, 1000)
        assert not os.path.exists(journal_of(path))
        check(chain, 1000)
    check(stored(path), 1000)


def test_bad_options_are_told(path):
    for option in ({"sync_interval": float("nan")}, {"max_buffer": 0}, {"store": "mmap"}):
        with pytest.raises(ValueError, match=next(iter(option))):
            HDF5Backend(path, **option)


# How much may wait.


def test_an_append_waits_when_too_much_waits(path, caplog):
    backend = HDF5Backend(path, flush_interval=0.01, max_buffer=200_000)
    chain = backend.init_run(make_meta({"x": ("f8", (100,))}, rid="ours")).init_chain(0)
    n = 2000
    ended = threading.Event()

    def write():
        for i in range(n):
            chain.append({"x": np.full(100, i)})
        ended.set()

    with h5py.File(path):
        thread = threading.Thread(target=write)
        thread.start()
        wait_until(lambda: any("max_buffer" in r.getMessage() for r in caplog.records))
        held = len(chain)
        assert held < 600
        assert "another program has open" in caplog.text
        assert not ended.wait(0.1)
        assert len(chain) == held
        assert (chain.get_draws("x")[:, 0] == np.arange(held)).all()
    thread.join()
    chain.close()
    assert sum("max_buffer" in r.getMessage() for r in caplog.records) == 1
    assert (stored(path).get_draws("x")[:, 99] == np.arange(n)).all()


def test_an_append_without_room_in_the_journal_is_refused(path):
    code = """
    import errno, logging, os, resource, signal, sys
    from drawstore import HDF5Backend
    from hdf_runs import META, check, draws_in, fill

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = sys.argv[1]
    chain = HDF5Backend(path, flush_interval=1000).init_run(META).init_chain(0)
    fill(chain, 0, 100)
    limit(os.path.getsize(path + "-journal") + 200_000)
    try:
        fill(chain, 100, 100_000)
    except OSError as error:
        assert error.errno in (errno.ENOSPC, errno.EFBIG), error
    else:
        sys.exit("there was room")
    n = len(chain)
    assert n > 100
    check(chain, n)
    limit(resource.RLIM_INFINITY)
    fill(chain, n, 10)
    print(n)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    out, _ = run(code, path, env=ENV, code_expected=-9)
    check(stored(path), int(out) + 10)
    check(healed(path), int(out) + 10)


# Forks.


def test_a_forked_child_leaves_the_journal_to_its_parent(path):
    code = """
    import os, sys, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from drawstore import HDF5Backend
    from hdf_runs import META, check, fill
    backend = HDF5Backend(sys.argv[1], flush_interval=1000)
    chain = backend.init_run(META).init_chain(0)
    fill(chain, 0, 100)
    pid = os.fork()
    if pid == 0:
        try:
            fill(chain, 100, 1)
        except RuntimeError as error:
            assert "forked from" in str(error), error
        else:
            os._exit(1)
        check(chain, 100)
        chain.close()
        backend.close()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.path.exists(sys.argv[1] + "-journal")
    fill(chain, 100, 100)
    os.kill(os.getpid(), 9)
    """
    run(code, path, env=ENV, code_expected=-9)
    check(stored(path), 200)
    check(healed(path), 200)


# The end of the process.


def test_the_process_ends_while_rows_are_delivered(path):
    code = """
    import os, sys, warnings
    from drawstore import HDF5Backend
    from hdf_runs import META, fill
    warnings.simplefilter("ignore", DeprecationWarning)
    children = []
    for i in range(30):
        pid = os.fork()
        if pid == 0:
            backend = HDF5Backend(f"{sys.argv[1]}{i}", flush_interval=0)
            chain = backend.init_run(META).init_chain(0)
            while len(chain) < 50 * i:
                fill(chain, len(chain), 10)
            sys.exit()
        children.append(os.waitpid(pid, 0)[1])
    print(children)
    """
    out, _ = run(code, path, env=ENV)
    assert out.strip() == str([0] * 30)
    for i in range(30):
        check(stored(f"{path}{i}"), 50 * i)


def test_what_the_end_cannot_deliver_is_kept(path):
    with HDF5Backend(path).init_run(META).init_chain(0):
        pass
    code = """
    import sys
    from drawstore import HDF5Backend
    from drawstore.delivery import delivery
    from hdf_runs import fill
    delivery._SAFE_EXIT_WAIT = 0.1
    run = HDF5Backend(sys.argv[1], flush_interval=1000).get_run("ours")
    chain = run.init_chain(0, resume=True)
    fill(chain, 0, 100)
    print(flush=True)
    sys.stdin.readline()
    """
    process = start(code, path, env=ENV)
    process.stdout.readline()
    with h5py.File(path):
        _, err = process.communicate("\n", timeout=60)
        assert "last 100 draws are kept in the journal" in err
    check(stored(path), 100)
    check(healed(path), 100)
