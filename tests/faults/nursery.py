"""A process that has imported everything, and forks children that are about to die.

Starting Python takes longer than most of them live.
"""

import importlib
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback

PATIENCE = 60.0  # seconds for a child that is not killed


class Nursery:
    """Runs functions of importable modules in processes of their own."""

    def __init__(self, modules=(), env=None):
        here = os.path.dirname(os.path.abspath(__file__))
        env = {**os.environ, **(env or {})}
        env["PYTHONPATH"] = os.pathsep.join([here, os.path.dirname(here), *sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
        )

    def start(self, function, *args):
        """Call a function in a new process."""
        call = pickle.dumps((function.__module__, function.__qualname__, args))
        return Child(self, self._ask(("start", call)))

    def _ask(self, request):
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def close(self):
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


class Child:
    """One process; to be killed, or to be waited for."""

    def __init__(self, nursery, pid):
        self._nursery = nursery
        self.pid = pid

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def wait(self):
        """Give the exit code, negative for a signal."""
        return self._nursery._ask(("wait", self.pid))

    def finish(self):
        """Wait for an end without an error."""
        code = self.wait()
        assert code == 0, f"the child ended with code {code}; see its traceback"

    def kill_and_wait(self):
        """Kill it; fail where it had come to an end by itself, which only errors do."""
        self.kill()
        code = self.wait()
        assert code == -signal.SIGKILL, f"it ended before the kill, with code {code}"


def _run(call):
    module, name, args = pickle.loads(call)
    os.dup2(2, 1)  # the pipes are the nursery's
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    code = 1
    try:
        getattr(importlib.import_module(module), name)(*args)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(pid):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "none: it hung"


def _main():
    for module in sys.argv[1:]:
        importlib.import_module(module)
    while True:
        try:
            what, argument = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        if what == "wait":
            answer = _wait(argument)
        else:
            answer = os.fork()
            if answer == 0:
                _run(argument)
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
