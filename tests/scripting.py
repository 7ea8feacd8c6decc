"""Python code that runs in a process of its own."""

import subprocess
import sys
import textwrap

START = [sys.executable, "-W", "error", "-c"]
# emcee imports SciPy's statistics for one of its moves, does without, and is ready much sooner.
LIGHT = "import sys; sys.modules['scipy.stats'] = None\n"


def start(code, *args, env=None):
    """Begin to run code; its output is read line by line."""
    return subprocess.Popen(
        [*START, LIGHT + textwrap.dedent(code), *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


def wait_for(process, line):
    """Wait until a process has printed a line."""
    found = process.stdout.readline().strip()
    if found != line:
        process.kill()
        raise AssertionError(f"{found!r} instead of {line!r}: {process.communicate()[1]}")


def finish(process, code=0):
    """Wait for the end of a process; returns what it printed."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return out, err


def run(code, *args, env=None, code_expected=0):
    """Run code to its end; returns what it printed."""
    return finish(start(code, *args, env=env), code_expected)
