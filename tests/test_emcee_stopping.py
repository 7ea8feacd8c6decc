"""`drawstore.emcee.run` until the run has converged, or the time is up."""

import datetime
import logging
import pickle
import time

import emcee
import numpy as np
import pytest

import drawstore.emcee
import drawstore.emcee.stopping
from drawstore.emcee import Backend, HDFBackend
from drawstore.hdf5.store_file import StoreFile
from emcee_jobs import made_by, whole
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    assert_same_state,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    start_points,
)


def at(n_steps):
    """A rule."""
    return lambda status, previous: status.n_steps >= n_steps


def go(backend, function=log_prob, start=None, *, sampling=None, **options):
    """The script, as it is started again and again."""
    sampler = sampler_on(backend, function, **(sampling or {}))
    return drawstore.emcee.run(sampler, start_points() if start is None else start, **options)


def stalling_at(step, seconds):
    """Make a log-probability function that takes a time at one step of each start."""
    calls = []

    def function(x):
        calls.append(1)
        if len(calls) == step * SHAPE[0]:
            time.sleep(seconds)
        return log_prob(x)

    return function


@pytest.mark.parametrize("kind", ["hdf", "hdf5"])
def test_there_is_time_to_deliver_what_waits(tmp_path, monkeypatch, kind):
    backend, update = made_by(kind, tmp_path), StoreFile.update

    def slow(*args, **kwargs):
        time.sleep(0.1)
        return update(*args, **kwargs)

    assert backend._seconds_to_deliver() == 0
    monkeypatch.setattr(StoreFile, "update", slow)
    go(backend, total=2)
    sampler = sampler_on(backend, log_prob)
    for _ in sampler.sample(backend.get_last_sample(), iterations=3):
        backend.flush()
        if backend.iteration < 5:  # with the last one it may have let go of the file
            assert backend._seconds_to_deliver() >= 0.1
    monkeypatch.setattr(type(backend), "_seconds_to_deliver", lambda _: 1e6)
    assert go(backend, max_time=1000).outcome == "time"
    assert backend.iteration == 5


@pytest.fixture(params=["memory", "files", "hdf5", "hdf"])
def again(request, tmp_path):
    """What makes the backend of the next start."""
    if request.param == "memory":
        backend = Backend()
        return lambda: backend
    return lambda: made_by(request.param, tmp_path)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(drawstore.emcee.stopping, "_PIECE", (3, 8))


class TestTime:
    def test_stopped_and_started_again_until_it_is_complete(self, again):
        outcomes = []
        while not outcomes or outcomes[-1].outcome == "time":
            backend = again()
            outcomes.append(go(backend, stalling_at(18, 0.4), total=30, max_time=0.4))
            assert_same_state(outcomes[-1], backend.get_last_sample())
        assert len(outcomes) > 1
        assert {result.exit_code for result in outcomes[:-1]} == {75}
        assert (outcomes[-1].outcome, outcomes[-1].exit_code) == ("complete", 0)
        assert_same_backend(again(), whole())

    def test_open_ended(self, again, small_pieces):
        backend = again()
        result = go(backend, stalling_at(18, 0.4), max_time=0.4)
        assert result.outcome == "time"
        assert 0 < backend.iteration <= 18
        assert_same_backend(backend, whole(steps=backend.iteration))

    def test_everything_is_delivered(self, tmp_path):
        backend = HDFBackend(tmp_path / "chain.h5")
        go(backend, stalling_at(18, 0.2), total=10_000, max_time=0.2)
        assert {path.name for path in tmp_path.iterdir()} == {"chain.h5"}
        theirs = emcee.backends.HDFBackend(tmp_path / "chain.h5")
        assert_same_backend(backend, theirs)

    @pytest.mark.parametrize(
        "limit",
        [
            {"max_time": 0},
            {"max_time": datetime.timedelta(0)},
            {"max_time": 60, "margin": 61},
            {"max_time": 60, "margin": datetime.timedelta(minutes=2)},
            {"deadline": time.time() - 1},
            {"deadline": datetime.datetime.now()},
            {"deadline": datetime.datetime.now(datetime.UTC)},
            {"deadline": time.time() + 1000, "max_time": 0},
        ],
    )
    def test_no_time_at_all(self, limit):
        backend = Backend()
        result = go(backend, total=5, **limit)
        assert (result.outcome, backend.iteration) == ("time", 0)
        assert_same_array(result.coords, start_points())
        run(backend, 3)
        result = go(backend, total=5, **limit)
        assert (result.outcome, backend.iteration) == ("time", 3)
        assert_same_state(result, backend.get_last_sample())

    @pytest.mark.parametrize(
        "limit",
        [
            {"max_time": 1000.0},
            {"deadline": time.time() + 1e6},  # from when tests are collected
            {"deadline": datetime.datetime.now() + datetime.timedelta(days=1)},
            {"deadline": datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)},
        ],
    )
    def test_time_enough(self, limit):
        backend = Backend()
        assert go(backend, total=5, **limit).outcome == "complete"
        assert backend.iteration == 5

    def test_slurm(self, monkeypatch):
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) - 5))
        assert go(Backend(), total=5, deadline="slurm").outcome == "time"
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 500))
        assert go(Backend(), total=5, deadline="slurm").outcome == "complete"


