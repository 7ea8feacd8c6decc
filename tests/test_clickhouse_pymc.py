"""PyMC samples into a server of ClickHouse."""

import numpy as np
import pytest

import drawstore
from drawstore.pymc import TraceBackend
from pymc_runs import QUIET, assert_same, line_model, mixed_model, sample

pytestmark = [pytest.mark.filterwarnings(line) for line in QUIET]


@pytest.fixture
def url(clickhouse, tmp_path):
    return f"clickhouse://127.0.0.1:{clickhouse.http}/{tmp_path.name}"


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("make_model", [line_model, mixed_model])
def test_draws_and_stats_are_those_of_pymcs_own_trace(url, tmp_path, make_model, cores):
    backend = drawstore.ClickHouseBackend(url, journal=tmp_path / "journals")
    with make_model():
        trace = TraceBackend(backend)
        ours, theirs = (sample(given, cores=cores) for given in (trace, None))
    assert_same(ours, theirs)
    run = drawstore.open(url).get_run(trace.run.rid)
    chains = run.get_chains()
    assert [len(chain) for chain in chains] == [20, 20]
    for chain in chains:
        for name in ours.varnames:
            np.testing.assert_array_equal(
                chain.get_draws(name)[8:], ours._straces[chain.chain_number].get_values(name)[-12:]
            )
    assert run.to_datatree()["posterior"].sizes["draw"] == 12
