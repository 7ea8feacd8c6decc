"""Journals: rows on their way to a slower store."""

import os

import numpy as np
import pytest

from drawstore._core import Journal, JournalScan
from hdf_files import wait_until
from journals import ID, META, RAGGED_META, append_rows, check_rows, draw_of
from scripting import run

OTHER = bytes(reversed(ID))
STORES = ["mapped", "written", "memory"]
METAS = {"rigid": META, "ragged": RAGGED_META}


@pytest.fixture(params=STORES)
def make(request, tmp_path):
    """Make a journal of each kind."""

    def make(**options):
        if request.param == "memory":
            return Journal(None, **options)
        return Journal(str(tmp_path / "journal"), store=request.param, **options)

    return make


@pytest.fixture(params=STORES[:2])
def path_and_store(request, tmp_path):
    return str(tmp_path / "journal"), request.param


@pytest.mark.parametrize("meta", METAS.values(), ids=METAS)
def test_rows_come_back(make, meta):
    chain = make(segment_bytes=8192).begin_chain(ID, "run/chain 0", meta, 2, 100, 7)
    assert (len(chain), chain.released, chain.synced, chain.chain_number) == (100, 100, 100, 2)
    append_rows(chain, 100, 400, meta)
    assert len(chain) == 400
    check_rows(chain, 100, 400, meta)
    check_rows(chain, 250, 251, meta)
    np.testing.assert_array_equal(chain.get_draws("n", slice(399, 99, -7)), range(399, 99, -7))
    np.testing.assert_array_equal(chain.get_draws("n", slice(103, None, 50)), range(103, 400, 50))
    assert chain.get_draws_at(-1)["n"] == 399
    assert len(chain.get_draws("n", slice(0, 0))) == 0


def test_blocks_of_rows_fill_many_segments(make):
    chain = make(segment_bytes=8192).begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 10)
    n = np.arange(10, 5000)
    stats = np.ma.MaskedArray(n, mask=n % 3 == 0, dtype="float32")
    chain.extend({"n": n, "x": n[:, None] + np.arange(3.0)}, {"stat": stats})
    append_rows(chain, 5000, 5010)
    check_rows(chain, 0, 5010)


def test_a_rejected_draw_leaves_the_chain_as_it_was(make):
    chain = make(segment_bytes=8192).begin_chain(ID, "a", META, 0, 0, 0)
    for row in range(200):
        with pytest.raises(ValueError, match=r"expected .*x"):
            chain.append({"n": 5, "x": np.zeros(4)})
        append_rows(chain, row, row + 1)
    check_rows(chain, 0, 200)


@pytest.mark.parametrize("meta", METAS.values(), ids=METAS)
def test_released_rows_make_room(make, meta):
    journal = make(segment_bytes=8192)
    chain = journal.begin_chain(ID, "chain 0", meta, 0, 0, 0)
    append_rows(chain, 0, 1000, meta)
    journal.sync()
    assert chain.synced == 1000
    most = journal.bytes
    for start in range(1000, 5000, 500):
        chain.release(start)
        assert chain.released == start
        with pytest.raises(RuntimeError, match=f"row {start - 1} of chain 0 is not"):
            chain.get_draws("n", slice(start - 1, None))
        append_rows(chain, start, start + 500, meta)
        check_rows(chain, start, start + 500, meta)
    assert journal.bytes <= most
    with pytest.raises(ValueError, match="chain 0 has 5000 rows, not 5001"):
        chain.release(5001)
    chain.release(5000)
    chain.release(10)  # which was released long ago
    assert chain.waiting_bytes == 0


def test_waiting_bytes(make):
    chain = make().begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 1000)
    all_of_them = chain.waiting_bytes
    assert all_of_them >= 1000 * (8 + 24 + 4)
    chain.release(500)
    assert chain.waiting_bytes == pytest.approx(all_of_them / 2, rel=0.1)


def test_many_short_chains_stay_small(make):
    journal = make()
    chains = [journal.begin_chain(bytes([i]) * 16, str(i), META, i, 0, 0) for i in range(200)]
    for chain in chains:
        append_rows(chain, 0, 20)
    assert journal.bytes <= 200 * 65536 + 4096
    for chain in chains:
        check_rows(chain, 0, 20)


def test_a_row_larger_than_a_segment(make):
    meta = ("run", [("y", "float64", [100_000], [], False, False)], [], b"")
    chain = make(segment_bytes=8192).begin_chain(ID, "a", meta, 0, 0, 0)
    for row in range(5):
        chain.append({"y": np.full(100_000, float(row))})
    for row in range(5):
        assert (chain.get_draws("y", slice(row, row + 1)) == row).all()


def test_who_appends_is_told_at_a_row(make):
    chain = make().begin_chain(ID, "a", META, 0, 10, 0)
    assert chain.append(draw_of(10)) is None
    chain.notify_at = 13
    assert chain.append(draw_of(11)) is None
    assert chain.append(draw_of(12)) is True
    assert chain.extend({"n": [13], "x": np.zeros((1, 3))}) is True


