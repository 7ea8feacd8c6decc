"""Runs of McBackend, in a database, copied as the guide says."""

import warnings

import numpy as np
import pytest
from clickhouse_driver import Client

import doc_pages
import drawstore

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ArviZ 1 warns of what McBackend imports from it
    import mcbackend
    from mcbackend.backends.clickhouse import ClickHouseRun

PAGE = doc_pages.REPO / "python" / "docs" / "from_others.md"


@pytest.fixture
def copy_run(tmp_path, monkeypatch):
    """The function of the guide."""
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in doc_pages.blocks(PAGE) if "def copy_run" in block.text]
    names = {"np": np}
    exec(block.text, names)
    return names["copy_run"]


def test_a_run_in_its_database_is_copied(copy_run, clickhouse, tmp_path):
    meta = mcbackend.RunMeta(
        rid="in_a_database",
        variables=[
            mcbackend.Variable("slope", "float64", []),
            mcbackend.Variable("effect", "float64", [2, 3]),
        ],
        sample_stats=[mcbackend.Variable("depth", "int32", [])],
    )
    client = Client("127.0.0.1", port=clickhouse.tcp)
    # Its list of runs asks for types that old servers have not; runs and chains do not.
    theirs = ClickHouseRun(meta, client_fn=lambda: client)
    effects = np.arange(300.0).reshape(50, 2, 3)
    chain = theirs.init_chain(4)
    for i, effect in enumerate(effects):
        chain.append({"slope": i / 2, "effect": effect}, {"depth": i})
    try:
        run = copy_run(theirs, drawstore.FileBackend(tmp_path / "copy"))
    finally:
        client.execute(f"DROP TABLE {chain.cid}")
        client.disconnect()
    (copy,) = run.get_chains()
    assert copy.chain_number == 4
    np.testing.assert_array_equal(copy.get_draws("effect"), effects)
    np.testing.assert_array_equal(copy.get_draws("slope"), np.arange(50) / 2)
    np.testing.assert_array_equal(copy.get_stats("depth"), np.arange(50))
