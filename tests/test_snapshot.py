"""`drawstore snapshot`: closed copies of runs that other processes write."""

import os
import signal
import time

import emcee
import h5py
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.cli import main
from drawstore.frozen import FrozenRun
from drawstore.snapshots import snapshot
from emcee_files import SHAPE, contents, foreign, sample, write
from hdf_files import save
from hdf_runs import META, check, fill
from reports import report
from scripting import run, start, wait_for

# Writes a run and goes on with it for as long as it lives; of a run of drawstore the chains go on
# by turns.
WRITER = """
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[3]))
import drawstore, drawstore.emcee, emcee
from hdf_files import save
from hdf_runs import META, fill
kind, path = sys.argv[1:3]
if kind == "emcee":
    backend = drawstore.emcee.HDFBackend(path, flush_interval=0.05)
    step = lambda i: save(backend, 1, (8, 3), seed=i, announce=10_000)
elif kind == "emcee-own":
    import time
    backend = emcee.backends.HDFBackend(path)
    backend.reset(8, 3)
    def step(i):
        save(backend, 1, (8, 3), seed=i)
        time.sleep(0.3)
else:
    make = {"files": drawstore.FileBackend, "hdf5": drawstore.HDF5Backend}[kind]
    run = make(path).init_run(META)
    chains = [run.init_chain(0), run.init_chain(1)]
    def step(i):
        for chain in chains:
            fill(chain, i, 1)
i = 0
while True:
    step(i)
    i += 1
    if i == 5:
        print("begun", flush=True)
"""


