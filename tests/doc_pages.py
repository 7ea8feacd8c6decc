"""The pages of the documentation, and their code, run as a reader would type it.

What a block is, its language says:

python
    Runs in the names of the blocks before it. One whose first line is the name of a file, as
    "# fit.py", becomes that file, for the commands that follow.
text
    What the block before it printed.
console
    Commands behind "$", and what they print.
bash
    A script of a batch job: it is run twice, with no time left, and with time enough.
sql
    Queries to the server of ClickHouse.
cpp
    A whole program; `test_consumer` builds and runs those.
sh
    In the README only: `.ci/run` runs each.

In what is printed "..." stands for anything, and white space for any. A block of any other language
is an error.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import drawstore.cli

REPO = Path(__file__).parent.parent
README = REPO / "README.md"
GUIDES = sorted((REPO / "python" / "docs").glob("*.md"))
PAGES = [README, *GUIDES]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^\s*(```|~~~)", re.MULTILINE)
_FILE = re.compile(r"# (\w+\.py)\n")
_SECONDS = 60


@dataclass
class Block:
    """A block of code of a page."""

    language: str
    text: str
    line: int

    @property
    def filename(self):
        """The name of the file that the block is; None for what is none."""
        found = _FILE.match(self.text) if self.language == "python" else None
        return found and found[1]


def blocks(page):
    """Give the blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1)
        for match in _BLOCK.finditer(text)
    ]
    assert 2 * len(found) == len(_FENCE.findall(text)), f"{page.name}: a block is not closed"
    return found


def commands(block):
    """Give the commands of a block, each with what it is to print."""
    lines = block.text.splitlines()
    assert lines[0].startswith("$ "), f"line {block.line}: no command"
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(printed)) for command, printed in found]


class Reader:
    """Types what a page says, in the current directory.

    Parameters
    ----------
    page : Path
    addresses : mapping of str to str, optional
        What stands in the place of the page's addresses of servers.
    query : callable, optional
        Sends a query to a server of ClickHouse, and gives the answer.
    programs : mapping of int to path, optional
        The programs of the page, by their lines.
    """

    def __init__(self, page, addresses=None, query=None, programs=None):
        self.page = page
        self.addresses = addresses or {}
        self.query = query
        self.programs = programs or {}
        self.names = {"__name__": "__main__"}
        self.printed = ""
        self.waiting = {}  # files that no command has used yet, and where they are on the page

    def read(self):
        """Run all blocks."""
        for block in blocks(self.page):
            where = f"{self.page.name}, line {block.line}"
            handle = getattr(self, f"_{block.language}", None)
            assert handle is not None, f"{where}: what is {block.language!r}?"
            try:
                handle(block)
            except Exception as error:
                error.add_note(f"in {where}")
                raise
        assert not self.waiting, f"{self.page.name}: nothing runs {self.waiting}"

    def _real(self, text):
        for address, real in self.addresses.items():
            text = text.replace(address, real)
        return text

    def _python(self, block):
        code = self._real(block.text)
        if block.filename is not None:
            Path(block.filename).write_text(code, encoding="utf-8")
            self.waiting[block.filename] = block.line
            return
        # Tracebacks then show lines of the page.
        code = compile("\n" * block.line + code, str(self.page), "exec")
        with self._listening():
            exec(code, self.names)

    def _text(self, block):
        self._compare(block.text)

    def _console(self, block):
        codes = [0]
        for command, printed in commands(block):
            if command == "echo $?":
                self.printed = f"{codes.pop()}\n"
                codes.append(0)
            else:
                assert codes[-1] == 0, "a command failed, and the page does not say so"
                codes.append(self._run(shlex.split(self._real(command), comments=True)))
            if printed.strip():
                self._compare(printed)
        assert codes[-1] == 0, f"a command failed, and the page does not say so: {self.printed}"

    def _run(self, words):
        for word in words:
            self.waiting.pop(word, None)
        program, *arguments = words
        if program == "drawstore" and arguments[0] != "run":
            with self._listening():
                return drawstore.cli.main(arguments)
        interpreter = {"python": [], "drawstore": ["-m", "drawstore"]}[program]
        done = subprocess.run(
            [sys.executable, *interpreter, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )
        self.printed = done.stdout
        return done.returncode if done.returncode >= 0 else 128 - done.returncode  # as a shell does

    def _bash(self, block):
        """Run the script of a job: with no time left it queues itself again, with time it ends."""
        tools = Path("tools")
        tools.mkdir()
        write_tool(tools / "python", f'exec {shlex.quote(sys.executable)} "$@"')
        write_tool(tools / "scontrol", f'echo "$@" >>{shlex.quote(str(Path.cwd() / "asked"))}')
        Path("job.sh").write_text(block.text)
        self.waiting = {name: at for name, at in self.waiting.items() if name not in block.text}
        for seconds in (0, 3600):
            job = {"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": str(int(time.time()) + seconds)}
            path = f"{tools.resolve()}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "job.sh"],
                env={**os.environ, **job, "PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_SECONDS,
            )
            assert done.returncode == 0, done.stdout
            assert Path("asked").read_text() == "requeue 7\n"

    def _sql(self, block):
        self.printed = ""
        for query in block.text.split(";\n"):
            if query.strip():
                self.printed += self.query(query).decode()

    def _cpp(self, block):
        if self.programs:
            done = subprocess.run(
                [self.programs[block.line]], stdout=subprocess.PIPE, text=True, timeout=_SECONDS
            )
            assert done.returncode == 0
            self.printed = done.stdout

    def _sh(self, block):
        assert self.page == README, "use `console`, or prose: .ci/run runs those of the README"

    @contextlib.contextmanager
    def _listening(self):
        """Take what is printed meanwhile."""
        heard = io.StringIO()
        try:
            with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
                yield
        except BaseException:
            sys.stdout.write(heard.getvalue())
            raise
        self.printed = heard.getvalue()

    def _compare(self, expected):
        got = self.printed
        for address, real in self.addresses.items():
            got = got.replace(real, address)
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        same = doctest.OutputChecker().check_output(expected.strip(), got.strip(), options)
        assert same, f"the page says\n{expected}\nand this was printed\n{got}"


def write_tool(path, line):
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def names_servers(page):
    """Say whether code of a page speaks to a server of ClickHouse."""
    return any("clickhouse://" in block.text for block in blocks(page))


def programs(page):
    """Give the programs of a page: their lines, and their text."""
    return {block.line: block.text for block in blocks(page) if block.language == "cpp"}
