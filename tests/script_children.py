"""Scripts in forked children of a process that has imported everything: Python starts once."""

import os
import runpy
import sys

import emcee  # noqa: F401
import lmfit  # noqa: F401

import drawstore.script.record  # noqa: F401
from drawstore.cli import main


def run(folder, arguments, env):
    """Run Python, or the command, with its output in files."""
    os.chdir(folder)
    os.environ.update(env)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, fd)
        os.close(file)
    try:
        if arguments[:3] == ["-m", "drawstore", "run"]:
            sys.exit(main(arguments[2:]))
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        sys.stdout.flush()
