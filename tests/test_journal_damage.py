"""Journals that are damaged, cut off, or none at all: rows are right, or are told to be missing."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawstore._core import Journal, JournalScan
from journals import ID, META, RAGGED_META, append_rows, check_rows

METAS = {bytes([1]) * 16: META, bytes([2]) * 16: RAGGED_META}
SEGMENT = 8192


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Make a journal of two chains whose segments were used again and again."""
    path = tmp_path_factory.mktemp("good") / "journal"
    journal = Journal(str(path), segment_bytes=SEGMENT)
    chains = {id: journal.begin_chain(id, "chain", meta, 0, 0, 0) for id, meta in METAS.items()}
    for start in range(0, 1500, 30):
        for id, chain in chains.items():
            append_rows(chain, start, start + 30, METAS[id])
            chain.release(max(0, start - 200))
    journal.sync()
    return path.read_bytes()


def pieces_of(path, data):
    """Scan a journal; every row that it gives is checked to be right."""
    path.write_bytes(data)
    scan = JournalScan(str(path))
    found = set()
    for piece in scan.chains:
        meta = METAS[piece.id]
        if piece.stop > piece.first:
            rows = scan.load(piece.id, meta, 0, piece.first, piece.stop)
            check_rows(rows, piece.first, piece.stop, meta, first=piece.first)
            assert piece.sum_before(piece.stop) is not None
        found |= {(piece.id, row) for row in range(piece.first, piece.stop)}
    is_told = bool(scan.damaged or any(piece.damaged for piece in scan.chains))
    return found, is_told


def test_what_is_not_damaged_has_no_damage(tmp_path, good):
    found, is_told = pieces_of(tmp_path / "journal", good)
    assert not is_told
    assert all((id, row) in found for id in METAS for row in range(1300, 1500))


def test_a_flipped_bit_is_told_of_where_rows_are_missing(tmp_path, good):
    whole, _ = pieces_of(tmp_path / "journal", good)
    rng = random.Random(4)
    heads = range(4096, len(good), SEGMENT)
    places = [
        *range(32),  # the header
        *(head + i for head in heads for i in range(28)),
        *(head + 512 + i for head in heads for i in range(0, 512, 7)),
        *(head + 4096 + i for head in heads for i in range(8)),
        *(rng.randrange(len(good)) for _ in range(600)),
    ]
    lost = 0
    for place in places:
        data = bytearray(good)
        data[place] ^= 1 << rng.randrange(8)
        found, is_told = pieces_of(tmp_path / "journal", data)
        assert found <= whole
        assert is_told or found == whole
        lost += found != whole
    assert lost > 300


def test_a_journal_that_was_cut_off_is_told_of(tmp_path, good):
    whole, _ = pieces_of(tmp_path / "journal", good)
    for size in [*range(0, 64, 5), *range(64, len(good), 501)]:
        found, is_told = pieces_of(tmp_path / "journal", good[:size])
        assert found <= whole
        is_at_a_segment = size % SEGMENT == 4096  # which may have been the last one
        assert is_told or found == whole or is_at_a_segment or size < 4096


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (bytes(5000), "not a journal"),
        (b"\x89HDF\r\n\x1a\n" + bytes(5000), "not a journal"),
        (b"drawjrnl\x02\0\0\0" + bytes(5000), "version 2 of the format; this drawstore reads"),
        (b"drawjrnl\x01\0\0\0" + bytes(range(5, 100)) * 50, "checksum"),
    ],
)
def test_what_is_not_a_journal(tmp_path, data, told):
    (tmp_path / "journal").write_bytes(data)
    scan = JournalScan(str(tmp_path / "journal"))
    assert told in scan.damaged
    assert (scan.id, scan.chains) == (bytes(16), [])
    with pytest.raises(ValueError, match="does not have rows"):
        scan.load(ID, META, 0, 0, 1)


def test_damage_between_rows_leaves_two_pieces(tmp_path, good):
    middle = good.index(b"drawsegm", len(good) // 2)
    data = bytearray(good)
    data[middle + 4096 + 64 + 200] ^= 1  # in one of its first rows
    path = tmp_path / "journal"
    path.write_bytes(data)
    scan = JournalScan(str(path))
    (before, after) = sorted(
        [piece for piece in scan.chains if len([1 for p in scan.chains if p.id == piece.id]) == 2],
        key=lambda piece: piece.first,
    )
    assert f"row {before.stop} does not have the checksum" in before.damaged
    assert before.stop < after.first
    assert after.stop == 1500


_changes = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.integers(0, 2**20), st.integers(0, 7)),
        st.tuples(st.just("zero"), st.integers(0, 2**20), st.integers(1, 5000)),
        st.tuples(st.just("copy"), st.integers(0, 200), st.integers(0, 200)),
        st.tuples(st.just("fill"), st.integers(0, 2**20), st.binary(max_size=64)),
        st.tuples(st.just("cut"), st.integers(0, 2**20), st.just(0)),
    ),
    max_size=6,
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=_changes)
def test_no_damage_makes_a_row_wrong(tmp_path, good, changes):
    data = bytearray(good)
    for kind, a, b in changes:
        at = a % max(1, len(data))
        if kind == "flip" and data:
            data[at] ^= 1 << b
        elif kind == "zero":
            data[at : at + b] = bytes(len(data[at : at + b]))
        elif kind == "copy":  # a page over another one
            data[b * 4096 : (b + 1) * 4096] = data[a * 4096 : (a + 1) * 4096]
        elif kind == "fill":
            data[at : at + len(b)] = b
        elif kind == "cut":
            del data[at:]
    whole, _ = pieces_of(tmp_path / "whole", good)
    found, _ = pieces_of(tmp_path / "journal", data)
    assert found <= whole


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=20_000))
def test_garbage_is_no_journal(tmp_path, data):
    for start in (b"", b"drawjrnl\x01\0\0\0"):
        found, is_told = pieces_of(tmp_path / "journal", start + data)
        is_being_made = len(start + data) <= 4096 and bool(start or not any(data))
        assert (found, is_told) == (set(), not is_being_made)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=20_000), at=st.integers(0, 3))
def test_garbage_behind_a_good_header(tmp_path, good, data, at):
    found, _ = pieces_of(tmp_path / "journal", good[: 4096 + at * SEGMENT] + data)
    whole, _ = pieces_of(tmp_path / "journal", good)
    assert found <= whole
