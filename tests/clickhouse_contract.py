"""The part of the contract of backends that an engine of ClickHouse can break or keep."""

from drawstore.testing.handles import HandlesContract
from drawstore.testing.runs import RunsContract
from drawstore.testing.slices import SlicesContract
from drawstore.testing.stats import StatsContract
from drawstore.testing.summaries import SummariesContract
from drawstore.testing.values import ValuesContract


class EngineContract(
    ValuesContract, StatsContract, SlicesContract, RunsContract, HandlesContract, SummariesContract
):
    """All but what is refused before an engine hears of it: there one is as good as another."""

    bounds = (None, 1, 220, -1, -301)
