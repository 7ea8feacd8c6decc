"""When sampling has to end, as Slurm says; a program of our own stands for its squeue."""

import os
import stat
import sys
import time

import pytest

from drawstore.deadline import TimeLimit
from drawstore.delivery.pace import Pace


@pytest.fixture
def in_job(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)


@pytest.fixture
def squeue(tmp_path, monkeypatch, in_job):
    """Have squeue run some Python, in which ``arguments`` are its own."""

    def make(code):
        program = tmp_path / "squeue"
        program.write_text(f"#!{sys.executable}\nimport sys\narguments = sys.argv[1:]\n{code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return make


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ("59:30", 3570),
        ("0:05", 5),
        ("12:00:00", 43200),
        ("1-02:03:04", 93784),
        ("0:00", 0),
        ("UNLIMITED", float("inf")),
    ],
)
def test_squeue_says_how_much_time_is_left(squeue, answer, seconds):
    squeue(
        "assert arguments == ['--noheader', '--jobs', '4711', '--format', '%L'], arguments\n"
        f"print({answer!r})"
    )
    assert TimeLimit(deadline="slurm").left() == pytest.approx(seconds, abs=5)


def test_the_environment_comes_first(squeue, monkeypatch):
    squeue("sys.exit('asked')")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 100))
    assert TimeLimit(deadline="slurm").left() == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('NOT_SET')", "squeue says 'NOT_SET' of the time that job 4711 has left"),
        ("print()", "squeue says '' of the time"),
        ("sys.exit('slurm_load_jobs error: Invalid job id')", "job 4711 ends: slurm_load_jobs"),
    ],
)
def test_squeue_does_not_say(squeue, code, message):
    squeue(code)
    with pytest.raises(ValueError, match=message):
        TimeLimit(deadline="slurm")


def test_there_is_no_squeue(tmp_path, monkeypatch, in_job):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"squeue does not say when job 4711 ends: .*squeue"):
        TimeLimit(deadline="slurm")


def test_no_job(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    with pytest.raises(ValueError, match="no job of Slurm"):
        TimeLimit(deadline="slurm")


def test_the_nearer_limit_counts():
    assert TimeLimit(max_time=50, deadline=time.time() + 1000).left() == pytest.approx(50, abs=5)
    assert TimeLimit(max_time=1000, deadline=time.time() + 50).left() == pytest.approx(50, abs=5)
    assert TimeLimit().left() == float("inf")
    assert not TimeLimit().is_over()


def test_the_margin():
    assert TimeLimit(max_time=1000).margin == pytest.approx(10, abs=0.5)
    assert TimeLimit(max_time=86400).margin == 60
    assert TimeLimit(max_time=86400, margin=3).margin == 3
    assert TimeLimit(max_time=0).margin == 0


def test_the_time_of_the_ending_is_kept_free():
    seconds = 0.0
    limit = TimeLimit(max_time=1000, margin=0, ending=lambda: seconds)
    assert not limit.is_over()
    seconds = 2000.0
    time.sleep(0.1)  # it is asked ten times a second
    assert limit.is_over()


def test_the_slowest_of_the_last_drains_says_how_long_the_next_takes():
    pace = Pace()
    assert pace.expected(10**9) == 0.0
    pace.note(1000, 0.5)
    assert pace.expected(0) == pace.expected(1000) == 0.5
    assert pace.expected(3000) == pytest.approx(1.5)
    pace.note(10, 2.0)
    assert pace.expected(0) == 2.0
    pace.note(4000, 0.1)
    assert 1.8 < pace.expected(4000) < 2.0
    for _ in range(100):
        pace.note(4000, 0.1)
    assert pace.expected(4000) == pytest.approx(0.1)
    pace.note(4000, 3600)  # a reader held the file; the end does not wait for it that long
    assert pace.expected(4000) == 60


def test_the_time_of_steps_is_kept_free():
    limit = TimeLimit(max_time=1.0, margin=0)
    assert not limit.is_over()
    time.sleep(0.4)
    assert limit.is_over()  # 0.6 s are left, and two steps as the last one take 0.8 s
