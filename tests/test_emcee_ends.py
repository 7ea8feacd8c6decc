"""Signals and the end of the interpreter in the middle of a run: what was saved is kept."""

import random
import signal

import pytest

from emcee_jobs import job, made_by, whole
from emcee_runs import assert_same_backend, log_prob
from scripting import finish, start, wait_for

KINDS = ["files", "hdf5", "hdf"]


@pytest.fixture(autouse=True)
def helpers_in_children(request, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent), prepend=":")


# Ends when a signal comes, and says how many steps the backend had then.
SAMPLE_UNTIL_A_SIGNAL = """
import pathlib, signal, sys
import emcee_jobs, emcee_runs

kind, folder, end = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
if end == "exit on SIGTERM":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
backend = emcee_jobs.made_by(kind, folder)
sampler = emcee_runs.sampler_on(backend)
try:
    for i, _ in enumerate(sampler.sample(emcee_runs.start_points(), iterations=10**6)):
        if i == 50:
            print("ready", flush=True)
        if end == "an error" and i == 70:
            raise ValueError("of the script")
finally:
    print(backend.iteration)
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("end", "number", "code"),
    [
        ("Ctrl-C", signal.SIGINT, -signal.SIGINT),
        ("exit on SIGTERM", signal.SIGTERM, 143),
        ("an error", None, 1),
    ],
)
def test_a_run_that_is_ended_is_kept_whole(tmp_path, kind, end, number, code):
    process = start(SAMPLE_UNTIL_A_SIGNAL, kind, tmp_path, end)
    wait_for(process, "ready")
    if number is not None:
        process.send_signal(number)
    out, err = finish(process, code)
    assert "drawstore: " not in err  # as it begins when it loses steps
    steps = int(out.split()[-1])  # emcee prints, too
    with made_by(kind, tmp_path) as backend:
        assert backend.iteration == steps > 50
        job(backend, total=steps + 10)
        assert_same_backend(backend, whole(steps=steps + 10))


class Interrupt(BaseException):
    pass


@pytest.fixture
def interrupted():
    """What samples until an interrupt ends it, some time after the first step was begun."""
    armed = False

    def handler(number, frame):
        if armed:
            raise Interrupt

    def sample(backend, seconds):
        nonlocal armed

        def arming(x):
            nonlocal armed
            if not armed:
                armed = True
                # Again and again, because Python itself ignores an exception in some places.
                signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
            return log_prob(x)

        try:
            try:
                job(backend, arming, total=10**6)
            finally:
                armed = False
        except Interrupt:
            pass

    before = signal.signal(signal.SIGALRM, handler)
    yield sample
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_while_sampling_and_gone_on_with(tmp_path, kind, interrupted):
    """As in a notebook: the process, the backend and its thread live on."""
    chosen = random.Random(kind)
    with made_by(kind, tmp_path) as backend:
        backend.flush_interval = 0.001
        job(backend, total=1)
        for _ in range(20):
            interrupted(backend, chosen.uniform(0.001, 0.02))
        steps = backend.iteration
        assert steps > 20
        assert_same_backend(backend, whole(steps=steps))
    with made_by(kind, tmp_path) as backend:
        assert_same_backend(backend, whole(steps=steps))
