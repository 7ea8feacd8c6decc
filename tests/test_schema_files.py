"""What the package holds of the .proto files is what they say."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parent.parent


def test_descriptors_and_stub_are_up_to_date():
    command = [sys.executable, "-W", "ignore", "protobufs/generate.py", "--check"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_stale_files_are_told(tmp_path):
    for name in (
        "protobufs/generate.py",
        "protobufs/meta.proto",
        "protobufs/npproto/ndarray.proto",
    ):
        copied = tmp_path / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text((REPO / name).read_text().replace("int32 chain", "int64 chain"))
    package = tmp_path / "python/drawstore"
    package.mkdir(parents=True)
    for name in ("_messages.binpb", "_messages.pyi"):
        (package / name).write_bytes((REPO / "python/drawstore" / name).read_bytes())
    command = [sys.executable, "-W", "ignore", tmp_path / "protobufs/generate.py"]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True, timeout=120)
    assert checked.returncode == 1
    assert "stale" in checked.stderr
    assert "_messages.binpb" in checked.stderr
    assert "_messages.pyi" not in checked.stderr
    subprocess.run(command, check=True, timeout=120)
    subprocess.run([*command, "--check"], check=True, timeout=120)
