"""What the processes do that write to a server, and are killed, forked, or in each other's way."""

import contextlib
import logging
import multiprocessing
import os
import sys
import time

import numpy.ma  # noqa: F401  - what rows need is there when children are forked
import pytest
import rows

from drawstore import ClickHouseBackend

MOST_BYTES = 20_000_000


def resume(url, journals, **options):
    backend = ClickHouseBackend(url, journal=journals, flush_interval=0.01, **options)
    return backend.get_run(rows.RID).init_chain(0, resume=True)


def append(chain, layout, ledger, n=1):
    """Append rows where the chain ends, and say so."""
    i = ledger.appended
    ledger.begun = i + n
    if n == 1:
        layout.append(chain, i)
    else:
        layout.extend(chain, i, n)
    ledger.appended = i + n


def append_forever(url, journals, layout, ledger, pace=0.001, batch=1, timeout=0.3):
    """Append until the kill, at first to a server that answers."""
    chain = resume(url, journals, timeout=timeout)
    assert len(chain) == ledger.appended, f"{len(chain)} there, {ledger.appended} appended"
    ledger.said += 1
    while 8 * layout.width * ledger.appended < MOST_BYTES:
        append(chain, layout, ledger, batch)
        time.sleep(pace)
    time.sleep(60)


def open_forever(url, journals):
    """Deliver what a process that died has left; over and over, until the kill."""
    logging.disable()
    while True:
        with contextlib.suppress(OSError):
            ClickHouseBackend(url, journal=journals, timeout=0.3)
        time.sleep(0.001)


def use_in_children(url, journals, layout, ledger):
    """Fork, and have children use the chain, while the server stalls (``asked``)."""
    chain = resume(url, journals, timeout=30)
    append(chain, layout, ledger, 3)
    _use_in_children(chain, layout)
    chain.flush()
    ledger.said = 1
    ledger.wait_for("asked", 1)  # it stalls now
    append(chain, layout, ledger, 3)
    time.sleep(0.3)
    begun = time.monotonic()
    _use_in_children(chain, layout)
    took = time.monotonic() - begun
    assert took < 2, f"two children took {took} s"
    ledger.said = 2
    ledger.wait_for("asked", 2)  # it answers again
    append(chain, layout, ledger, 3)
    chain.close()


def _use_in_children(chain, layout):
    def use():
        for way in layout.append, lambda chain, i: layout.extend(chain, i, 5):
            with pytest.raises(RuntimeError, match="forked"):
                way(chain, 0)
        chain.flush()
        chain.close()

    for start in _fork, _fork_with_multiprocessing:
        begun = time.monotonic()
        wait = start(use)
        took = time.monotonic() - begun
        assert took < 1, f"the fork took {took} s"
        assert wait() == 0


def _fork(function):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            if code:
                sys.excepthook(*sys.exc_info())
            os._exit(code)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fork_with_multiprocessing(function):
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()

    def wait():
        process.join(30)
        return process.exitcode

    return wait


def begin_while_another_writes(url, journals, layout, ledger):
    """Go on with a chain as a process of another machine would: with journals of its own."""
    chain = resume(url, journals)
    ledger.appended = len(chain)
    append(chain, layout, ledger, 5)
    chain.flush()  # the other one goes on behind these
    ledger.said = 1
    ledger.wait_for("asked", 1)
    append(chain, layout, ledger, 5)
    with pytest.raises(RuntimeError, match="another program"):
        chain.close(10)
    ledger.said = 2
