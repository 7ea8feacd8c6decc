"""What the package holds of the .proto files is what they say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import drawstore

PROTOBUFS = Path(__file__).parent.parent / "protobufs"


@pytest.fixture
def generate(tmp_path):
    """Run generate.py on copies of the .proto files and of what the package was installed with."""
    shutil.copytree(PROTOBUFS, tmp_path / "protobufs")
    package = tmp_path / "python" / "drawstore"
    package.mkdir(parents=True)
    for name in ("_messages.binpb", "_messages.pyi"):
        shutil.copy(Path(drawstore.__file__).with_name(name), package)

    def run(*options):
        command = [sys.executable, "-W", "ignore", tmp_path / "protobufs/generate.py", *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run


def test_descriptors_and_stub_are_up_to_date(generate):
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_stale_files_are_told(generate, tmp_path):
    proto = tmp_path / "protobufs" / "meta.proto"
    proto.write_text(proto.read_text().replace("int32 chain_number", "int64 chain_number"))
    checked = generate("--check")
    assert checked.returncode == 1
    assert "stale" in checked.stderr
    assert "_messages.binpb" in checked.stderr
    assert "_messages.pyi" not in checked.stderr
    assert generate().returncode == 0
    assert generate("--check").returncode == 0
