"""What is special about runs in files; the rest is in the contract of all backends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drawstore import FileBackend, make_meta

SCALARS = {"i": ("int64", ()), "x": ("float64", (3,))}

WRITER = """
import sys
import numpy as np
from drawstore import FileBackend
chain = FileBackend(sys.argv[1]).get_run("run").init_chain(0, resume=True)
i = len(chain)
while True:
    chain.append({"i": i, "x": np.full(3, i, "float64")})
    i += 1
    if i % 1000 == 0:
        print(i, flush=True)
"""


def bytes_read() -> int:
    text = Path("/proc/self/io").read_text()
    return int(dict(line.split(": ") for line in text.splitlines())["rchar"])


def test_one_of_many_variables_is_read_alone(tmp_path):
    names = [f"v{i}" for i in range(1000)]
    run = FileBackend(tmp_path).init_run(make_meta(dict.fromkeys(names, ("float64", ()))))
    chain = run.init_chain(0)
    values = np.arange(2000.0)
    chain.extend(dict.fromkeys(names, values))
    for _ in range(200):
        chain.append(dict.fromkeys(names, 7.0))
    chain.close()
    del chain

    reader = FileBackend(tmp_path, "r").get_run(run.rid)
    before = bytes_read()
    draws = reader.get_chains()[0].get_draws("v500")
    assert bytes_read() - before < run.size / 10
    np.testing.assert_array_equal(draws, np.append(values, np.full(200, 7.0)))


def test_draws_survive_kills_and_are_read_meanwhile(tmp_path):
    FileBackend(tmp_path).init_run(make_meta(SCALARS, rid="run")).init_chain(0).close()
    reader = FileBackend(tmp_path, "r").get_run("run").get_chains()[0]
    seen = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            reached = int(writer.stdout.readline())
            for _ in range(20):
                n = len(reader)
                assert n >= seen
                seen = n
                np.testing.assert_array_equal(reader.get_draws("i", slice(0, n)), np.arange(n))
                np.testing.assert_array_equal(
                    reader.get_draws("x", slice(0, n))[:, 2], np.arange(n)
                )
            writer.send_signal(signal.SIGKILL)
        assert len(reader) >= max(reached, seen)
        seen = len(reader)
    chain = FileBackend(tmp_path).get_run("run").init_chain(0, resume=True)
    assert len(chain) == seen
    np.testing.assert_array_equal(chain.get_draws("i"), np.arange(seen))


def test_a_second_process_is_told_who_writes(tmp_path):
    chain = FileBackend(tmp_path).init_run(make_meta(SCALARS, rid="run")).init_chain(0)
    done = subprocess.run(
        [sys.executable, "-c", WRITER, tmp_path], capture_output=True, text=True, check=False
    )
    assert f"RuntimeError: chain 0 in '{tmp_path}" in done.stderr
    assert f"is being written by process {os.getpid()} on host '" in done.stderr
    assert len(chain) == 0


@pytest.mark.parametrize("tail", ["mapped", "written"])
def test_a_file_is_as_large_as_its_draws_with_tail_and_header(tmp_path, tail):
    run = FileBackend(tmp_path, store=tail).init_run(make_meta(SCALARS))
    chain = run.init_chain(0)
    for i in range(50_000):
        chain.append({"i": i, "x": np.zeros(3)})
    assert run.size < 50_000 * 32 * 1.05 + 2.3e6
