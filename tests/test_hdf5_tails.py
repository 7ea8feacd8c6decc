"""What follows the rows of a file is found in a journal that its writer uses meanwhile."""

import h5py
import numpy as np
import pytest

import drawstore
import journals
from drawstore._core import Journal, JournalScan
from drawstore.delivery.look import Look
from drawstore.hdf5.binding import Binding
from drawstore.hdf5.journal import Tails, journal_path
from drawstore.meta import make_meta
from hdf_journals import journal_of, left_behind
from hdf_runs import check
from journals import ID, append_rows, check_rows

META = make_meta({"n": (np.int64, ()), "x": (float, (3,))}, {"stat": (np.float32, ())}, rid="run")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "runs.h5")


@pytest.fixture
def chain(path):
    journal = Journal(journal_path(path), segment_bytes=8192)
    yield journal.begin_chain(ID, "chain", journals.META, 0, 0, 0)
    journal.close(remove=True)


@pytest.fixture
def group(path):
    with h5py.File(path, "w") as file:
        yield file.create_group("g")


def has(group, chain, rows):
    """Have a group say that it has the first rows of a chain."""
    Binding(ID, rows, chain.sum_of(rows - 1)).write(group)


def test_each_look_sees_what_came_since_the_one_before(path, group, chain):
    append_rows(chain, 0, 100)
    has(group, chain, 60)
    for stop in range(100, 1000, 100):
        tail = Tails(path).of(group, 60)
        assert (tail.start, tail.stop) == (60, stop)
        check_rows(tail.load(META, 0, 60, stop), 60, stop, first=60)
        append_rows(chain, stop, stop + 100)


def test_rows_are_found_where_those_of_the_file_were_written_over_since_the_look(path, group):
    for rows in range(150, 280):  # one of them is the last of its segment, which is used again
        journal = Journal(journal_path(path), segment_bytes=8192)
        chain = journal.begin_chain(ID, "chain", journals.META, 0, 0, 0)
        append_rows(chain, 0, 300)
        has(group, chain, rows)
        tails = Tails(path)
        chain.release(rows)
        append_rows(chain, 300, 700)
        tail = tails.of(group, rows)
        assert tail.start == rows
        check_rows(tail.load(META, 0, rows, tail.stop), rows, tail.stop, first=rows)
        journal.close(remove=True)


def test_rows_that_do_not_follow_those_of_a_group_are_not_found(path, group, chain):
    append_rows(chain, 0, 100)
    Binding(ID, 60, chain.sum_of(60)).write(group)
    assert Tails(path).of(group, 60) is None
    has(group, chain, 60)
    assert Tails(path).of(group, 61) is None
    assert Tails(path).of(group, 60) is not None


def test_a_journal_that_is_another_one_by_now_is_read_anew(path, group):
    for rows, meta in ((90, journals.META), (30, journals.RAGGED_META), (60, journals.META)):
        journal = Journal(journal_path(path))
        chain = journal.begin_chain(ID, "chain", meta, 0, 0, 0)
        append_rows(chain, 0, rows, meta)
        has(group, chain, 10)
        assert Tails(path).of(group, 10).stop == rows
        journal.close(remove=True)
        assert Tails(path).of(group, 10) is None


def test_little_is_kept_of_the_journals_that_were_looked_at(tmp_path):
    for i in range(100):
        Journal(str(tmp_path / f"{i}")).close(remove=False)
        Look(str(tmp_path / f"{i}"))
    assert len(Look._known) <= 64
    with pytest.raises(FileNotFoundError):
        Look(str(tmp_path / "none"))


def test_a_byte_that_changes_behind_a_look_is_never_read_as_a_draw(path):
    left_behind(path, stored=100, waiting=50)
    chain = drawstore.open(path).get_run("ours").get_chains()[0]
    check(chain, 150)
    with open(journal_of(path), "r+b") as file:
        whole = file.read()
        at = whole.index(np.array([140.0, -140.0]).tobytes())
        file.seek(at)
        file.write(bytes([whole[at] ^ 1]))
    assert "row 140 " in JournalScan(journal_of(path)).chains[0].damaged
    assert len(chain) == 150  # rows that were looked at before are not read again
    assert len(chain.get_draws("x")) == 140  # but here they are, and are checked
    check(chain, 140)
    assert len(chain) == 140
