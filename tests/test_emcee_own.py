"""emcee's own tests, from its wheel, with drawstore's classes in the place of emcee's."""

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import emcee
import pytest

# How many tests each module has in emcee 3.1.6; later versions may have more.
MODULES = {
    "unit.test_autocorr": 5,
    "unit.test_backends": 17,
    "unit.test_blobs": 20,
    "unit.test_ensemble": 8,
    "unit.test_sampler": 42,
    "unit.test_state": 3,
    "unit.test_stretch": 1,
    "integration.test_longdouble": 3,
    "integration.test_stretch": 5,
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What pytest printed, and the result of each test: (its module, what went wrong)."""
    folder = tmp_path_factory.mktemp("emcee_own")
    report = folder / "report.xml"
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "emcee_with_drawstore",
        "-p",
        "no:cacheprovider",
    ]
    command += [
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "-W",
        "ignore::DeprecationWarning",
        f"--junitxml={report}",
    ]
    command += [f"--rootdir={Path(emcee.__file__).parents[1]}"]  # so that the report has paths
    command += ["--pyargs", *(f"emcee.tests.{module}" for module in MODULES)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=600,
    )
    printed = done.stdout + done.stderr
    assert report.exists(), printed
    cases = xml.etree.ElementTree.parse(report).iter("testcase")
    return printed, [(case.get("classname"), [part.tag for part in case]) for case in cases]


@pytest.mark.parametrize("module", MODULES)
def test_emcee_own(module, outcome):
    printed, cases = outcome
    name = f"emcee.tests.{module}"
    results = [wrong for path, wrong in cases if f"{path}.".find(f"{name}.") >= 0]
    assert len(results) >= MODULES[module], printed
    assert not any(results), printed  # neither failed nor skipped