@pytest.fixture
def writing(tmp_path, request):
    """A process that writes: its kind, where, and itself."""
    path = str(tmp_path / "chain.h5")
    process = start(WRITER, request.param, path, __file__)
    wait_for(process, "begun")
    yield request.param, path, process
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A file of 300 steps."""
    path = tmp_path_factory.mktemp("long") / "chain.h5"
    with drawstore.emcee.HDFBackend(path, journal=False) as backend:
        save(backend, 300, SHAPE)
    return path


def runs_in(path):
    with drawstore.open(path) as backend:
        return [backend.get_run(info.rid) for info in backend.get_runs()]


def beside(path):
    folder, name = os.path.split(path)
    return [other for other in os.listdir(folder) if other.startswith(name)]


@pytest.mark.parametrize("writing", ["files", "hdf5"], indirect=True)
@pytest.mark.parametrize("to", ["copy", "copy.h5"])
def test_runs_of_ours(writing, to, tmp_path):
    _, path, process = writing
    to = str(tmp_path / to)
    made = snapshot(path, to)
    (copy,) = runs_in(to)
    first, second = copy.get_chains()
    assert made.runs[0].draws == {0: len(first), 1: len(second)}
    assert len(first) >= 5
    assert len(second) >= 5
    check(first, len(first))
    check(second, len(second))
    assert process.poll() is None
    assert beside(to) == [os.path.basename(to)]


@pytest.mark.parametrize("writing", ["emcee", "emcee-own"], indirect=True)
def test_steps_keep_the_layout_of_emcee(writing, tmp_path):
    kind, path, process = writing
    to = str(tmp_path / "copy.h5")
    before = drawstore.emcee.HDFBackend(path, read_only=True).iteration if kind == "emcee" else 5
    snapshot(path, to)
    steps = contents(to)["iteration"]
    assert steps >= before
    expected = emcee.backends.HDFBackend(str(tmp_path / "expected.h5"))
    expected.reset(*SHAPE)
    for i in range(steps):
        save(expected, 1, SHAPE, seed=i)
    assert contents(to) == contents(expected.filename)
    with h5py.File(to) as file:
        assert len(file["mcmc/chain"]) == steps
    assert process.poll() is None
    assert beside(to) == ["copy.h5"]


def test_a_snapshot_is_gone_on_with(tmp_path):
    path, to = str(tmp_path / "chain.h5"), str(tmp_path / "copy.h5")
    with drawstore.emcee.HDFBackend(path, flush_interval=1000) as backend:
        sample(backend, 20, announced=30)
        snapshot(path, to)
        sample(emcee.backends.HDFBackend(to), 10)
        sample(backend, 10)
    assert contents(to) == contents(path)


def test_what_a_dead_process_left_is_in_it(tmp_path):
    path, to = str(tmp_path / "chain.h5"), str(tmp_path / "copy.h5")
    run(
        """
        import os, sys
        sys.path[:0] = sys.argv[2:]
        from drawstore.emcee import HDFBackend
        from hdf_files import save
        save(HDFBackend(sys.argv[1], flush_interval=1000), 20, (8, 3), announce=100)
        os.kill(os.getpid(), 9)
        """,
        path,
        os.path.dirname(__file__),
        code_expected=-9,
    )
    held = {name: os.stat(os.path.join(tmp_path, name)).st_mtime_ns for name in beside(path)}
    snapshot(path, to)
    assert contents(to)["iteration"] == 20
    assert held == {
        name: os.stat(os.path.join(tmp_path, name)).st_mtime_ns for name in beside(path)
    }


def test_one_run_of_several(tmp_path, capsys):
    path = tmp_path / "chain.h5"
    write(path, 6)
    write(path, 4, name="deep/second")
    with drawstore.HDF5Backend(path).init_run(META).init_chain(0) as chain:
        fill(chain, 0, 30)
    for rid, draws in (("mcmc", 6), ("deep/second", 4), ("ours", 30)):
        to = tmp_path / f"{rid[:4]}.h5"
        (found,) = snapshot(path, to, rid=rid).runs
        assert found.rid == rid
        assert set(found.draws.values()) == {draws}
    (found,) = snapshot(path, tmp_path / "folder", rid="mcmc").runs
    assert found.draws == {0: 6}
    assert len(snapshot(path, tmp_path / "all.h5").runs) == 3
    for to in ("none.h5", "none"):
        assert main(["snapshot", str(path), str(tmp_path / to), "--run", "third"]) == 1
        assert "no run 'third'" in capsys.readouterr().err
        assert beside(str(tmp_path / to)) == []


def test_chains_that_grow_are_as_they_were(tmp_path):
    growing = drawstore.FileBackend(tmp_path / "runs").init_run(META)
    with growing.init_chain(0) as chain:
        fill(chain, 0, 20)
        frozen = FrozenRun(growing)
        fill(chain, 20, 20)
        (seen,) = frozen.get_chains()
        assert (len(seen), len(chain)) == (20, 40)
        check(seen, 20)
        for slc in (slice(None), slice(-3, None), slice(None, None, -7), slice(5, 100, 2)):
            np.testing.assert_array_equal(seen.get_draws("x", slc), chain.get_draws("x")[:20][slc])
        assert seen.get_draws_at(-1)["t"] == "19"
        with pytest.raises(IndexError, match="the chain has 20"):
            seen.get_stats_at(20)
        with pytest.raises(RuntimeError, match="can only be read"):
            fill(seen, 20, 1)


def test_a_file_that_never_rests(tmp_path, monkeypatch):
    from drawstore.hdf5 import contents as module

    path = tmp_path / "chain.h5"
    write(path, 5)
    copy = module.copy_contents

    def copy_while_sampling(*args):
        copy(*args)
        sample(emcee.backends.HDFBackend(str(path)), 1)

    monkeypatch.setattr(module, "copy_contents", copy_while_sampling)
    with pytest.raises(BlockingIOError, match="it changed while it was read"):
        snapshot(path, tmp_path / "copy.h5", timeout=0.2)
    assert beside(str(tmp_path / "copy.h5")) == []


def test_the_command(tmp_path, capsys):
    path = tmp_path / "chain.h5"
    write(path, 6)
    assert main(["snapshot", str(path), str(tmp_path / "copy")]) == 0
    assert "run mcmc: 6 draws in 1 chains" in capsys.readouterr().out
    code, found = report(capsys, "snapshot", path, tmp_path / "copy.h5")
    assert code == 0
    assert found["bytes"] == os.path.getsize(tmp_path / "copy.h5")
    assert found["runs"] == [
        {"rid": "mcmc", "chains": [{"chain": n, "draws": 6} for n in range(SHAPE[0])]}
    ]


def empty_run(path):
    drawstore.HDF5Backend(path).init_run(META).init_chain(0).close()


def test_a_run_without_draws(tmp_path):
    empty_run(tmp_path / "chain.h5")
    for to in ("copy", "copy.h5"):
        assert snapshot(tmp_path / "chain.h5", tmp_path / to).runs[0].draws == {0: 0}


def text(path):
    path.write_text("no HDF5")


def cut(path):
    write(path, 3)
    os.truncate(path, 3000)


@pytest.mark.parametrize("to", ["copy", "copy.h5"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (None, "there is nothing at"),
        (lambda path: path.touch(), "an empty file"),
        (text, "not HDF5"),
        (foreign, "other contents"),
        (os.mkdir, "no runs in"),
        (cut, "is cut off"),
    ],
)
def test_what_has_no_runs(make, why, to, tmp_path, capsys):
    path = tmp_path / "chain.h5"
    if make is not None:
        make(path)
    assert main(["snapshot", str(path), str(tmp_path / to)]) == 1
    assert why in capsys.readouterr().err
    assert beside(str(tmp_path / to)) == []


def test_places_for_a_snapshot(tmp_path, capsys):
    path = tmp_path / "chain.h5"
    write(path, 3)
    for to, why in (
        (path, "is there already"),
        (tmp_path / "copy.nc", "drawstore convert"),
        (tmp_path / "no" / "copy.h5", "no directory"),
        ("clickhouse://somewhere/draws", "a snapshot is a directory"),
    ):
        assert main(["snapshot", str(path), str(to)]) == 1
        assert why in capsys.readouterr().err


@pytest.mark.parametrize("to", ["copy", "copy.h5"])
def test_a_full_disk(to, long, tmp_path):
    code = """
    import resource, signal, sys
    from drawstore.cli import main
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    sys.exit(main(["snapshot", *sys.argv[1:]]))
    """
    _, err = run(code, long, tmp_path / to, code_expected=1)
    assert err.startswith("drawstore: ")
    assert beside(str(tmp_path / to)) == []


def test_kills_leave_no_half(long, tmp_path):
    before = contents(long)
    for k in range(3):
        to = str(tmp_path / f"copy-{k}.h5")
        code = "import sys\nfrom drawstore.snapshots import snapshot\nprint('go', flush=True)\n"
        process = start(code + "snapshot(*sys.argv[1:])", long, to)
        wait_for(process, "go")
        time.sleep(0.05 * k)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert contents(long) == before
        if os.path.exists(to):
            assert contents(to) == before
