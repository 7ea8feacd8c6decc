"""What the command prints: in a terminal, into a pipe, and of names that mean harm."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import drawstore
from cli_runs import make, reported, said
from terminal import DRAWSTORE, Terminal

EVIL = "\x1b]0;pwned\x07[red]x[/red]\n\u202e:smile:\x9b31m"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def evil(tmp_path):
    """A run of whose names, texts and labels each is `EVIL`."""
    meta = drawstore.make_meta(
        {EVIL: (float, (2,), (EVIL,)), "x": (float, ())},
        {f"{EVIL}2": (float, ())},
        coords={EVIL: [EVIL, "b"]},
        observed_data={f"{EVIL}3": ([1.0], None)},
        attributes={EVIL: EVIL},
        rid=EVIL,
    )
    run = drawstore.FileBackend(tmp_path / "evil").init_run(meta)
    with run.init_chain(0) as chain:
        rng = np.random.default_rng(1)
        values = {EVIL: rng.normal(size=(100, 2)), "x": rng.normal(size=100)}
        chain.extend(values, {f"{EVIL}2": np.zeros(100)})
    return str(tmp_path / "evil")


@pytest.mark.parametrize("command", ["ls", "show", "summary", "check", "recover", "why", "diff"])
def test_names_that_mean_harm_do_none(capsys, evil, command):
    where = [evil] * (2 if command == "diff" else 1)
    code, out, err = said(capsys, command, *where)
    assert (code, err) == (0, "")
    assert not CONTROL.search(out)
    assert r"\x1b]0;pwned\x07[red]x[/red]\n\u202e:smile:\x9b31m" in out.replace("\\\\", "\\")
    main_json = said(capsys, command, *where, "--json")[1]
    assert not CONTROL.search(main_json)
    reported(capsys, command, *where)
    if command == "ls":
        assert json.loads(main_json)["runs"][0]["rid"] == EVIL


def test_names_that_mean_harm_do_none_in_errors(capsys, evil):
    code, _, err = said(capsys, "show", evil, "another")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert not CONTROL.search(err)


def piped(*arguments, **variables):
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", **variables}
    done = subprocess.run(
        [*DRAWSTORE, *map(str, arguments)], capture_output=True, env=env, check=True, timeout=60
    )
    return done.stdout.decode()


def test_a_pipe_gets_no_colours_and_all_of_each_line(tmp_path):
    name = "long" * 60
    run = drawstore.FileBackend(tmp_path).init_run(drawstore.make_meta({name: (float, (60,))}))
    with run.init_chain(0) as chain:
        chain.extend({name: np.random.default_rng(1).normal(size=(10, 60))})
    out = piped("summary", tmp_path, COLUMNS="40", TERM="xterm-256color")
    assert "\x1b" not in out
    assert sum(line.startswith(f"{name}[") for line in out.splitlines()) == 60


def test_colours_in_a_terminal_and_none_with_no_color(tmp_path):
    make("directory", tmp_path / "runs")
    meta = tmp_path / "runs" / "ours" / "run.meta"
    meta.write_bytes(meta.read_bytes()[:-1])
    command = [*DRAWSTORE, "ls", tmp_path / "runs"]
    with Terminal(command) as terminal:
        screen = terminal.wait_for("[ended]", colours=True)
    assert re.search(r"\x1b\[[0-9;]*31m.*damaged", screen)
    with Terminal(command, NO_COLOR="1") as terminal:
        screen = terminal.wait_for("[ended]", colours=True)
    assert "damaged" in screen
    assert "31m" not in screen


def test_a_narrow_terminal_shows_all_the_same(tmp_path):
    where = make("ensemble", tmp_path / "a directory of a long name")
    with Terminal([*DRAWSTORE, "ls", where], columns=50) as terminal:
        lines = terminal.wait_for("[ended]").splitlines()
    assert all(len(line) <= 50 for line in lines)
    shown = "".join("".join(lines).split())
    for part in ("directory", "walk", "ended", "walkers", "100"):
        assert part in shown


@pytest.mark.parametrize(("rows", "is_paged"), [(10, True), (100, False)])
def test_a_summary_that_is_longer_than_the_terminal_is_paged(tmp_path, rows, is_paged):
    run = drawstore.FileBackend(tmp_path / "runs").init_run(
        drawstore.make_meta({"x": (float, (40,))})
    )
    with run.init_chain(0) as chain:
        chain.extend({"x": np.random.default_rng(1).normal(size=(10, 40))})
    command = [*DRAWSTORE, "summary", tmp_path / "runs"]
    with Terminal(command, rows=rows, PAGER="sed s/^/paged:/") as terminal:
        screen = terminal.wait_for("[ended]")
    assert screen.count("paged:x[") == (40 if is_paged else 0)
    assert screen.count("x[") == 40


def test_a_bar_of_progress_is_on_stderr_where_that_is_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    where = make("directory", tmp_path / "runs")
    ours, theirs = pty.openpty()
    command = [*DRAWSTORE, "check", where]
    env = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, env=env, check=True, timeout=60
    )
    os.close(theirs)
    bar = b""
    try:
        while more := os.read(ours, 10_000):
            bar += more
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    assert b"100%" in bar
    assert b"100%" not in done.stdout
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


@pytest.mark.parametrize("arguments", [["--help"], ["show", "--help"], ["--version"]])
def test_help_is_quick_since_nothing_heavy_is_imported(arguments):
    code = f"""
import sys
from drawstore.cli import main
try:
    main({arguments!r})
finally:
    heavy = {{"numpy", "h5py", "rich", "google.protobuf", "drawstore._core"}}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "[]\n"
    assert "drawstore" in done.stdout
