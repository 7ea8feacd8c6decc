"""What a killed process left in a journal: all that was appended, and nothing foreign."""

import logging
import os
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

import drawstore
from drawstore import HDF5Backend, make_meta
from drawstore.hdf5 import healing
from drawstore.hdf5.store_file import StoreFile, store_file
from hdf_journals import ENV, healed, journal_of, kill_snapshot, left_behind, set_aside
from hdf_runs import META, check, draws_in, fill, stored
from scripting import run

CHAIN = "drawstore/ours/chains/0"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "runs.h5")


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