class TestConverged:
    def test_stops_there(self, again, small_pieces):
        result = go(again(), converged=at(200))
        assert (result.outcome, result.exit_code) == ("converged", 0)
        assert result.status.converged
        assert result.status.n_steps == 200
        assert_same_backend(again(), whole(steps=200))

    def test_interrupted_it_stops_at_the_same_step(self, tmp_path):
        def once(x):
            raise ZeroDivisionError

        calls = []

        def failing(x):
            calls.append(1)
            return once(x) if len(calls) == 150 * SHAPE[0] else log_prob(x)

        with pytest.raises(ZeroDivisionError):
            go(made_by("files", tmp_path), failing, converged=at(200))
        go(made_by("files", tmp_path), failing, converged=at(200))
        assert_same_backend(made_by("files", tmp_path), whole(steps=200))

    def test_started_again_it_has_converged(self, again):
        go(again(), converged=at(100))
        calls = []
        result = go(again(), calls.append, total=500, converged=at(100))
        assert not calls
        assert result.outcome == "converged"
        assert_same_state(result, again().get_last_sample())

    def test_as_emcee_s_tutorial_would(self):
        def log_prob(x):
            return -0.5 * np.sum(x**2, axis=1)

        shape, start = (32, 2), start_points((32, 2))
        sampler = sampler_on(None, log_prob, shape, vectorize=True)
        old_tau = np.inf
        for _ in sampler.sample(start, iterations=10_000):
            if sampler.iteration % 100:
                continue
            tau = sampler.get_autocorr_time(tol=0)
            done = np.all(tau * 100 < sampler.iteration)
            if done & np.all(np.abs(old_tau - tau) / tau < 0.01):
                break
            old_tau = tau
        assert sampler.iteration < 10_000

        backend = Backend()
        again = sampler_on(backend, log_prob, shape, vectorize=True)
        result = drawstore.emcee.run(again, start, converged=True)
        assert result.outcome == "converged"
        assert_same_array(backend.get_chain(), sampler.get_chain())
        np.testing.assert_allclose(result.status.tau, tau, rtol=1e-8)

    def test_total_is_first(self):
        backend = Backend()
        result = go(backend, total=150, converged=at(200))
        assert (result.outcome, backend.iteration) == ("complete", 150)
        assert not result.status.converged

    def test_a_monitor(self):
        backend = Backend()
        sampler = sampler_on(backend)
        monitor = drawstore.Monitor(sampler, rule=at(15), every=7)
        result = drawstore.emcee.run(sampler, start_points(), converged=monitor)
        assert (result.outcome, backend.iteration) == ("converged", 21)

    def test_it_says_when(self, caplog):
        caplog.set_level(logging.INFO, logger="drawstore.emcee")
        result = go(Backend(), stalling_at(210, 2), converged=True, max_time=2)
        assert result.outcome == "time"
        assert result.status.n_needed > result.status.n_steps
        assert result.expected > result.status.time
        last = caplog.messages[-1]
        assert last.startswith(f"time: {result.status.n_steps} steps, long enough at ")
        assert ", expected 2" in last


