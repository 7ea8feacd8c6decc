"""Conversions from and to a server that goes away."""

import os

import numpy as np
import pytest
from proxy import Proxy

import drawstore
from clickhouse_server import servers
from drawstore.convert import convert


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("drawstore.convert.blocks._BLOCK_BYTES", 1000)
    run = drawstore.FileBackend("source").init_run(drawstore.make_meta({"x": (float, ())}, rid="r"))
    run.init_chain(0).extend({"x": np.arange(1000.0)})
    run.close()
    return run


@pytest.mark.parametrize("target", ["copy", "copy.h5", "copy.nc", "copy.parquet"])
def test_a_source_that_goes_away_is_told_and_leaves_nothing(server, source, target):
    convert("source", f"clickhouse://127.0.0.1:{server.http}/there", force=True)
    with Proxy(server.http) as proxy:
        url = f"clickhouse://127.0.0.1:{proxy.port}/there"
        with pytest.raises(OSError, match=f"127.0.0.1:{proxy.port}"):
            convert(url, target, progress=lambda *_: proxy.misbehave(1.0, ["refuse"]))
    assert sorted(name for name in os.listdir() if name != "state") == ["source"]


def test_a_target_that_is_not_there_is_told(source):
    with Proxy(9) as proxy:
        proxy.misbehave(1.0, ["refuse"])
        with pytest.raises(OSError, match=f"127.0.0.1:{proxy.port}"):
            convert("source", f"clickhouse://127.0.0.1:{proxy.port}/there")
