"""What figures read of a run: bounded numbers of draws, in slices of time."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drawstore
from cli_runs import make
from dashboard_figures import autoregressive, run_of, view_of
from drawstore.dashboard.figures.sampling import (
    LastDraws,
    Pace,
    SpacedDraws,
    SpacedRows,
    kept,
    ordinal,
)

LATER = math.inf


def read(rows):
    return np.array(rows)


@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(1, 200))
def test_rows_are_evenly_spaced_and_not_too_many(lengths, most):
    rows = SpacedRows(read, most)
    for n in sorted(lengths):
        found = rows.update(n, LATER)
        assert rows.is_complete
        assert len(found) <= most
        assert rows.stride == 1 or 2 * len(found) >= most
        np.testing.assert_array_equal(found, np.arange(0, n, rows.stride))


@given(st.integers(0, 30_000), st.integers(1, 5000))
def test_without_time_rows_come_a_block_at_a_time_and_are_always_evenly_spaced(n, most):
    rows = SpacedRows(read, most)
    for _ in range(400):
        found = rows.update(n, -math.inf)
        np.testing.assert_array_equal(found, np.arange(len(found)) * rows.stride)
        if rows.is_complete:
            break
    assert rows.is_complete


def test_fewer_rows_than_before_begin_anew():
    rows = SpacedRows(read, 10)
    rows.update(1000, LATER)
    np.testing.assert_array_equal(rows.update(5, LATER), np.arange(5))


def test_rows_are_read_once():
    asked = []

    def counted(rows):
        asked.extend(rows)
        return np.array(rows)

    rows = SpacedRows(counted, 1000)
    for n in (100, 250, 900):
        rows.update(n, LATER)
    assert sorted(asked) == list(range(900))


def test_blocks_grow_and_end_when_time_is_up():
    found = list(Pace().blocks(range(10_000), LATER))
    assert [i for rows in found for i in rows] == list(range(10_000))
    assert len(found) < 20
    (block,) = Pace().blocks(range(10_000), -math.inf)
    assert len(block) < 10_000
    assert list(Pace().blocks(range(0), LATER)) == []


def test_blocks_that_take_long_become_smaller():
    pace = Pace()
    for _ in pace.blocks(range(9000), -math.inf):
        time.sleep(0.05)
    (block,) = pace.blocks(range(9000), -math.inf)
    assert len(block) == 1024


class Series:
    """Draws that are their own numbers."""

    n_walkers = 1

    def read(self, start, stop, step=1, columns=None):
        return np.arange(start, stop, step)[:, np.newaxis, np.newaxis]


@given(st.lists(st.integers(0, 2000), max_size=6), st.integers(1, 300), st.booleans())
def test_the_last_draws_have_no_gap(lengths, most, is_slow):
    last = LastDraws(Series(), [0], most)
    for n in sorted(lengths):
        found = np.empty(0)
        while found[-1:].tolist() != [n - 1][:n] or len(found) < min(n, most):
            found = last.update(n, -math.inf if is_slow else LATER)[:, 0, 0]
            np.testing.assert_array_equal(found, last.start + np.arange(len(found)))
        np.testing.assert_array_equal(found, np.arange(n)[-most:])


@pytest.mark.parametrize("kind", ["directory", "hdf5", "ensemble", "ensemble in hdf5", "emcee"])
def test_chosen_parameters_of_some_draws_are_those_of_all_draws(tmp_path, kind):
    with drawstore.open(make(kind, tmp_path / "store")) as backend:
        (info,) = backend.get_runs()
        for followed in view_of(backend.get_run(info.rid)).followed:
            n = followed.look()
            every = followed.read(0, n)
            columns = [len(followed.names) - 1, 0]
            some = followed.read(7, n - 3, 5, columns)
            np.testing.assert_array_equal(some, every[7 : n - 3 : 5][:, :, columns])
            assert followed.read(3, 3, 2, [0]).shape == (0, followed.n_walkers, 1)


def test_warmup_is_what_does_not_count():
    chain = autoregressive((100, 1), 0.5, 1)
    view = view_of(run_of([chain], 30))
    (followed,) = view.followed
    assert (followed.look(), followed.warmup) == (70, (range(30),))
    np.testing.assert_array_equal(followed.read(0, 70)[:, 0], chain[30:])


def test_draws_of_several_chains_share_what_may_be_read():
    chains = [autoregressive((1000, 2), 0.5, seed) for seed in range(4)]
    draws = SpacedDraws(view_of(run_of(chains)), ["x1"], 400)
    found = draws.update()
    assert draws.note == "every 16th draw of each chain"
    for values, chain in zip(found, chains, strict=True):
        np.testing.assert_array_equal(values[:, 0, 0], chain[::16, 1])


def test_what_is_kept_is_bounded_and_goes_when_the_chains_are_others():
    view = view_of(run_of([np.zeros((3, 1))]))
    first = kept(view, "f", ("a",), object)
    assert kept(view, "f", ("a",), object) is first
    for name in "bcd":
        kept(view, "f", (name,), object)
    assert kept(view, "f", ("a",), object) is first
    kept(view, "f", ("e",), object)
    assert len(view.kept["f"]) == 4
    assert ("b",) not in view.kept["f"]
    view.found = view_of(view.run).found
    assert kept(view, "f", ("a",), object) is not first


@pytest.mark.parametrize(
    ("n", "text"), [(2, "2nd"), (4, "4th"), (11, "11th"), (32, "32nd"), (1024, "1,024th")]
)
def test_numbers_in_words(n, text):
    assert ordinal(n) == text