@pytest.mark.parametrize("meta", METAS.values(), ids=METAS)
def test_sums_belong_to_rows_alone(make, meta):
    journal = make(segment_bytes=8192)
    chain = journal.begin_chain(ID, "a", meta, 0, 0, 0)
    append_rows(chain, 0, 300, meta)
    sums = [chain.sum_of(row) for row in range(300)]
    assert len(set(sums)) == 300
    chain.release(200)
    assert chain.sum_of(199) == sums[199]
    with pytest.raises(RuntimeError, match="row 198 of a is not"):
        chain.sum_of(198)
    with pytest.raises(RuntimeError, match="no row 300"):
        chain.sum_of(300)
    other = journal.begin_chain(OTHER, "b", meta, 0, 150, 1234)
    assert other.sum_of(149) == 1234
    append_rows(other, 150, 300, meta)
    assert [other.sum_of(row) for row in range(150, 300)] == sums[150:]


def test_discarding(make):
    journal = make(segment_bytes=8192)
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 1000)
    size = journal.bytes
    chain.discard()
    chain.discard()
    assert chain.waiting_bytes == 0
    for use in (
        lambda: chain.append(draw_of(1000)),
        lambda: chain.get_draws("n", slice(999, None)),
        lambda: chain.sum_of(999),
    ):
        with pytest.raises(RuntimeError):
            use()
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 1000)
    assert journal.bytes <= size


def test_one_chain_of_an_id_at_a_time(make):
    journal = make()
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    with pytest.raises(RuntimeError, match="rows of this chain wait"):
        journal.begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 10)
    del chain
    if journal.path is None:  # then they are gone with the chain
        size = journal.bytes
        append_rows(journal.begin_chain(ID, "a", META, 0, 10, 0), 10, 20)
        assert journal.bytes == size
        return
    with pytest.raises(RuntimeError, match="rows of this chain wait"):
        journal.begin_chain(ID, "a", META, 0, 10, 0)


def test_a_closed_chain_whose_rows_are_delivered_may_go_on(make):
    journal = make()
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 10)
    chain.close()
    with pytest.raises(RuntimeError, match="closed"):
        chain.append(draw_of(10))
    check_rows(chain, 0, 10)
    chain.release(10)
    again = journal.begin_chain(ID, "a", META, 0, 10, chain.sum_of(9))
    append_rows(again, 10, 20)
    check_rows(again, 10, 20)


def test_closing_the_journal(path_and_store):
    path, store = path_and_store
    journal = Journal(path, store=store)
    assert (journal.path, journal.is_mapped) == (path, store == "mapped")
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 10)
    with pytest.raises(FileExistsError):
        Journal(path)
    journal.close(remove=True)
    assert not os.path.exists(path)
    with pytest.raises(RuntimeError, match="closed"):
        chain.append(draw_of(10))
    with pytest.raises(RuntimeError, match="closed"):
        journal.begin_chain(OTHER, "a", META, 0, 0, 0)
    check_rows(chain, 0, 10)


def test_arguments_that_make_no_sense(tmp_path):
    with pytest.raises(ValueError, match="store is 'auto', 'mapped' or 'written', got 'x'"):
        Journal(str(tmp_path / "a"), store="x")
    with pytest.raises(FileNotFoundError):
        Journal(str(tmp_path / "no" / "a"))
    with pytest.raises(ValueError, match="16 bytes, got 3"):
        Journal(None).begin_chain(b"abc", "a", META, 0, 0, 0)
    with pytest.raises(FileNotFoundError):
        JournalScan(str(tmp_path / "none"))


@pytest.mark.parametrize("meta", METAS.values(), ids=METAS)
def test_a_scan_finds_what_is_not_released(path_and_store, meta):
    path, store = path_and_store
    journal = Journal(path, segment_bytes=8192, store=store)
    chain = journal.begin_chain(ID, "run/chain 0", meta, 0, 0, 0)
    other = journal.begin_chain(OTHER, "run/chäin 1", meta, 1, 1000, 77)
    for start in range(0, 2000, 100):
        append_rows(chain, start, start + 100, meta)
        append_rows(other, 1000 + start, 1000 + start + 100, meta)
        chain.release(max(0, start - 200))
        other.release(max(1000, 1000 + start - 50))
    scan = JournalScan(path)
    assert scan.damaged == ""
    assert [(found.id, found.label) for found in scan.chains] == [
        (ID, "run/chain 0"),
        (OTHER, "run/chäin 1"),
    ]
    for found, live in zip(scan.chains, (chain, other), strict=True):
        assert live.released - 300 < found.first <= live.released
        assert (found.stop, found.damaged) == (len(live), "")
        for row in range(live.released, len(live) + 1):
            assert found.sum_before(row) == live.sum_of(row - 1)
        assert found.sum_before(found.first) == found.previous_sum
        assert found.sum_before(found.first - 1) is None
        assert found.sum_before(found.stop + 1) is None
        loaded = scan.load(found.id, meta, 5, found.first, found.stop)
        assert (len(loaded), loaded.chain_number) == (found.stop - found.first, 5)
        check_rows(loaded, found.first, found.stop, meta, first=found.first)
        rows = scan.load(found.id, meta, 5, found.stop - 60, found.stop - 3)
        check_rows(rows, found.stop - 60, found.stop - 3, meta, first=found.stop - 60)
        with pytest.raises(ValueError, match="does not have rows"):
            scan.load(found.id, meta, 5, found.first, found.stop + 1)


