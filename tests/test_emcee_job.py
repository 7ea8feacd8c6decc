"""`drawstore.emcee.run`: ended and started again, a job gives the chain of one never ended."""

import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from blob_kinds import STORABLE, kinds, returning
from drawstore.emcee import Backend, HDFBackend
from emcee_jobs import TOTAL, job, made_by, whole
from emcee_runs import (
    SHAPE,
    assert_same_array,
    assert_same_backend,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    start_points,
)
from scripting import run as run_code
from test_hdf_resume import MOVES


class Interrupted(Exception):
    pass


def ended_at(calls, function=log_prob):
    """Make a log-probability function that fails at a call."""
    left = [calls]

    def failing(x):
        left[0] -= 1
        if left[0] < 0:
            raise Interrupted
        return function(x)

    return failing


@pytest.fixture(params=["memory", "memory store", "files", "hdf5", "hdf", "gzip"])
def again(request, tmp_path):
    """What makes the backend of the next attempt; in memory it is always the same."""
    if not request.param.startswith("memory"):
        made = []

        def make():
            for earlier in made:
                earlier.close()
            made.append(made_by(request.param, tmp_path))
            return made[-1]

        yield make
        made[-1].close()
    else:
        store = drawstore.MemoryBackend() if request.param == "memory store" else None
        backend = Backend(store=store)
        yield lambda: backend


class TestInterrupted:
    @pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
    def test_any_move(self, again, move):
        # The first attempt ends before the first step, the others within one.
        for calls in (SHAPE[0] - 1, 7 * SHAPE[0] + 5, 9 * SHAPE[0] - 3):
            with pytest.raises(Interrupted):
                job(again(), ended_at(calls), moves=move())
        job(again(), moves=move())
        assert_same_backend(again(), whole(moves=move()))

    def test_a_mixture_of_moves(self, again):
        def moves():
            return [(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)]

        with pytest.raises(Interrupted):
            job(again(), ended_at(100), moves=moves())
        job(again(), moves=moves())
        assert_same_backend(again(), whole(moves=moves()))

    @pytest.mark.parametrize("function", [log_prob_blobs, log_prob_dict])
    def test_blobs(self, again, function):
        for calls in (50, 200):
            with pytest.raises(Interrupted):
                job(again(), ended_at(calls, function))
        job(again(), function)
        assert_same_backend(again(), whole(function))

    @kinds(STORABLE)
    def test_blobs_of_any_kind(self, tmp_path, blob, dtype):
        function = returning(blob)
        theirs = whole(function, blobs_dtype=dtype)
        for kind in ("hdf", "files"):
            for attempt in (ended_at(150, function), function):
                with made_by(kind, tmp_path) as backend:
                    if attempt is function:
                        job(backend, attempt, blobs_dtype=dtype)
                        assert_same_backend(backend, theirs)
                        continue
                    with pytest.raises(Interrupted):
                        job(backend, attempt, blobs_dtype=dtype)

    def test_the_same_sampler_goes_on(self, again):
        backend = again()
        failing = ended_at(200)
        sampler = sampler_on(backend, lambda x: failing(x))
        with pytest.raises(Interrupted):
            drawstore.emcee.run(sampler, start_points(), total=TOTAL)
        np.random.rand(3)  # noqa: NPY002 - nobody else's random numbers count
        sampler.random_state = np.random.RandomState(5).get_state()
        failing = log_prob
        drawstore.emcee.run(sampler, None, total=TOTAL)
        assert_same_backend(backend, whole())

    def test_more_in_all(self, again):
        for total in (5, 5, 12, TOTAL):
            state = job(again(), total=total)
            assert_same_array(state.coords, again().get_last_sample().coords)
            assert again().iteration == total
        assert_same_backend(again(), whole())

    def test_thinned(self, again):
        options = {"thin_by": 3}
        with pytest.raises(Interrupted):
            job(again(), ended_at(10 * SHAPE[0]), run_options=options)
        job(again(), run_options=options)
        assert_same_backend(again(), whole(sample=options))

    def test_walkers_that_start_in_single_precision(self, again):
        start = start_points().astype(np.float32)
        theirs = emcee.backends.Backend()
        sampler_on(theirs).run_mcmc(start, TOTAL)
        with pytest.raises(Interrupted):
            job(again(), ended_at(100), start=start)
        job(again(), start=start)
        assert_same_array(again().get_chain(), theirs.get_chain())

    def test_walkers_that_are_not_independent(self, again):
        start = start_points()
        start[:, 0] = 1.0
        with pytest.raises(ValueError, match="linearly independent"):
            job(again(), start=start)
        with pytest.raises(Interrupted):
            job(again(), ended_at(100), start=start, run_options={"skip_initial_state_check": True})
        job(again(), start=start)
        assert again().iteration == TOTAL


