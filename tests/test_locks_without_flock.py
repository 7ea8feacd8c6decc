"""Two writers where the file system has no flock, on one machine and on two."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripting import LIGHT

HERE = Path(__file__).parent
HEARTBEAT = 0.05  # seconds
UNTIL_DEAD = 12 * HEARTBEAT
BEGIN = f"{LIGHT}import lock_job; lock_job.work(*sys.argv[1:])"
STORES = ["files-mapped", "files-written", "hdf5", "emcee"]


@pytest.fixture(scope="session")
def no_flock(tmp_path_factory):
    library = tmp_path_factory.mktemp("library") / "without_flock.so"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    source = HERE / "without_flock.c"
    subprocess.run(["cc", *flags, "-o", library, source, "-ldl"], check=True)
    return str(library)


class Job:
    """A process without flock that writes to a store; see lock_job.py."""

    def __init__(self, library, name, path, machine):
        env = {**os.environ, "LD_PRELOAD": library}
        env["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE / "faults"), *sys.path])
        if machine is not None:
            env["MACHINE"] = machine
        self.process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, name, path, str(HEARTBEAT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.pid = self.process.pid

    def begin(self, command):
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def answer(self):
        return self.process.stdout.readline().strip()

    def ask(self, command):
        self.begin(command)
        return self.answer()

    def do(self, *commands):
        for command in commands:
            assert self.ask(command) == "done"

    def ask_as_a_reader(self, command):
        """Ask again where the file was in the middle of a change: readers have no locks there."""
        for _ in range(20):
            answer = self.ask(command)
            if "Error: " not in answer and "cannot be read" not in answer:
                break
        return answer

    def resume_when_free(self):
        """Resume where the last holder was seen alive just now."""
        answer = self.ask("resume")
        while "is being written by" in answer:
            answer = self.ask("resume")
        assert answer == "done"

    def stop(self):
        """Stop it; returns when all of its threads have."""
        os.kill(self.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        while any(") T" not in (task / "stat").read_text() for task in tasks.iterdir()):
            time.sleep(0.001)

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(params=STORES)
def start(request, tmp_path, no_flock):
    jobs = []

    def start(machine=None):
        jobs.append(Job(no_flock, request.param, str(tmp_path / "it"), machine))
        return jobs[-1]

    yield start
    for job in jobs:
        if job.process.returncode is None:
            job.process.send_signal(signal.SIGCONT)
            job.kill()


def lock_files(folder):
    return sorted(path.name for path in folder.rglob("*-lock*"))


def test_the_second_is_refused_and_takes_the_place_of_the_dead_at_once(start, tmp_path):
    first, second = start(), start()
    first.do("create", "resume", "append", "append", "append")
    refused = second.ask("resume")
    assert f"process {first.pid} on host '{socket.gethostname()}'" in refused
    assert "wait until it ends" in refused.lower()
    assert second.ask_as_a_reader("read") == "3"
    first.kill()
    begin = time.monotonic()
    second.do("resume")
    assert time.monotonic() - begin < UNTIL_DEAD
    assert second.ask("count") == "3"
    second.do("append", "close")
    second.end()
    assert lock_files(tmp_path) == []
    assert start().ask("read") == "4"


def test_one_on_another_machine_is_refused_and_taken_over_when_it_gives_no_sign(start, tmp_path):
    first, second = start("one"), start("two")
    first.do("create", "resume", "append")
    for _ in range(3):
        assert f"process {first.pid} on host 'one'" in second.ask("resume")
        time.sleep(UNTIL_DEAD)
    first.do("append")
    assert lock_files(tmp_path)
    first.kill()
    begin = time.monotonic()
    second.resume_when_free()
    assert time.monotonic() - begin > UNTIL_DEAD / 2
    assert second.ask("count") == "2"
    second.do("append", "close")
    assert second.ask("read") == "3"


def test_who_was_stopped_until_he_seemed_dead_writes_nothing_more(start):
    first, second = start("one"), start("two")
    # Flushed: who is stopped in the middle of a write can still end that.
    first.do("create", "resume", "append", "append", "flush")
    first.stop()
    first.begin("append")
    second.resume_when_free()
    second.do("append")
    os.kill(first.pid, signal.SIGCONT)
    for answer in first.answer(), first.ask("append"):
        assert answer.startswith("RuntimeError: this process does not hold")
        assert f"process {second.pid} on host 'two'" in answer
    first.ask("close")
    first.end()
    second.do("append")
    assert second.ask("count") == "4"
    second.do("close")
    assert second.ask("read") == "4"


def test_show_names_the_holder_and_h5py_opens_the_file(start, tmp_path):
    first, second = start("one"), start("two")
    first.do("create", "resume", "append")
    shown = second.ask_as_a_reader("show")
    assert f"being written by process {first.pid} on one" in shown
    assert "not ours" not in shown
    first.do("close", "open")


def test_a_child_of_the_holder_does_not_end_the_lock_nor_does_it_stop_the_heart(start):
    first, second = start("one"), start("two")
    first.do("create", "resume", "append")
    assert first.ask("fork") == "0"
    time.sleep(UNTIL_DEAD)
    assert f"process {first.pid} on host 'one'" in second.ask("resume")
    first.do("append", "close")
    assert second.ask("read") == "2"
    second.do("resume", "append")