@pytest.mark.usefixtures("small_pieces")
class TestPieces:
    @pytest.mark.parametrize("function", [log_prob_blobs, log_prob_dict])
    def test_blobs(self, again, function):
        backend = again()
        sampler = sampler_on(backend, function)
        monitor = drawstore.Monitor(sampler, rule=at(20), every=10)
        drawstore.emcee.run(sampler, start_points(), converged=monitor)
        assert_same_backend(again(), whole(function, steps=20))

    def test_thinned_and_tuned_moves(self):
        options = {"thin_by": 3, "tune": True}
        moves = [emcee.moves.GaussianMove(0.5, mode="sequential"), emcee.moves.DEMove()]
        backend = Backend()
        sampler = sampler_on(backend, moves=moves)
        monitor = drawstore.Monitor(sampler, rule=at(20), every=10)
        drawstore.emcee.run(sampler, start_points(), converged=monitor, **options)
        assert_same_backend(backend, whole(steps=20, sample=options, moves=moves))

    def test_one_progress_bar(self, capsys):
        go(Backend(), max_time=100, total=20, progress=True, progress_kwargs={"desc": "mine"})
        go(Backend(), converged=at(100), progress=True, thin_by=2)
        shown = capsys.readouterr().err
        assert "mine: 100%" in shown
        assert "20/20" in shown
        assert "200/200" in shown

    def test_walkers_that_are_not_independent(self):
        start = start_points()
        start[:, 0] = 1.0
        with pytest.raises(ValueError, match="linearly independent"):
            go(Backend(), start=start, converged=at(20))


class TestResult:
    def test_a_state(self):
        backend = Backend()
        sampler = sampler_on(backend)
        state = drawstore.emcee.run(sampler, start_points(), total=5)
        assert isinstance(state, emcee.State)
        coords, log_probs, _ = state
        assert_same_array(coords, backend.get_chain()[-1])
        assert_same_array(log_probs, backend.get_log_prob()[-1])
        assert state.status is state.expected is None
        again = pickle.loads(pickle.dumps(state))
        assert (again.outcome, again.exit_code) == ("complete", 0)
        assert_same_state(again, state)
        # emcee goes on from it, and from where the sampler is.
        sampler.run_mcmc(state, 5)
        sampler.run_mcmc(None, 5)
        assert_same_backend(backend, whole(steps=15))

    def test_the_sampler_knows_where_it_is(self):
        backend = Backend()
        sampler = sampler_on(backend)
        drawstore.emcee.run(sampler, start_points(), converged=at(100))
        sampler.run_mcmc(None, 5)
        assert_same_backend(backend, whole(steps=105))


class TestErrors:
    def test_nothing_ends_it(self):
        with pytest.raises(ValueError, match="nothing ends the run: say total="):
            go(Backend())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"converged": 5}, "converged is True, a rule or a drawstore.Monitor; got 5"),
            ({"max_time": "1h"}, "max_time is a number of seconds, or a timedelta; got '1h'"),
            ({"max_time": -1}, "max_time is a number of seconds, 0 or more; got -1"),
            ({"max_time": 1, "margin": True}, "margin is a number of seconds"),
            ({"deadline": "tomorrow"}, "deadline is a datetime, .*got 'tomorrow'"),
            ({"deadline": "slurm"}, "no job of Slurm: neither SLURM_JOB_END_TIME"),
        ],
    )
    def test_options(self, monkeypatch, options, message):
        monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
        monkeypatch.delenv("SLURM_JOB_ID", raising=False)
        backend = Backend()
        with pytest.raises((TypeError, ValueError), match=message):
            go(backend, **options)
        assert backend.iteration == 0
