"""The Python of the README, block after block, as a reader would type it."""

import re
import signal
from pathlib import Path

import pytest

from pymc_runs import QUIET  # also makes PyMC compile fast

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.filterwarnings(*QUIET)
def test_every_python_block_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().out.startswith("1500 [")
    assert {path.name for path in tmp_path.iterdir()} == {"chain.h5", "runs", "runs.h5"}
