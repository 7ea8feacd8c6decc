"""Files of Stan as cmdstan's documentation publishes them."""

from pathlib import Path

import drawstore

DATA = Path(__file__).parent / "data" / "stan"
EIGHT = [DATA / "eight_1.csv", DATA / "eight_2.csv"]


def run_of(where):
    backend = drawstore.open(where)
    (info,) = backend.get_runs()
    return backend.get_run(info.rid)
