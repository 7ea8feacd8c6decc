"""C++ programs that build against the installed library."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent

# Where the library is installed already. Then the tools must be there: nothing is skipped.
PREFIX = os.environ.get("DRAWSTORE_PREFIX")


def missing_tools():
    missing = [tool for tool in ("cmake", "c++", "protoc") if shutil.which(tool) is None]
    if "c++" not in missing:
        include = "#include <google/protobuf/message.h>"
        command = ["c++", "-E", "-x", "c++", "-o", os.devnull, "-"]
        if subprocess.run(command, input=include, text=True, capture_output=True).returncode:
            missing.append("the headers of protobuf")
    return missing


if PREFIX is None and missing_tools():
    pytest.skip(f"not here: {', '.join(missing_tools())}", allow_module_level=True)


def cmake(*arguments):
    done = subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    if PREFIX is not None:
        return Path(PREFIX)
    folder = tmp_path_factory.mktemp("library")
    cmake("-S", REPO, "-B", folder / "build")
    cmake("--build", folder / "build", "--parallel", 2)
    cmake("--install", folder / "build", "--prefix", folder / "prefix")
    return folder / "prefix"


@pytest.fixture(scope="module")
def programs(prefix, tmp_path_factory):
    """Build the programs: the consumer, and that of the README."""
    folder = tmp_path_factory.mktemp("consumer")
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```cpp\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    (folder / "readme.cpp").write_text(block)
    shutil.copytree(REPO / "tests" / "consumer", folder / "source")
    cmake(
        *("-S", folder / "source", "-B", folder / "build"),
        f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DREADME_PROGRAM={folder / 'readme.cpp'}",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra",
    )
    cmake("--build", folder / "build", "--parallel", 2)
    return folder / "build"


def files_of(directory):
    (folder,) = directory.iterdir()
    return sorted(path.name for path in folder.iterdir())


FILES = ["chain-0.draws", "chain-1.draws", "chain-2.draws", "chain-3.draws", "run.meta"]


def test_a_program_that_describes_its_run(programs, tmp_path):
    command = [programs / "consumer", tmp_path / "runs", "10000"]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert files_of(tmp_path / "runs") == FILES
    meta = (tmp_path / "runs" / done.stdout.strip() / "run.meta").read_bytes()
    assert b"random walk" in meta


def test_the_program_of_the_readme(programs, tmp_path):
    subprocess.run([programs / "readme"], cwd=tmp_path, check=True, timeout=60)
    assert files_of(tmp_path / "runs") == FILES
