"""A job that is started twice, and one whose pool outlives it."""

import contextlib
import os
import signal
import socket

import pytest
from ledger import Ledger
from rows import LAYOUTS
from stores import STORES
from workloads import write_with_a_pool


@pytest.mark.parametrize("name", STORES)
def test_the_second_is_told_of_the_first_and_takes_its_place_when_it_dies(tmp_path, nursery, name):
    path, layout, store = str(tmp_path / "it"), LAYOUTS[0], STORES[name]
    store.create(path, layout)
    ledger = Ledger(tmp_path / "ledger")
    first = nursery.start(write_with_a_pool, name, path, ledger, layout)
    ledger.wait_for("said", 1)
    try:
        with pytest.raises((RuntimeError, BlockingIOError)) as caught:
            store.resume(path, layout)
        assert f"process {first.pid} on " in str(caught.value)
        assert socket.gethostname() in str(caught.value)
        first.kill_and_wait()
        assert store.check(path, layout) == ledger.appended == 2
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(ledger.said, signal.SIGKILL)
