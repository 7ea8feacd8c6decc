"""Threads: any number may read while one saves; a second that saves at the same time is refused."""

import sys
import threading

import emcee
import numpy as np
import pytest

from drawstore.emcee import Backend, HDFBackend

SHAPE = (16, 3)
STEPS = 2000


@pytest.fixture(params=["memory", "hdf"])
def backend(request, tmp_path):
    if request.param == "memory":
        yield Backend()
    else:
        with HDFBackend(tmp_path / "a.h5", flush_interval=0.005) as backend:
            yield backend


@pytest.fixture(autouse=True)
def _switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def numbered(i):
    """The i-th step: every number in it is i."""
    state = emcee.State(np.full(SHAPE, float(i)), log_prob=np.full(SHAPE[0], float(i)))
    state.random_state = np.random.RandomState(1).get_state()
    return state


def in_threads(*functions):
    """Run functions in threads of their own; gives what each raised."""
    errors = [None] * len(functions)

    def call(i):
        try:
            functions[i]()
        except Exception as error:
            errors[i] = error

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_readers_see_whole_steps_in_order_while_one_thread_saves(backend):
    backend.reset(*SHAPE)
    backend.grow(STEPS, None)
    backend.save_step(numbered(0), np.ones(SHAPE[0], bool))
    finished = threading.Event()
    reads = []

    def save():
        try:
            for i in range(1, STEPS):
                backend.save_step(numbered(i), np.ones(SHAPE[0], bool))
        finally:
            finished.set()

    def read():
        n = 0
        while not finished.is_set() or not n:
            before = backend.iteration
            chain, log_prob = backend.get_chain(), backend.get_log_prob(thin=3)
            assert before <= len(chain) <= backend.iteration
            np.testing.assert_array_equal(
                chain, np.broadcast_to(np.arange(len(chain))[:, None, None], chain.shape)
            )
            np.testing.assert_array_equal(log_prob[:, 0], np.arange(len(log_prob)) * 3 + 2)
            assert backend.get_last_sample().coords[0, 0] >= before - 1
            n += 1
        reads.append(n)

    assert in_threads(save, read, read) == [None, None, None]
    assert len(reads) == 2
    assert backend.iteration == STEPS


def test_a_second_thread_that_saves_gets_an_error_and_the_run_stays_whole(backend):
    """Whether they meet is up to the system; what each saved and was refused has to add up."""
    backend.reset(*SHAPE)
    n = 20_000
    backend.grow(10 * n, None)
    saved = [0, 0]

    def saver(k):
        def save():
            state, accepted = numbered(k + 1), np.ones(SHAPE[0], bool)
            for _ in range(n):
                try:
                    backend.save_step(state, accepted)
                except RuntimeError as error:
                    assert "one thread" in str(error) or "another thread" in str(error)  # noqa: PT017
                else:
                    saved[k] += 1

        return save

    assert in_threads(saver(0), saver(1)) == [None, None]
    assert backend.iteration == sum(saved)
    chain = backend.get_chain()
    assert np.all(chain == chain[:, :1, :1])
    assert [int(np.sum(chain[:, 0, 0] == k + 1)) for k in (0, 1)] == saved
    np.testing.assert_array_equal(backend.accepted, np.full(SHAPE[0], sum(saved)))


@pytest.fixture(params=[0.005, 1e-5])
def turns(request):
    """Threads take turns so often: with shorter ones, more of what may go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("turns")
def test_flush_and_close_from_other_threads(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=0.005)
    backend.reset(*SHAPE)
    finished = threading.Event()

    def save():
        try:
            for i in range(600):
                if i % 100 == 0:
                    backend.grow(100, None)
                backend.save_step(numbered(i), np.ones(SHAPE[0], bool))
        finally:
            finished.set()

    def deliver(how):
        def call():
            while not finished.is_set():
                how()

        return call

    others = [deliver(how) for how in (backend.flush, backend.close, backend.close)]
    assert in_threads(save, *others) == [None] * 4
    backend.close()
    stored = emcee.backends.HDFBackend(tmp_path / "a.h5").get_chain()
    np.testing.assert_array_equal(stored[:, 0, 0], np.arange(600))


def test_many_threads_read_one_file(tmp_path):
    with HDFBackend(tmp_path / "a.h5") as backend:
        backend.reset(*SHAPE)
        backend.grow(500, None)
        for i in range(500):
            backend.save_step(numbered(i), np.ones(SHAPE[0], bool))

    def read():
        for thin in (1, 2, 7, 10):
            chain = HDFBackend(tmp_path / "a.h5").get_chain(thin=thin)
            np.testing.assert_array_equal(chain[:, 0, 0], np.arange(500)[thin - 1 :: thin])

    assert in_threads(*[read] * 6) == [None] * 6