def test_a_scan_does_not_find_what_is_gone(path_and_store):
    path, store = path_and_store
    journal = Journal(path, segment_bytes=8192, store=store)
    assert JournalScan(path).chains == []
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    assert JournalScan(path).chains == []
    append_rows(chain, 0, 500)
    chain.discard()
    assert JournalScan(path).chains == []
    chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
    append_rows(chain, 0, 500)
    chain.close()
    chain.release(500)
    assert JournalScan(path).chains == []
    assert JournalScan(path).damaged == ""


def test_rows_of_another_run_are_not_loaded(path_and_store):
    path, store = path_and_store
    journal = Journal(path, store=store)
    append_rows(journal.begin_chain(ID, "run/0", META, 0, 0, 0), 0, 10)
    scan = JournalScan(path)
    with pytest.raises(ValueError, match="rows of run/0 in the journal have other columns"):
        scan.load(ID, RAGGED_META, 0, 0, 10)
    assert len(scan.load(ID, RAGGED_META, 0, 5, 5)) == 0
    with pytest.raises(ValueError, match="does not have rows"):
        scan.load(OTHER, META, 0, 0, 10)


def test_rows_become_durable_by_themselves(tmp_path):
    chain = Journal(str(tmp_path / "journal"), sync_interval=0.01).begin_chain(
        ID, "a", META, 0, 0, 0
    )
    append_rows(chain, 0, 10)
    wait_until(lambda: chain.synced == 10)


FORK = """
import gc, os, sys
from drawstore._core import Journal, JournalScan
from journals import ID, META, append_rows, check_rows, draw_of

path = sys.argv[1] or None
journal = Journal(path, segment_bytes=8192, store=sys.argv[2])
chain = journal.begin_chain(ID, "a", META, 0, 0, 0)
append_rows(chain, 0, 500)

def refused(use):
    try:
        use()
    except RuntimeError as error:
        return "the process that forked this one" in str(error)

before = open(path, "rb").read() if path else b""
uses = [
    lambda: chain.append(draw_of(500)),
    lambda: chain.get_draws("n"),
    lambda: chain.sum_of(5),
    lambda: chain.release(100),
    lambda: chain.discard(),
    lambda: chain.flush(sync=True),
    lambda: journal.sync(),
    lambda: journal.close(remove=True),
    lambda: journal.begin_chain(bytes(16), "b", META, 0, 0, 0),
]
child = os.fork()
if child == 0:
    handles = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
               if os.path.exists(f"/proc/self/fd/{fd}")]
    right = path not in handles and all([refused(use) for use in uses]) and len(chain) == 500
    del uses
    chain.close()
    del chain, journal
    gc.collect()
    if path:  # the child may look like any other process
        check_rows(JournalScan(path).load(ID, META, 0, 0, 500), 0, 500)
    os._exit(0 if right else 1)
assert os.waitpid(child, 0)[1] == 0
assert not path or open(path, "rb").read() == before
append_rows(chain, 500, 1000)
journal.sync()
check_rows(chain, 0, 1000)
chain.release(1000)
"""


@pytest.mark.parametrize("store", STORES)
def test_a_forked_child_leaves_a_journal_alone(tmp_path, store):
    where, store = ("", "auto") if store == "memory" else (tmp_path / "journal", store)
    env = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    run(FORK, where, store, env=env)


def test_a_fork_right_after_an_append(path_and_store):
    """The thread that syncs is not there while the process forks: Python 3.12 warns of threads."""
    path, store = path_and_store
    chain = Journal(path, store=store, sync_interval=0.001).begin_chain(ID, "a", META, 0, 0, 0)
    for start in range(0, 200, 10):
        append_rows(chain, start, start + 10)
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    append_rows(chain, 200, 210)
    wait_until(lambda: chain.synced == 210)


@pytest.mark.parametrize("written", [0, 8, 20])
def test_a_journal_that_was_only_being_made_holds_nothing(tmp_path, written):
    path = tmp_path / "journal"
    Journal(str(path)).close(remove=False)
    header = path.read_bytes()[:written]
    for size in 0, 4096:
        path.write_bytes(header.ljust(size, b"\0"))
        scan = JournalScan(str(path))
        assert (scan.chains, scan.damaged) == ([], "")
    path.write_bytes(b"something else".ljust(4096, b"\0"))
    assert "not a journal" in JournalScan(str(path)).damaged
