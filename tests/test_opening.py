"""drawstore.open chooses by what it finds."""

import pickle
import zipfile
from pathlib import Path

import arviz as az
import emcee
import h5py
import numpy as np
import pytest
import xarray as xr

import drawstore
from drawstore import FileBackend, HDF5Backend, make_meta
from drawstore.emcee import HDFBackend
from hdf_files import save


def fill(backend, rid="ours"):
    with backend.init_run(make_meta({"x": ("f8", ())}, rid=rid)).init_chain(0) as chain:
        chain.extend({"x": np.arange(5.0)})


def files_in(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", [FileBackend, HDF5Backend])
def test_runs_are_found_whatever_the_name(tmp_path, kind):
    path = tmp_path / "a name without a suffix"
    fill(kind(path))
    before = files_in(tmp_path)
    backend = drawstore.open(path)
    assert type(backend) is kind
    (chain,) = backend.get_run("ours").get_chains()
    assert chain.get_draws("x").tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError):
        fill(backend, "another")
    assert files_in(tmp_path) == before
    with drawstore.open(str(path), mode="a") as backend:
        fill(backend, "another")
        backend.delete_run("ours")
    assert [info.rid for info in drawstore.open(path).get_runs()] == ["another"]


def test_a_directory_whose_runs_were_deleted_is_still_one(tmp_path):
    backend = FileBackend(tmp_path / "runs")
    fill(backend)
    backend.delete_run("ours")
    assert drawstore.open(tmp_path / "runs").get_runs() == []


# emcee.


def log_prob(x):
    return -0.5 * np.sum(x**2)


@pytest.mark.parametrize("kind", [HDFBackend, emcee.backends.HDFBackend])
def test_walkers_of_emcee_are_chains(tmp_path, kind):
    path = tmp_path / "emcee"
    for name in ("mcmc", "nested/one"):
        backend = kind(path, name=name)
        backend.reset(8, 3)
        save_steps(backend, 40)
    sampled = emcee.backends.HDFBackend(path, name="nested/one", read_only=True)
    before = path.read_bytes()
    opened = drawstore.open(path)
    infos = opened.get_runs()
    assert [info.rid for info in infos] == ["mcmc", "nested/one"]
    assert infos[0].chains == dict.fromkeys(range(8), 40)
    assert infos[0].size >= 40 * 8 * 4 * 8
    run = pickle.loads(pickle.dumps(opened)).get_run("nested/one")
    assert list(run.variables) == ["var_0", "var_1", "var_2"]
    assert list(run.sample_stats) == ["lp"]
    for walker, chain in enumerate(run.get_chains()):
        assert (chain.rid, chain.chain_number, len(chain)) == ("nested/one", walker, 40)
        for slc in (slice(None), slice(3, 30, 4), slice(None, None, -3), slice(9, 2)):
            for i in range(3):
                values = chain.get_draws(f"var_{i}", slc)
                np.testing.assert_array_equal(values, sampled.get_chain()[slc, walker, i])
                assert not values.flags.writeable
            np.testing.assert_array_equal(
                chain.get_stats("lp", slc), sampled.get_log_prob()[slc, walker]
            )
        assert chain.get_draws_at(-1) == {
            f"var_{i}": sampled.get_chain()[-1, walker, i] for i in range(3)
        }
        assert chain.get_stats_at(3, ["lp"]) == {"lp": sampled.get_log_prob()[3, walker]}
        with pytest.raises(IndexError):
            chain.get_draws_at(40)
        with pytest.raises(KeyError, match="var_2"):
            chain.get_draws("lp")
    for refused in (
        lambda: chain.append({}),
        lambda: chain.extend({}),
        lambda: run.init_chain(9),
        lambda: opened.delete_run("mcmc"),
        lambda: opened.init_run(make_meta({})),
    ):
        with pytest.raises(RuntimeError, match="HDFBackend"):
            refused()
    with pytest.raises(KeyError, match="nested/one"):
        opened.get_run("none")
    assert path.read_bytes() == before


def save_steps(backend, n):
    save(backend, n, (8, 3))
    if isinstance(backend, HDFBackend):
        backend.close()


