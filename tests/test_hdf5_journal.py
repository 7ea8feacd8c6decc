"""The journal beside an HDF5 file: nothing that was appended is lost, and nothing foreign comes."""

import logging
import os
import shutil
import threading
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

import drawstore
from drawstore import HDF5Backend, make_meta
from drawstore.hdf5 import healing
from drawstore.hdf5.store_file import StoreFile, store_file
from hdf_files import wait_until
from hdf_journals import journal_of, kill_snapshot, left_behind, set_aside
from hdf_runs import META, check, draws_in, fill, stored
from scripting import finish, run, start

CHAIN = "drawstore/ours/chains/0"
ENV = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "runs.h5")


def healed(path, number=0):
    """Open the file so that it is put right, and give a chain of it as h5py sees it."""
    HDF5Backend(path).init_run(make_meta({"y": ("i8", ())}))
    return stored(path, number)


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


# Killed.


@pytest.mark.parametrize("store", ["auto", "written"])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_every_row_of_a_killed_process_is_there(path, store, compression):
    code = """
    import os, signal, sys
    from drawstore import HDF5Backend
    from hdf_runs import META, fill
    backend = HDF5Backend(sys.argv[1], flush_interval=0.02, compression=sys.argv[3] or None,
                          store=sys.argv[2])
    if not backend.get_runs():
        backend.init_run(META)
    chain = backend.get_run("ours").init_chain(0, resume=True)
    for _ in range(10):
        fill(chain, len(chain), 333)
    print(len(chain), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    for rows in (3330, 6660, 9990):
        out, _ = run(code, path, store, compression or "", env=ENV, code_expected=-9)
        assert int(out) == rows
        check(stored(path), rows)
        assert drawstore.open(path).get_runs()[0].chains == {0: rows}
    check(healed(path), 9990)
    assert draws_in(path) == 9990
    assert os.listdir(os.path.dirname(path)) == ["runs.h5"]


def test_a_reader_sees_the_rows_and_writes_nothing(path):
    left_behind(path)
    files = [Path(path), Path(journal_of(path))]
    before = [file.read_bytes() for file in files]
    reader = HDF5Backend(path, mode="r")
    chain = reader.get_run("ours").get_chains()[0]
    check(chain, 150)
    assert reader.get_runs()[0].chains == {0: 150}
    assert chain.get_draws_at(-1)["x"].tolist() == [149, -149]
    assert chain.get_draws("x", slice(None, None, -7))[:, 0].tolist() == list(range(149, -1, -7))
    assert chain.get_draws("t", slice(98, 103)).tolist() == ["98", "99", "100", "101", "102"]
    assert before == [file.read_bytes() for file in files]
    assert sorted(files[0].parent.iterdir()) == files
    assert draws_in(path) == 100


def test_it_says_what_was_healed(path, caplog):
    left_behind(path)
    with caplog.at_level(logging.INFO, "drawstore"):
        check(healed(path), 150)
    (record,) = caplog.records
    assert "50 rows" in record.getMessage()
    assert CHAIN in record.getMessage()
    caplog.clear()
    with caplog.at_level(logging.INFO, "drawstore"):
        check(healed(path), 150)
    assert not caplog.records


@pytest.mark.parametrize(("stored_rows", "waiting"), [(0, 0), (0, 50), (100, 0), (1, 1)])
def test_any_number_of_rows_is_healed(path, stored_rows, waiting):
    left_behind(path, stored_rows, waiting)
    check(healed(path), stored_rows + waiting)
    with HDF5Backend(path).get_run("ours").init_chain(0, resume=True) as chain:
        fill(chain, len(chain), 10)
    check(stored(path), stored_rows + waiting + 10)
    assert set_aside(path) == []


def test_a_process_that_dies_while_it_heals_is_no_harm(path, monkeypatch):
    left_behind(path, 100, 500)
    monkeypatch.setattr(healing, "_BLOCK_BYTES", 2000)
    update = StoreFile.update
    done = []

    def die_after(self, *args, **kwargs):
        if len(done) >= 2:
            raise KeyboardInterrupt
        done.append(update(self, *args, **kwargs))
        return done[-1]

    lengths = []
    while os.path.exists(journal_of(path)):
        done.clear()
        monkeypatch.setattr(StoreFile, "update", die_after)
        try:
            file = store_file(path)
            file.acquire()
            file.release()
        except KeyboardInterrupt:
            check(stored(path), 600)
        lengths.append(draws_in(path))
    assert len(lengths) > 3
    assert lengths == sorted(lengths)
    assert lengths[-1] == 600
    check(stored(path), 600)


def test_a_process_that_dies_before_it_removes_the_journal_is_no_harm(path):
    left_behind(path)
    shutil.copy(journal_of(path), path + ".kept")
    check(healed(path), 150)
    for _ in range(2):
        shutil.copy(path + ".kept", journal_of(path))
        check(stored(path), 150)
        check(healed(path), 150)
        with HDF5Backend(path).get_run("ours").init_chain(0, resume=True) as chain:
            fill(chain, 150, 10)
        with h5py.File(path, "r+") as file:  # as it was
            file[CHAIN].attrs.modify("draws", np.int64(150))
        break
    assert set_aside(path) == []


def test_segments_that_were_used_again_are_healed(path):
    meta = make_meta({"x": ("f8", (1000,)), "i": ("i8", ())}, rid="ours")
    source = path + ".source"
    chain = HDF5Backend(source, flush_interval=1000).init_run(meta).init_chain(0)
    n = 0
    for round_ in range(12):
        for _ in range(100 + 37 * round_):
            chain.append({"x": np.full(1000, n), "i": n})
            n += 1
        if round_ < 11:
            chain.flush()
    kill_snapshot(source, path)
    chain.close()
    assert os.path.getsize(journal_of(path)) < 12 * 2**20
    for seen in (stored(path), healed(path)):
        assert seen.get_draws("i").tolist() == list(range(n))
        assert (seen.get_draws("x")[:, 7] == np.arange(n)).all()


# A journal belongs to one run.


def begin_anew(path):
    backend = HDF5Backend(path + ".new", flush_interval=1000)
    with backend.init_run(META).init_chain(0) as chain:
        fill(chain, 0, 100)
    os.replace(path + ".new", path)
    return 100


def go_on_elsewhere(path):
    with h5py.File(path, "r+") as file:
        group = file[CHAIN]
        group.attrs.modify("draws", np.int64(90))
    return 90


def another_last_row(path):
    with h5py.File(path, "r+") as file:
        group = file[CHAIN]
        group.attrs.modify("drawstore_sum", np.uint64(group.attrs["drawstore_sum"] ^ 1))
    return 100


def delete_the_chain(path):
    with h5py.File(path, "r+") as file:
        del file[CHAIN]
        chain = file.create_group(CHAIN)
        chain.attrs["draws"] = np.int64(0)
    return 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (begin_anew, "not in the file any more, or was begun anew"),
        (go_on_elsewhere, "another program changed .*90 rows where 100"),
        (another_last_row, "not the one that the journal knows"),
        (delete_the_chain, "begun anew"),
    ],
)
def test_a_journal_that_does_not_fit_is_set_aside(path, change, words):
    left_behind(path)
    rows = change(path)
    journal = Path(journal_of(path)).read_bytes()
    check(stored(path), rows)
    with pytest.warns(RuntimeWarning, match=words) as caught:
        chain = healed(path)
    assert len(caught) == 1
    (aside,) = set_aside(path)
    assert aside in str(caught[0].message)
    assert Path(path).with_name(aside).read_bytes() == journal
    check(chain, rows)
    with HDF5Backend(path).get_run("ours").init_chain(0, resume=True) as chain:
        fill(chain, rows, 10)
    check(stored(path), rows + 10)


def test_rows_that_are_in_neither_are_not_made_up(path, caplog):
    source = f"{path}.source"
    backend = HDF5Backend(source, flush_interval=1000)
    with backend.init_run(META).init_chain(0) as chain:
        fill(chain, 0, 100)
    chain = backend.get_run("ours").init_chain(0, resume=True)
    fill(chain, 100, 50)
    kill_snapshot(source, path)
    chain.close()
    with h5py.File(path, "r+") as file:
        file[CHAIN].attrs.modify("draws", np.int64(90))
        file[CHAIN].attrs.modify("drawstore_rows", np.uint64(90))
    check(stored(path), 90)
    check(healed(path), 90)
    assert "rows 90 to 99 of 'drawstore/ours/chains/0' are in neither" in caplog.text
    assert len(set_aside(path)) == 1


def test_a_journal_of_a_file_that_is_gone_is_set_aside(path):
    left_behind(path)
    os.remove(path)
    with pytest.warns(RuntimeWarning, match="not in the file any more"):
        run_ = HDF5Backend(path).init_run(META)
    with run_.init_chain(0) as chain:
        fill(chain, 0, 5)
    check(stored(path), 5)
    assert len(set_aside(path)) == 1


def test_journals_that_were_set_aside_stay(path):
    for n in range(1, 4):
        left_behind(path)
        another_last_row(path)
        with pytest.warns(RuntimeWarning, match="set-aside"):
            healed(path)
        assert len(set_aside(path)) == n


def test_a_chain_with_another_number_is_found_by_its_id(path):
    left_behind(path)
    with h5py.File(path, "r+") as file:
        file.move(CHAIN, "drawstore/ours/chains/5")
    check(stored(path), 150)
    check(healed(path), 150)
    assert draws_in(path, "drawstore/ours/chains/5") == 150


def test_of_copies_of_a_chain_the_journal_means_the_first(path):
    left_behind(path)
    with h5py.File(path, "r+") as file:
        file.copy(CHAIN, "drawstore/ours/chains/5")
    check(healed(path), 150)
    check(stored(path, 1), 100)


def test_what_fits_is_written_though_other_chains_do_not(path):
    source = path + ".source"
    run_ = HDF5Backend(source, flush_interval=1000).init_run(META)
    chains = [run_.init_chain(i) for i in range(3)]
    for chain in chains:
        fill(chain, 0, 20)
    kill_snapshot(source, path)
    run_.close()
    with h5py.File(path, "r+") as file:
        del file["drawstore/ours/chains/1"]
    with pytest.warns(RuntimeWarning, match="chains/1"):
        HDF5Backend(path).init_run(make_meta({"y": ("i8", ())}))
    check(stored(path), 20)
    check(stored(path, 1), 20)  # that of number 2: it is the second that there is


@pytest.mark.parametrize("content", [b"", bytes(8192), b"no journal at all", b"x" * 100_000])
def test_what_is_no_journal_is_set_aside(path, content):
    # But what a process leaves that dies when it begins one is removed.
    with HDF5Backend(path).init_run(META).init_chain(0) as chain:
        fill(chain, 0, 10)
    with open(journal_of(path), "wb") as file:
        file.write(content)
    check(stored(path), 10)
    if any(content):
        with pytest.warns(RuntimeWarning, match="set-aside"):
            check(healed(path), 10)
        assert len(set_aside(path)) == 1
    else:
        check(healed(path), 10)
    with HDF5Backend(path).get_run("ours").init_chain(0, resume=True) as chain:
        fill(chain, 10, 10)
    check(stored(path), 20)


def test_a_damaged_journal_never_gives_wrong_rows(path):
    left_behind(path)
    rng = np.random.default_rng(5)
    with open(journal_of(path), "rb") as file:
        whole = file.read()
    shutil.copy(path, path + ".kept")
    used = [i for i in range(0, len(whole), 16) if any(whole[i : i + 16])]
    lengths = set()
    for _ in range(60):
        data = bytearray(whole)
        data[int(rng.choice(used)) + int(rng.integers(16))] ^= 1 << int(rng.integers(8))
        for name in os.listdir(os.path.dirname(path)):
            if name not in ("runs.h5.kept",):
                os.remove(os.path.join(os.path.dirname(path), name))
        shutil.copy(path + ".kept", path)
        with open(journal_of(path), "wb") as file:
            file.write(data)
        seen = stored(path)
        check(seen, len(seen))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            chain = healed(path)
        check(chain, len(chain))
        lengths.add(len(chain))
        assert 100 <= len(chain) <= 150
        assert len(chain) == 150 or len(set_aside(path)) == 1
    assert len(lengths) > 3


# Read while another process writes.


@pytest.mark.parametrize("journal", [True, False])
def test_what_another_process_appends_is_seen(path, journal):
    process = start(
        """
        import sys, time
        from drawstore import HDF5Backend
        from hdf_runs import META, fill
        backend = HDF5Backend(sys.argv[1], flush_interval=0.01, journal=sys.argv[2] == "True")
        chain = backend.init_run(META).init_chain(0)
        print("begun", flush=True)
        for _ in range(300):
            fill(chain, len(chain), 10)
            time.sleep(0.001)
        """,
        path,
        journal,
        env=ENV,
    )
    assert process.stdout.readline() == "begun\n"
    chain = drawstore.open(path).get_run("ours").get_chains()[0]
    n = 0
    while n < 3000:
        assert len(chain) >= n
        rows = chain.get_draws("x")
        assert len(rows) >= n
        n = len(rows)
        assert (rows[:, 0] == np.arange(n)).all()
        last = max(0, n - 5)
        texts = chain.get_draws("t", slice(last, n)).tolist()
        assert texts == [f"{i}" for i in range(last, n)]
    finish(process)
    check(chain, 3000)


def test_rows_that_another_process_did_not_write_to_the_file_yet_are_seen(path):
    process = start(
        """
        import sys
        from drawstore import HDF5Backend
        from hdf_runs import META, fill
        chain = HDF5Backend(sys.argv[1], flush_interval=1000).init_run(META).init_chain(0)
        for line in sys.stdin:
            fill(chain, len(chain), 100)
            print(len(chain), flush=True)
        """,
        path,
        env=ENV,
    )

    def more():
        process.stdin.write("\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    assert more() == 100
    run_ = drawstore.open(path).get_run("ours")
    chain = run_.get_chains()[0]
    for n in (200, 300):
        assert more() == n
        check(chain, n)
        assert len(chain) == n
        assert draws_in(path) == 0
    finish(process)
    run_.refresh()
    check(chain, 300)
    assert draws_in(path) == 300


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
