"""When the file of `drawstore.emcee.HDFBackend` is complete, and going on with it."""

import emcee
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from emcee_runs import (
    SHAPE,
    assert_same_backend,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    start_points,
)
from hdf_files import steps_in, wait_until


@pytest.fixture
def ours(tmp_path):
    backend = HDFBackend(tmp_path / "ours.h5", flush_interval=60.0)
    yield backend
    backend.close()


# When the file is complete.


def test_reset_makes_the_file_and_the_group(ours):
    ours.reset(*SHAPE)
    assert steps_in(ours.filename) == 0


def test_the_file_is_complete_when_run_mcmc_ends(ours):
    run(ours, 20)
    assert steps_in(ours.filename) == 20
    sampler = sampler_on(ours)
    sampler.run_mcmc(None, 5)
    assert steps_in(ours.filename) == 25
    for _ in sampler.sample(sampler._previous_state, iterations=4):
        pass
    assert steps_in(ours.filename) == 29


def test_the_file_is_complete_when_thinned_steps_are_there(ours):
    run(ours, 5, sample={"thin_by": 3})
    assert steps_in(ours.filename) == 5


@pytest.mark.parametrize("end", [HDFBackend.flush, HDFBackend.close])
def test_the_file_is_complete_after_flush_and_close(ours, end):
    sampling = sampler_on(ours).sample(start_points(), iterations=100)
    for _ in range(9):
        next(sampling)
    assert steps_in(ours.filename) == 0
    end(ours)
    assert steps_in(ours.filename) == 9
    next(sampling)
    end(ours)
    assert steps_in(ours.filename) == 10


def test_the_file_is_complete_after_the_context(tmp_path):
    with HDFBackend(tmp_path / "a.h5", flush_interval=60.0) as backend:
        sampling = sampler_on(backend).sample(start_points(), iterations=100)
        next(sampling)
    assert steps_in(tmp_path / "a.h5") == 1


def test_a_loop_that_stops_early_is_delivered_in_the_background(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=0.05)
    for i, _ in enumerate(sampler_on(backend).sample(start_points(), iterations=10**6)):
        if i == 12:
            break
    wait_until(lambda: steps_in(tmp_path / "a.h5") == 13)
    backend.close()


def test_nothing_is_left_beside_the_file(tmp_path):
    with HDFBackend(tmp_path / "a.h5") as backend:
        run(backend, 5)
        assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


# Resuming.

MOVES = {
    "stretch": emcee.moves.StretchMove,
    "de": emcee.moves.DEMove,
    "snooker": emcee.moves.DESnookerMove,
    "kde": emcee.moves.KDEMove,
    "walk": emcee.moves.WalkMove,
    "gaussian": lambda: emcee.moves.GaussianMove(0.3),
    "gaussian random": lambda: emcee.moves.GaussianMove(0.3, mode="random", factor=2.0),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
@pytest.mark.parametrize("pause", ["new handle", "same handle", "emcee's"])
def test_a_resumed_run_is_the_uninterrupted_one_to_the_bit(tmp_path, move, pause):
    path = tmp_path / "a.h5"
    whole = emcee.backends.Backend()
    run(whole, 30, moves=move())
    backend = HDFBackend(path)
    run(backend, 13, moves=move())
    if pause == "emcee's":
        backend = emcee.backends.HDFBackend(path)
    elif pause == "new handle":
        backend = HDFBackend(path)
    run(backend, 8, moves=move(), seed=77)
    run(HDFBackend(path), 9, moves=move(), seed=78)
    assert_same_backend(HDFBackend(path), whole)


@pytest.mark.parametrize("function", [log_prob_blobs, log_prob_dict])
def test_a_run_with_blobs_is_resumed_to_the_bit(tmp_path, function):
    whole = emcee.backends.Backend()
    run(whole, 24, function)
    run(HDFBackend(tmp_path / "a.h5"), 10, function)
    run(HDFBackend(tmp_path / "a.h5"), 14, function, seed=5)
    assert_same_backend(HDFBackend(tmp_path / "a.h5"), whole)


@pytest.mark.parametrize(
    ("move", "dtype"),
    [
        (lambda: emcee.moves.GaussianMove(0.3, mode="sequential"), np.float64),
        (emcee.moves.StretchMove, np.float32),
    ],
    ids=["sequential", "float32"],
)
def test_what_emcee_itself_forgets_is_not_resumed(tmp_path, move, dtype):
    """A move's place in its sequence, and the digits that float32 has not: as with emcee's."""
    chains = []
    for kind in (HDFBackend, emcee.backends.HDFBackend):
        whole = kind(tmp_path / f"{kind.__module__}-whole.h5", dtype=dtype)
        run(whole, 200, moves=move())
        parts = kind(tmp_path / f"{kind.__module__}-parts.h5", dtype=dtype)
        run(parts, 100, moves=move())
        run(parts, 100, moves=move())
        assert not np.array_equal(whole.get_chain(), parts.get_chain())
        chains.append(parts.get_chain())
    np.testing.assert_array_equal(*chains)
