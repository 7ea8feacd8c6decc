"""Commands in a real terminal, that of tmux."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

DRAWSTORE = [sys.executable, "-m", "drawstore"]


class Terminal:
    """A terminal in which one command runs.

    It has a server of tmux of its own, which ends with it.
    """

    def __init__(self, command, columns=100, rows=30, **variables):
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not here")
        self._folder = tempfile.TemporaryDirectory()  # the name of a socket has to be short
        left_out = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TMUX", "PAGER", "LESS")
        env = {name: value for name, value in os.environ.items() if name not in left_out}
        self._env = {**env, "TMUX_TMPDIR": self._folder.name, "LC_ALL": "C.UTF-8", **variables}
        if not isinstance(command, str):
            command = shlex.join(map(str, command))
        size = ["-x", str(columns), "-y", str(rows)]
        # It stays when the command has ended, to be looked at.
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, f"{command}; echo [ended]; cat")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self._tmux("kill-server")
        self._folder.cleanup()

    def _tmux(self, *arguments):
        done = subprocess.run(
            ["tmux", *arguments], env=self._env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def type(self, *keys):
        """Press keys, as tmux calls them."""
        self._tmux("send-keys", *keys)

    def screen(self, colours=False):
        """What is on the screen, and above it."""
        return self._tmux("capture-pane", "-p", "-S", "-", *(["-e"] if colours else []))

    def wait_for(self, text, colours=False):
        """Wait until a text is on the screen; gives all that is."""
        end = time.monotonic() + 60
        while text not in self.screen():
            assert time.monotonic() < end, self.screen()
            time.sleep(0.02)
        return self.screen(colours)
