"""The Python of the README, block after block, as a reader would type it."""

import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import drawstore
from pymc_runs import QUIET  # also makes PyMC compile fast

README = Path(__file__).parent.parent / "README.md"


def python_blocks():
    text = README.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def needs_servers(block):
    return "clickhouse://" in block


@pytest.mark.filterwarnings(*QUIET)
def test_every_python_block_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fits = README.parent / "tests" / "data" / "stan"
    shutil.copytree(fits, "fits", ignore=lambda *_: {path.name for path in fits.glob("[!e]*")})
    blocks = [block for block in python_blocks() if not needs_servers(block)]
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().out.startswith("1500 [")
    made = {"chain.h5", "fits", "runs", "runs.h5", "chain.nc", "again.h5"}
    made |= {"theirs.h5", "copy.h5", "saved.h5", "posterior.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == made


def test_every_python_block_for_servers_runs(
    tmp_path, monkeypatch, capsys, clickhouse, clickhouse_cluster
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    addresses = {"localhost:8123": f"127.0.0.1:{clickhouse.http}"}
    for i, node in enumerate(clickhouse_cluster, 1):
        addresses[f"node{i}:8123"] = f"127.0.0.1:{node.http}"
    blocks = [block for block in python_blocks() if needs_servers(block)]
    assert len(blocks) == 3
    names = {"np": np, "drawstore": drawstore}
    for block in blocks:
        for address, real in addresses.items():
            block = block.replace(address, real)
        exec(compile(block, "README.md", "exec"), names)
    assert names["last"].shape == (100, 10)
    assert "1000 draws in 1 chains" in capsys.readouterr().out
    assert names["backend"].get_runs() == []