def test_blobs_are_variables(tmp_path):
    path = tmp_path / "emcee.h5"
    dtype = [("energy", "f8"), ("pair", "i4", (2,)), ("name", "U5"), ("var_0", "?")]
    blob = np.array((1.5, (2, 3), "añ", True), dtype=dtype)
    for name, kwargs in (("records", {"blobs_dtype": dtype}), ("plain", {})):
        sampler = emcee.EnsembleSampler(
            8,
            2,
            (lambda x: (log_prob(x), *blob.item())) if kwargs else (lambda x: (log_prob(x), x[0])),
            backend=HDFBackend(path, name=name),
            **kwargs,
        )
        sampler.run_mcmc(np.random.default_rng(1).normal(size=(8, 2)), 10)
        sampler.backend.close()
    backend = drawstore.open(path)
    run = backend.get_run("records")
    assert list(run.variables) == ["var_0", "var_1", "energy", "pair", "name", "blobs.var_0"]
    chain = run.get_chains()[3]
    np.testing.assert_array_equal(chain.get_draws("energy"), np.full(10, 1.5))
    np.testing.assert_array_equal(chain.get_draws("pair"), np.full((10, 2), [2, 3]))
    assert chain.get_draws("name").tolist() == ["añ"] * 10
    assert chain.get_draws("blobs.var_0").all()
    chain = backend.get_run("plain").get_chains()[3]
    np.testing.assert_array_equal(chain.get_draws("blobs"), chain.get_draws("var_0"))


def test_arviz_gets_what_it_would_read_itself(tmp_path):
    path = tmp_path / "emcee.h5"
    sampler = emcee.EnsembleSampler(8, 2, log_prob, backend=HDFBackend(path))
    sampler.run_mcmc(np.random.default_rng(1).normal(size=(8, 2)), 30)
    sampler.backend.close()
    run = drawstore.open(path).get_run("mcmc")
    expected = az.from_emcee(sampler)
    data = run.to_datatree() if isinstance(expected, xr.DataTree) else run.to_inferencedata()
    for group in ("posterior", "sample_stats"):
        ours, theirs = data[group], expected[group]
        assert set(ours.data_vars) == set(theirs.data_vars)
        for name in theirs.data_vars:
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert data.posterior.attrs["inference_library"] == "emcee"


def test_emcee_and_our_runs_in_one_file(tmp_path):
    path = tmp_path / "both.h5"
    save_steps(HDFBackend(path), 10)
    with drawstore.open(path, mode="a") as backend:
        fill(backend)
        with pytest.raises(ValueError, match="mcmc"):
            backend.init_run(make_meta({}, rid="mcmc"))
    for mode in ("r", "a"):
        backend = drawstore.open(path, mode=mode)
        assert {info.rid for info in backend.get_runs()} == {"ours", "mcmc"}
        assert len(backend.get_run("mcmc").get_chains()) == 8
        assert len(backend.get_run("ours").get_chains()[0]) == 5
        with pytest.raises(KeyError, match=r"'mcmc'.*'ours'|'ours'.*'mcmc'"):
            backend.get_run("none")
    backend.delete_run("ours")
    assert [info.rid for info in backend.get_runs()] == ["mcmc"]


# Anything else.


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing at.*missing"):
        drawstore.open(tmp_path / "missing", mode="a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "found"), [(b"", "an empty file"), (b"text, for example", "not HDF5")]
)
def test_other_files_are_told(tmp_path, content, found):
    path = tmp_path / "file.h5"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"file\.h5.*{found}.*expected"):
        drawstore.open(path)
    assert path.read_bytes() == content


def test_other_contents_are_told(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spectrum"] = [1.0, 2.0]
    with pytest.raises(ValueError, match=r"other contents.*spectrum.*expected"):
        drawstore.open(tmp_path / "other.h5")
    with pytest.raises(ValueError, match=r"other contents.*other\.h5.*expected"):
        drawstore.open(tmp_path)
    fill(FileBackend(tmp_path / "runs"))
    (folder,) = (tmp_path / "runs").iterdir()
    with zipfile.ZipFile(Path(__file__).parent / "data" / "pymc" / "trace.zarr.zip") as file:
        file.extractall(tmp_path)
    with pytest.raises(ValueError, match=r"trace\.zarr.*ZarrTrace.*guide.*netCDF"):
        drawstore.open(tmp_path / "trace.zarr")
    with pytest.raises(ValueError, match="the folder of one run"):
        drawstore.open(folder)
    with pytest.raises(ValueError, match="mode"):
        drawstore.open(tmp_path / "runs", mode="w")
