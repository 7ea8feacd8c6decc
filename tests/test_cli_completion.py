"""The completion of commands, paths and runs, in bash."""

import os
import shlex
import shutil
import subprocess

import pytest

import drawstore
from cli_runs import META, fill
from terminal import DRAWSTORE, Terminal

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")

BEGIN = 'eval "$(_DRAWSTORE_COMPLETE=bash_source drawstore)"'


@pytest.fixture
def env(tmp_path):
    """Where there is a command "drawstore", and two stores."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "drawstore"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(DRAWSTORE)} "$@"\n')
    command.chmod(0o755)
    for rid in ("ours", "with a blank", "theirs"):
        meta = drawstore.RunMeta()
        meta.CopyFrom(META)
        meta.rid = rid
        fill(drawstore.FileBackend(tmp_path / "runs"), meta, 0)
    return {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def completed(env, folder, *words):
    """What bash offers for the last of some words."""
    script = f"""{BEGIN}
COMP_WORDS=({shlex.join(["drawstore", *words])})
COMP_CWORD={len(words)}
_drawstore_completion drawstore
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=folder, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split("\n")[:-1]


def test_commands(env, tmp_path):
    assert completed(env, tmp_path, "s") == ["show", "summary", "serve", "snapshot"]


def test_ids_of_runs(env, tmp_path):
    assert completed(env, tmp_path, "show", "runs", "") == ["ours", "theirs", "'with a blank'"]
    assert completed(env, tmp_path, "why", "runs", "o") == ["ours"]
    assert completed(env, tmp_path, "diff", "runs", "runs", "--run-b", "t") == ["theirs"]
    assert completed(env, tmp_path, "show", "none", "") == [""]


def test_in_a_terminal(env, tmp_path):
    with Terminal(f"cd {shlex.quote(str(tmp_path))}; bash --norc", **env) as terminal:
        terminal.type(BEGIN, "Enter", "drawstore show ru", "Tab")
        terminal.wait_for("drawstore show runs/")
        terminal.type(" o", "Tab")
        terminal.wait_for("drawstore show runs/ ours")
        terminal.type("Enter")
        terminal.wait_for("run 'ours': ")