def test_a_run_that_emcee_began(tmp_path):
    run(emcee.backends.HDFBackend(tmp_path / "chain.h5"), 11)
    job(HDFBackend(tmp_path / "chain.h5"))
    assert_same_backend(emcee.backends.HDFBackend(tmp_path / "chain.h5"), whole())


class TestEnds:
    def test_complete(self, again):
        run(again(), TOTAL)
        calls = []
        state = job(again(), calls.append)
        assert not calls
        assert_same_array(state.coords, again().get_last_sample().coords)

    def test_complete_and_read_only(self, tmp_path):
        run(HDFBackend(tmp_path / "chain.h5"), TOTAL)
        job(HDFBackend(tmp_path / "chain.h5", read_only=True))
        with pytest.raises(RuntimeError, match="read-only"):
            job(HDFBackend(tmp_path / "chain.h5", read_only=True), total=TOTAL + 1)

    def test_more_steps_than_in_all(self, again):
        run(again(), TOTAL)
        with pytest.raises(ValueError, match="there are 30 steps already, more than total=29"):
            job(again(), total=TOTAL - 1)
        assert again().iteration == TOTAL

    def test_nothing_to_start_from(self, again):
        with pytest.raises(ValueError, match="pass an initial state"):
            drawstore.emcee.run(sampler_on(again()), None, total=TOTAL)

    @pytest.mark.parametrize("total", [1.5, -1, "7"])
    def test_total(self, again, total):
        with pytest.raises((TypeError, ValueError), match="the number of steps is"):
            job(again(), total=total)

    @pytest.mark.parametrize(
        ("option", "value"), [("store", False), ("thin", 2), ("iterations", 5), ("rstate0", 1)]
    )
    def test_options_that_have_no_place(self, again, option, value):
        with pytest.raises(TypeError, match=rf"run takes no {option}=: "):
            job(again(), run_options={option: value})
        job(again())
        assert again().iteration == TOTAL

    @pytest.mark.parametrize("backend", [None, "emcee's"])
    def test_no_backend_of_ours(self, tmp_path, backend):
        theirs = backend and emcee.backends.HDFBackend(tmp_path / "chain.h5")
        with pytest.raises(TypeError, match=r"keeps its steps in emcee\.backends\..*backend="):
            drawstore.emcee.run(sampler_on(theirs), start_points(), total=TOTAL)

    def test_steps_without_a_state_of_the_random_numbers(self):
        backend = Backend()
        run(backend, 3)
        backend.random_state = None
        with pytest.raises(ValueError, match="random numbers is not kept"):
            job(backend)


@pytest.fixture
def helpers_in_children(request, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent), prepend=":")


# One process forks those that are killed, so that Python starts once.
STARTED_AGAIN_UNTIL_DONE = """
import os, pathlib, random, signal, sys
import numpy as np, emcee
import emcee_jobs, emcee_runs

kind, function, folder = sys.argv[1], getattr(emcee_runs, sys.argv[2]), pathlib.Path(sys.argv[3])
chosen = random.Random(kind)

def attempt(calls):
    left = [calls]
    def dying(x):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(x)
    with emcee_jobs.made_by(kind, folder) as backend:
        emcee_jobs.job(backend, dying)

killed = 0
while True:
    # The first is killed when there is a run and no step; the others ever later.
    calls = 3 if killed == 0 else chosen.randrange(40 * killed, 80 * killed)
    pid = os.fork()
    if pid == 0:
        attempt(calls)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    killed += 1
print(killed)
"""


@pytest.mark.usefixtures("helpers_in_children")
@pytest.mark.parametrize("function", [log_prob, log_prob_dict])
@pytest.mark.parametrize("kind", ["files", "hdf5", "hdf", "gzip"])
def test_killed_and_started_again_until_it_is_done(tmp_path, kind, function):
    out, _ = run_code(STARTED_AGAIN_UNTIL_DONE, kind, function.__name__, tmp_path)
    assert int(out) >= 3
    with made_by(kind, tmp_path) as backend:
        assert_same_backend(backend, whole(function))


KILLED_BEFORE_THE_FIRST_STEP = """
import os, pathlib, signal, sys
import emcee_jobs, emcee_runs

kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
backend = emcee_jobs.made_by(kind, folder)
emcee_runs.run(backend, 7, seed=8)
backend.reset(*emcee_runs.SHAPE)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("helpers_in_children")
@pytest.mark.parametrize("kind", ["files", "hdf5", "hdf"])
def test_killed_between_reset_and_the_first_step(tmp_path, kind):
    run_code(KILLED_BEFORE_THE_FIRST_STEP, kind, tmp_path, code_expected=-9)
    with made_by(kind, tmp_path) as backend:
        if backend.initialized:
            assert backend.iteration == 0
        sampler = sampler_on(backend)
        drawstore.emcee.run(sampler, start_points(), total=TOTAL)
        assert_same_backend(backend, whole())
