"""Reading an HDF5 file while another process writes to it, or to its journal."""

import numpy as np
import pytest

import drawstore
from hdf_journals import ENV
from hdf_runs import check, draws_in
from scripting import finish, start


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "runs.h5")


@pytest.mark.parametrize("journal", [True, False])
def test_what_another_process_appends_is_seen(path, journal):
    process = start(
        """
        import sys, time
        from drawstore import HDF5Backend
        from hdf_runs import META, fill
        backend = HDF5Backend(sys.argv[1], flush_interval=0.01, journal=sys.argv[2] == "True")
        chain = backend.init_run(META).init_chain(0)
        print("begun", flush=True)
        for _ in range(300):
            fill(chain, len(chain), 10)
            time.sleep(0.001)
        """,
        path,
        journal,
        env=ENV,
    )
    assert process.stdout.readline() == "begun\n"
    chain = drawstore.open(path).get_run("ours").get_chains()[0]
    n = 0
    while n < 3000:
        assert len(chain) >= n
        rows = chain.get_draws("x")
        assert len(rows) >= n
        n = len(rows)
        assert (rows[:, 0] == np.arange(n)).all()
        last = max(0, n - 5)
        texts = chain.get_draws("t", slice(last, n)).tolist()
        assert texts == [f"{i}" for i in range(last, n)]
    finish(process)
    check(chain, 3000)


def test_rows_that_another_process_did_not_write_to_the_file_yet_are_seen(path):
    process = start(
        """
        import sys
        from drawstore import HDF5Backend
        from hdf_runs import META, fill
        chain = HDF5Backend(sys.argv[1], flush_interval=1000).init_run(META).init_chain(0)
        for line in sys.stdin:
            fill(chain, len(chain), 100)
            print(len(chain), flush=True)
        """,
        path,
        env=ENV,
    )

    def more():
        process.stdin.write("\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    assert more() == 100
    run_ = drawstore.open(path).get_run("ours")
    chain = run_.get_chains()[0]
    for n in (200, 300):
        assert more() == n
        check(chain, n)
        assert len(chain) == n
        assert draws_in(path) == 0
    finish(process)
    run_.refresh()
    check(chain, 300)
    assert draws_in(path) == 300
