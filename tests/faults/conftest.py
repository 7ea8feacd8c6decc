"""How many rounds, and what they share."""

import os
import random
import shutil
import subprocess
import traceback

import nursery as nurseries
import pytest

_DONE = pytest.StashKey[list]()


class Rounds:
    """Repeats a fault, goes on where a round fails, and says how many did."""

    def __init__(self, name, n, folder):
        self._name = name
        self._folder = folder
        self.n = n
        self.failures = []

    def play(self, fault):
        """Call ``fault(random, folder)`` for each round, with the same random numbers in any run.

        The folder is its own, and kept where it fails.
        """
        for k in range(self.n):
            folder = self._folder / f"{k}"
            folder.mkdir()
            try:
                fault(random.Random(f"{self._name} {k}"), folder)
                shutil.rmtree(folder)
            except (Exception, pytest.fail.Exception):
                self.failures.append(f"round {k}:\n{traceback.format_exc()}")
        if self.failures:
            shown = "\n".join(self.failures[:3])
            pytest.fail(f"{len(self.failures)} of {self.n} rounds failed\n{shown}", pytrace=False)


@pytest.fixture
def rounds(request, tmp_path):
    """As many as the module's ROUNDS, or as --rounds says."""
    n = request.config.getoption("rounds") or request.module.ROUNDS
    played = Rounds(request.node.nodeid, n, tmp_path)
    yield played
    request.config.stash.setdefault(_DONE, []).append((request.node.nodeid, played))


def pytest_terminal_summary(terminalreporter, config):
    if done := config.stash.get(_DONE, None):
        terminalreporter.section("rounds of faults")
        for name, played in done:
            terminalreporter.line(f"{name}: {played.n} rounds, {len(played.failures)} failures")


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The library that is preloaded into what is recorded."""
    source = os.path.join(os.path.dirname(__file__), "shim.c")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", library, source, "-ldl", "-lpthread"], check=True)
    return str(library)


@pytest.fixture(scope="session")
def nursery(shim):
    made = nurseries.Nursery(["workloads"], {"LD_PRELOAD": shim})
    yield made
    made.close()
