"""C++ programs that build against the installed library, and what Python reads of their runs."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import clickhouse_server
import doc_pages
import drawstore
from drawstore.meta import unpack_value

REPO = Path(__file__).parent.parent

# Where the library is installed already. Then the tools must be there: nothing is skipped.
PREFIX = os.environ.get("DRAWSTORE_PREFIX")


def missing_tools():
    missing = [tool for tool in ("cmake", "c++", "protoc") if shutil.which(tool) is None]
    if "c++" not in missing:
        include = "#include <google/protobuf/message.h>"
        command = ["c++", "-E", "-x", "c++", "-o", os.devnull, "-"]
        if subprocess.run(command, input=include, text=True, capture_output=True).returncode:
            missing.append("the headers of protobuf")
    return missing


if PREFIX is None and missing_tools():
    pytest.skip(f"not here: {', '.join(missing_tools())}", allow_module_level=True)


def cmake(*arguments):
    done = subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    if PREFIX is not None:
        return Path(PREFIX)
    folder = tmp_path_factory.mktemp("library")
    cmake("-S", REPO, "-B", folder / "build")
    cmake("--build", folder / "build", "--parallel", 2)
    cmake("--install", folder / "build", "--prefix", folder / "prefix")
    return folder / "prefix"


@pytest.fixture(scope="module")
def programs(prefix, tmp_path_factory):
    """Build the programs: the consumer, and those of the README and the guides."""
    folder = tmp_path_factory.mktemp("consumer")
    sources = []
    for page in doc_pages.PAGES:
        for line, text in doc_pages.programs(page).items():
            sources.append(folder / f"{page.stem}_{line}.cpp")
            sources[-1].write_text(text)
    shutil.copytree(REPO / "tests" / "consumer", folder / "source")
    cmake(
        *("-S", folder / "source", "-B", folder / "build"),
        f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DPROGRAMS={';'.join(map(str, sources))}",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra",
    )
    cmake("--build", folder / "build", "--parallel", 2)
    return folder / "build"


def read(run):
    """Give all that the run's chains hold, by number."""
    chains = {chain.chain_number: chain for chain in run.get_chains()}
    return {
        number: {name: chain.get_draws(name) for name in run.variables}
        | {name: chain.get_stats(name) for name in run.sample_stats}
        for number, chain in chains.items()
    }


def check_draws(draws, n_draws):
    for number, chain in draws.items():
        position, radius, log_density = chain["position"], chain["radius"], chain["log_density"]
        assert position.dtype == np.float64
        assert position.shape == (n_draws, 2)
        assert radius.dtype == np.float32
        np.testing.assert_array_equal(radius, np.hypot(*position.T).astype("f4"))
        x, rest = position[:, 0], position[:, 1] - 0.5 * position[:, 0]
        np.testing.assert_allclose(log_density, -0.5 * (x**2 + rest**2), rtol=1e-12)
        moved = np.any(np.diff(position, axis=0) != 0, axis=1)
        np.testing.assert_array_equal(moved, chain["accepted"][1:])
        np.testing.assert_array_equal(chain["tune"], np.arange(n_draws) < 1000)
        assert chain["accepted"].dtype == chain["tune"].dtype == np.bool_
    starts = [chain["position"][:200] for chain in draws.values()]
    assert len({start.tobytes() for start in starts}) == 4


def test_python_reads_what_a_program_writes_and_while_it_does(programs, tmp_path):
    command = [programs / "consumer", tmp_path / "runs", "10000"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        rid = process.stdout.readline().strip()
        backend = drawstore.open(tmp_path / "runs")
        run = backend.get_run(rid)
        halves = read(run)
        assert sorted(halves) == [0, 1, 2, 3]
        check_draws(halves, 5000)
        (info,) = backend.get_runs()
        assert (info.rid, info.chains) == (rid, dict.fromkeys(range(4), 5000))
        kept = run.get_chains()
        process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    assert [len(chain) for chain in kept] == [10000] * 4
    whole = read(run)
    check_draws(whole, 10000)
    for number, half in halves.items():
        for name, values in half.items():
            np.testing.assert_array_equal(values, whole[number][name][:5000])


def test_python_reads_what_a_program_says_of_its_run(programs, tmp_path):
    command = [programs / "consumer", tmp_path, "10"]
    subprocess.run(command, input="\n", capture_output=True, text=True, check=True, timeout=60)
    (info,) = drawstore.FileBackend(tmp_path, mode="r").get_runs()
    run = drawstore.FileBackend(tmp_path, mode="r").get_run(info.rid)
    meta = run.meta
    assert meta.rid == info.rid
    assert [(v.name, v.dtype, list(v.shape), list(v.dims)) for v in meta.variables] == [
        ("position", "float64", [2], ["axis"]),
        ("radius", "float32", [], []),
    ]
    assert [v.is_deterministic for v in meta.variables] == [False, True]
    assert {v.name: v.dtype for v in meta.sample_stats} == {
        "accepted": "bool",
        "log_density": "float64",
        "tune": "bool",
    }
    assert run.coords["axis"].tolist() == [0, 90]
    assert run.constant_data["slope"].tolist() == [0.5]
    assert {name: unpack_value(value) for name, value in meta.attributes.items()} == {
        "sampler": "random walk",
        "n_draws": 10,
    }


def test_a_program_sends_draws_to_clickhouse(programs, tmp_path):
    with clickhouse_server.servers(tmp_path / "nodes") as (server,):
        command = [programs / "clickhouse", str(server.http)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout == "1000 draws came back\n", done.stderr
        count = server.query("SELECT count(), sum(tune) FROM run FINAL")
        assert count == b"1000\t100\n"


def programs_of(page, folder):
    return {line: folder / f"{page.stem}_{line}" for line in doc_pages.programs(page)}


def test_the_program_of_the_readme(programs, tmp_path):
    (program,) = programs_of(doc_pages.README, programs).values()
    subprocess.run([program], cwd=tmp_path, check=True, timeout=60)
    backend = drawstore.open(tmp_path / "runs")
    (info,) = backend.get_runs()
    assert info.chains == dict.fromkeys(range(4), 1000)
    for chain in backend.get_run(info.rid).get_chains():
        moved = np.diff(chain.get_draws("x")) != 0
        np.testing.assert_array_equal(moved, chain.get_stats("accepted")[1:])
        assert 0.3 < moved.mean() < 0.95


@pytest.mark.parametrize(
    "page", [*filter(doc_pages.programs, doc_pages.GUIDES)], ids=lambda page: page.stem
)
def test_programs_of_guides_and_what_reads_their_runs(page, programs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    doc_pages.Reader(page, programs=programs_of(page, programs)).read()
