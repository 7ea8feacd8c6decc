"""A lock is given back, whatever comes between taking it and leaving the context."""

import signal
import threading
import time

import pytest

from drawstore._core import Holding


class Interrupt(Exception):
    pass


def test_it_is_held_as_long_as_the_context_lasts():
    lock = threading.Lock()
    with Holding(lock, float("inf")) as is_free:
        assert is_free
        assert lock.locked()
        with Holding(lock, 0.0) as is_free:
            assert not is_free
        assert lock.locked()
    assert not lock.locked()


def test_it_waits_so_long():
    lock = threading.Lock()
    with lock:
        start = time.monotonic()
        with Holding(lock, 0.05) as is_free:
            assert not is_free
        assert time.monotonic() - start >= 0.05


def test_it_is_given_back_after_an_error():
    lock = threading.RLock()
    with pytest.raises(ValueError, match="of the block"), Holding(lock, 1.0):
        raise ValueError("of the block")
    thread = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=0)))
    taken = []
    thread.start()
    thread.join()
    assert taken == [True]


def test_a_signal_does_not_leave_it_locked():
    def interrupt(number, frame):
        raise Interrupt

    lock, interrupts = threading.Lock(), 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        while interrupts < 300:
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4)
                while True:
                    with Holding(lock, 1.0) as is_free:
                        assert is_free
            except Interrupt:
                interrupts += 1
            assert not lock.locked()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
