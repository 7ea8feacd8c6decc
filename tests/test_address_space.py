"""Address space that is limited, as queues limit it."""

import pytest

from scripting import run

LIMITED = """
    import resource, sys
    import numpy as np
    import drawstore

    where, folder = sys.argv[1:]
    stores = {"memory": drawstore.MemoryBackend, "files": lambda: drawstore.FileBackend(folder)}
    meta = drawstore.make_meta({"x": (float, (10,)), "text": (str, ())}, {"tune": (bool, ())})
    made = stores[where]().init_run(meta)
    with open("/proc/self/status") as lines:
        (size,) = [int(line.split()[1]) for line in lines if line.startswith("VmSize")]
    limit = 1024 * size + 128 * 2**20  # as `ulimit -v` says it, and what queues leave
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    chains = [made.init_chain(i) for i in range(4)]
    n = 50_000
    for i in range(n):
        for chain in chains:
            chain.append({"x": np.full(10, float(i)), "text": str(i)}, {"tune": i < 10})
    for chain in chains:
        for start in range(0, n, 10_000):
            rows = slice(start, start + 10_000)
            expected = np.arange(n)[rows]
            assert (chain.get_draws("x", rows) == expected[:, np.newaxis]).all()
            assert chain.get_draws("text", rows).tolist() == [str(i) for i in expected]
        assert chain.get_stats("tune").sum() == 10
"""


@pytest.mark.parametrize("where", ["memory", "files"])
def test_appends_where_address_space_is_limited(where, tmp_path):
    run(LIMITED, where, tmp_path)
