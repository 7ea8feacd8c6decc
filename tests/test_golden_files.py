"""Files of each version of the format are read for ever."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import drawstore

VERSIONS = sorted((Path(__file__).parent / "data").glob("format-*"))


def check_chain(chain: drawstore.Chain, n: int) -> None:
    i = np.arange(n)
    assert len(chain) == n
    expected = {
        "flag": i % 3 == 0,
        "int8": np.stack([i - 40, i - 39, np.full(n, -7)], axis=1).astype("int8"),
        "int16": (-300 * i).astype("int16"),
        "int32": np.stack([i, -i, 1000 * i, np.full(n, 7)], axis=1)
        .reshape(n, 2, 2)
        .astype("int32"),
        "int64": i * 10_000_000_000,
        "uint8": (3 * i).astype("uint8"),
        "uint64": ~i.astype("uint64"),
        "float32": np.stack([i, i / 2, i / 4, i / 8, -i], axis=1).astype("float32"),
        "float64": 0.1 * i,
        "complex128": i - 0.5j,
        "empty": np.empty((n, 0, 4)),
    }
    for name, values in expected.items():
        draws = chain.get_draws(name)
        assert draws.dtype == values.dtype, name
        np.testing.assert_array_equal(draws, values, err_msg=name)
    for k, value in enumerate(chain.get_draws("ragged")):
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, np.full(k % 4, k / 16, np.float32))
    texts = ["" if k % 5 == 0 else f"draw {k} ✓" for k in range(n)]
    assert list(chain.get_draws("text ü")) == texts
    energy = chain.get_stats("energy")
    np.testing.assert_array_equal(np.ma.getmaskarray(energy), i % 4 == 1)
    np.testing.assert_array_equal(np.ma.compressed(energy), (-1.5 * i)[i % 4 != 1])
    tune = chain.get_stats("tune")
    np.testing.assert_array_equal(np.ma.compressed(tune), (i < 20)[i % 7 != 2])


@pytest.mark.parametrize("directory", VERSIONS, ids=lambda path: path.name)
def test_files_of_a_version_are_read(directory):
    with drawstore.FileBackend(directory, "r") as backend:
        (info,) = backend.get_runs()
        assert (info.rid, info.chains) == ("golden", {0: 75, 1: 2, 2: 0})
        run = backend.get_run("golden")
        variables = run.variables
        assert list(variables["int32"].dims) == ["a", "b"]
        assert variables["float64"].is_deterministic
        for chain, n in zip(run.get_chains(), (75, 2, 0), strict=True):
            check_chain(chain, n)


@pytest.mark.parametrize("directory", VERSIONS, ids=lambda path: path.name)
def test_chains_of_a_version_are_gone_on_with(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "runs")
    with drawstore.FileBackend(tmp_path / "runs") as backend:
        run = backend.get_run("golden")
        last = run.get_chains()[0].get_draws_at(74)
        chain = run.init_chain(0, resume=True)
        for _ in range(40):
            chain.append(last)
        assert len(chain) == 115
        np.testing.assert_array_equal(chain.get_draws("int64")[75:], last["int64"])
        check_first = run.get_chains()[0]
        assert check_first is chain
        np.testing.assert_array_equal(chain.get_draws("int64", slice(0, 75, 7))[1], 70_000_000_000)
