"""Handles in other places: pickles, threads, processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from drawstore.interface import Backend, Chain

from .base import ContractBase, assert_same, begin, chain_of

__all__ = ["HandlesContract"]

READ = """
import pickle, sys
backend, rid = pickle.load(sys.stdin.buffer)
chain, = backend.get_run(rid).get_chains()
print(len(chain), chain.get_draws("x").sum())
"""


def run_threads(*targets: Callable[[], None]) -> None:
    """Run functions at once; the first error of one is raised."""
    errors: list[BaseException] = []

    def call(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class HandlesContract(ContractBase):
    """Handles go through pickles, and stand threads."""

    @pytest.fixture
    def flushed(self, backend: Backend) -> Chain:
        """A chain of twenty draws, flushed."""
        chain = begin(backend, {"x": (np.float64, (2,)), "t": ("str", ())}, {"s": (np.int64, ())})
        for i in range(20):
            chain.append({"x": [i, -i], "t": f"{i}"}, {"s": i} if i % 2 else {})
        chain.flush()
        return chain

    def test_pickles_read_what_was_flushed(self, backend: Backend, flushed: Chain) -> None:
        run = backend.get_run(flushed.rid)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            copies = pickle.loads(pickle.dumps((backend, run, flushed), protocol))
            for copy in (
                chain_of(copies[0], flushed.rid, 0),
                copies[1].get_chains()[0],
                copies[2],
            ):
                assert (copy.rid, copy.chain_number, len(copy)) == (flushed.rid, 0, 20)
                assert_same(copy.get_draws("x"), flushed.get_draws("x"))
                assert_same(copy.get_draws("t"), flushed.get_draws("t"))
                assert np.ma.getmaskarray(copy.get_stats("s")).tolist() == [True, False] * 10
            assert copies[1].meta == run.meta
            if self.reopen(backend) is not None:
                assert copies[1].created_at == run.created_at
            assert copies[0].get_runs()[0].chains == {0: 20}

    def test_pickling_leaves_the_original_as_it_is(self, backend: Backend, flushed: Chain) -> None:
        copy = pickle.loads(pickle.dumps(flushed))
        flushed.append({"x": [20, -20], "t": "20"})
        flushed.close()
        assert len(flushed) == 21
        assert len(copy) in (20, 21)
        assert_same(copy.get_draws("x", slice(20)), flushed.get_draws("x", slice(20)))

    def test_another_process_reads_what_was_flushed(self, backend: Backend, flushed: Chain) -> None:
        done = subprocess.run(
            [sys.executable, "-c", READ],
            input=pickle.dumps((backend, flushed.rid)),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            timeout=120,
            check=False,
        )
        if not self.is_shared:
            assert done.returncode != 0
            assert b"one process at a time" in done.stderr
            return
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.split() == [b"20", b"0.0"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
    def test_a_forked_child_leaves_the_chain_to_its_parent(
        self, backend: Backend, flushed: Chain
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:  # pragma: no cover - in the child
            code = 1
            try:
                flushed.append({"x": [0, 0], "t": "from the child"})
                code = 2
            except RuntimeError as error:
                code = 0 if "process" in str(error) else 3
            finally:
                os._exit(code)
        # What ends with the process may be appended to in the child, whose memory is its own.
        codes = (0, 2) if self.reopen(backend) is None else (0,)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in codes
        flushed.append({"x": [20, -20], "t": "20"})
        for handle in self.stored(backend, flushed):
            assert handle.get_draws("t").tolist() == [str(i) for i in range(21)]

    def test_two_threads_that_append(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.int64, (50,)), "t": ("str", ())})
        taken: list[int] = []
        refused: list[str] = []

        def append(first: int) -> None:
            for i in range(first, first + 300):
                try:
                    chain.append({"x": np.full(50, i), "t": str(i)})
                    taken.append(i)
                except RuntimeError as error:
                    refused.append(str(error))

        run_threads(lambda: append(0), lambda: append(1000))
        assert all("thread" in error for error in refused)
        for handle in self.stored(backend, chain):
            rows = handle.get_draws("x")
            assert (rows == rows[:, :1]).all()
            assert sorted(rows[:, 0]) == sorted(taken)
            assert handle.get_draws("t").tolist() == [str(i) for i in rows[:, 0]]

    def test_readers_see_whole_rows_while_a_thread_appends(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.int64, (20,)), "y": (np.int64, ())}, {"s": (np.int64, ())})
        done = threading.Event()

        def append() -> None:
            try:
                end = time.monotonic() + 0.5
                i = 0
                while time.monotonic() < end:
                    chain.append({"x": np.full(20, i), "y": i}, {"s": i})
                    chain.extend({"x": np.full((2, 20), i + 1), "y": [i + 1] * 2})
                    i += 2
                    if i % 500 == 0:
                        chain.flush()
            finally:
                done.set()

        def read() -> None:
            seen = 0
            while not done.is_set():
                n = len(chain)
                assert n >= seen
                seen = n
                x = chain.get_draws("x", slice(max(0, n - 50), n))
                y = chain.get_draws("y", slice(max(0, n - 50), n))
                assert len(x) == len(y) == min(n, 50)
                assert (x == y[:, None]).all()
                if n:
                    draw = chain.get_draws_at(n - 1)
                    assert (draw["x"] == draw["y"]).all()
                    chain.get_stats("s", slice(max(0, n - 50), n))

        run_threads(append, read, read)
        for handle in self.stored(backend, chain):
            y = handle.get_draws("y")
            assert len(y) > 0
            row = np.arange(len(y))
            assert_same(y, (row // 3 * 2 + (row % 3 > 0)).astype(np.int64))
            assert (handle.get_draws("x") == y[:, None]).all()
