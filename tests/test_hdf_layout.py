"""The file of a run: emcee's own layout, hardly larger than its draws, checked, and shared."""

import os
import subprocess
import sys

import emcee
import h5py
import numpy as np
import pytest

from drawstore.emcee import HDFBackend
from emcee_runs import (
    assert_same_array,
    assert_same_backend,
    assert_same_blobs,
    log_prob,
    log_prob_blobs,
    log_prob_dict,
    run,
    sampler_on,
    start_points,
)
from hdf_files import made_up_states, save, steps_in

FUNCTIONS = [log_prob, log_prob_blobs]
BINDING = {"drawstore_id", "drawstore_rows", "drawstore_sum", "drawstore_writer"}


def described(path, name="mcmc"):
    """Names, dtypes and shapes of everything in the group of a run."""
    with h5py.File(path) as file:
        assert list(file) == [name]
        assert not file.attrs
        group = file[name]
        attributes = {
            key: (type(value), np.asarray(value).dtype.kind, np.shape(value))
            for key, value in group.attrs.items()
            if key not in BINDING
        }
        datasets = {
            key: (data.dtype, data.shape, data.maxshape, dict(data.attrs))
            for key, data in group.items()
        }
    return attributes, datasets


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"dtype": np.float32}], ids=str)
def test_the_layout_is_emcees_and_only_a_binding_is_added(tmp_path, function, options):
    run(HDFBackend(tmp_path / "ours.h5", **options), 12, function)
    run(emcee.backends.HDFBackend(tmp_path / "theirs.h5", **options), 12, function)
    assert described(tmp_path / "ours.h5") == described(tmp_path / "theirs.h5")
    with h5py.File(tmp_path / "ours.h5") as file:
        assert file["mcmc"].attrs.keys() >= BINDING


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "lzf"}], ids=str)
def test_emcee_reads_the_same(tmp_path, function, options):
    path = tmp_path / "a.h5"
    ours = HDFBackend(path, **options)
    run(ours, 40, function)
    assert_same_backend(ours, emcee.backends.HDFBackend(path))
    with h5py.File(path) as file:
        assert_same_array(file["mcmc/chain"][...], ours.get_chain())
        assert_same_array(file["mcmc/log_prob"][...], ours.get_log_prob())
        assert_same_blobs(
            file["mcmc/blobs"][...] if function is log_prob_blobs else None, ours.get_blobs()
        )
        assert file["mcmc"].attrs["version"] == emcee.__version__


def test_dicts_are_structured_blobs_for_every_reader(tmp_path):
    ours = HDFBackend(tmp_path / "a.h5")
    run(ours, 6, log_prob_dict)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["mcmc/blobs"].dtype.names == ("energy", "inside", "edge")
    assert_same_array(emcee.backends.HDFBackend(tmp_path / "a.h5").get_blobs(), ours.get_blobs())


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"dtype": np.float32}], ids=str)
def test_emcees_files_are_read_and_resumed_and_given_back(tmp_path, function, options):
    path = tmp_path / "a.h5"
    theirs = emcee.backends.HDFBackend(path, **options)
    run(theirs, 9, function)
    assert_same_backend(HDFBackend(path), theirs)

    with HDFBackend(path) as ours:
        run(ours, 8, function, seed=2)
        assert_same_backend(ours, theirs)
    run(emcee.backends.HDFBackend(path), 7, function, seed=3)
    run(HDFBackend(path), 6, function, seed=4)
    assert_same_backend(HDFBackend(path), theirs)

    whole = emcee.backends.HDFBackend(tmp_path / "whole.h5", **options)
    run(whole, 30, function)
    if "dtype" not in options:  # float32 rounds the state that a run is resumed from
        assert_same_backend(HDFBackend(path), whole)


def test_room_that_emcee_announced_and_did_not_fill_is_used(tmp_path):
    theirs = emcee.backends.HDFBackend(tmp_path / "a.h5")
    save(theirs, 5, (4, 2), announce=50)
    ours = HDFBackend(tmp_path / "a.h5")
    assert ours.get_chain().shape == (5, 4, 2)
    save(ours, 3, (4, 2), seed=8)
    assert steps_in(tmp_path / "a.h5") == 8
    expected = [s.coords for seed, n in ((3, 5), (8, 3)) for s in made_up_states(n, (4, 2), seed)]
    np.testing.assert_array_equal(theirs.get_chain(), expected)


@pytest.mark.parametrize("mode", ["r", "a"])
@pytest.mark.parametrize("locking", [None, True, False])
def test_reads_while_h5py_has_the_file_open_in_the_same_process(tmp_path, mode, locking):
    ours = HDFBackend(tmp_path / "a.h5")
    save(ours, 5, (4, 2))
    chain = ours.get_chain()
    with h5py.File(tmp_path / "a.h5", mode, locking=locking) as file:
        np.testing.assert_array_equal(file["mcmc/chain"][...], chain)
        np.testing.assert_array_equal(ours.get_chain(), chain)
        assert HDFBackend(tmp_path / "a.h5", read_only=True).iteration == 5


# Other things in the file.


def test_several_runs_in_one_file(tmp_path):
    path = tmp_path / "a.h5"
    lengths = {"first": 5, "second": 7, "deep/er": 4}
    for seed, (name, n) in enumerate(lengths.items()):
        run(HDFBackend(path, name=name), n, seed=seed)
    for seed, (name, n) in enumerate(lengths.items()):
        alone = emcee.backends.Backend()
        run(alone, n, seed=seed)
        assert_same_backend(HDFBackend(path, name=name), alone)
        assert steps_in(path, name) == n
    HDFBackend(path, name="first").reset(6, 2)
    assert [HDFBackend(path, name=name).iteration for name in lengths] == [0, 7, 4]


def test_what_others_put_into_the_file_stays(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["observed/flux"] = np.arange(5.0)
        file.attrs["source"] = "telescope"
    backend = HDFBackend(path, flush_interval=60.0)
    backend.reset(4, 2)
    backend.grow(30, None)
    for i, state in enumerate(made_up_states(30, (4, 2))):
        backend.save_step(state, np.ones(4, bool))
        if i == 10:
            with backend.open("a") as file:
                file["mcmc"].attrs["labels"] = ["m", "b"]
                file["mcmc/chain"].attrs["unit"] = "Jy"
                file["mcmc/notes"] = np.arange(3)
        if i == 20:
            add = "import h5py, sys; h5py.File(sys.argv[1], 'a')['frame/table'] = [1, 2, 3]"
            subprocess.run([sys.executable, "-c", add, path], check=True)
            backend.flush()
    assert steps_in(path) == 30
    with h5py.File(path) as file:
        assert list(file["observed/flux"]) == [0, 1, 2, 3, 4]
        assert file.attrs["source"] == "telescope"
        assert list(file["mcmc"].attrs["labels"]) == ["m", "b"]
        assert file["mcmc/chain"].attrs["unit"] == "Jy"
        assert list(file["mcmc/notes"]) == [0, 1, 2]
        assert list(file["frame/table"]) == [1, 2, 3]


def test_what_is_put_on_a_run_before_its_first_step_stays(tmp_path):
    backend = HDFBackend(tmp_path / "a.h5")
    backend.reset(4, 2)
    with backend.open("a") as file:
        file["mcmc"].attrs["labels"] = ["m", "b"]
        file["mcmc/chain"].attrs["unit"] = "Jy"
    save(backend, 3, (4, 2))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["mcmc/chain"].attrs["unit"] == "Jy"
        assert list(file["mcmc"].attrs["labels"]) == ["m", "b"]


# Bytes.


def superblock_version(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89HDF\r\n\x1a\n")
    return data[8]


def test_the_format_is_one_that_hdf5_1_10_reads(tmp_path):
    path = tmp_path / "a.h5"
    run(HDFBackend(path, compression="gzip"), 5, log_prob_blobs)
    assert superblock_version(path) <= 3
    with h5py.File(path, "r+", libver=("earliest", "v110")) as file:
        file["mcmc"].copy("chain", "copied")


def test_the_format_of_emcees_file_stays(tmp_path):
    run(emcee.backends.HDFBackend(tmp_path / "a.h5"), 5)
    before = superblock_version(tmp_path / "a.h5")
    run(HDFBackend(tmp_path / "a.h5"), 5)
    assert superblock_version(tmp_path / "a.h5") == before


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=str)
def test_a_byte_that_flipped_in_the_draws_is_an_error(tmp_path, options):
    path = tmp_path / "a.h5"
    run(HDFBackend(path, **options), 400, log_prob_blobs)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        spots = [
            (key, chunk.byte_offset + at)
            for key in ("chain", "log_prob", "blobs")
            for i in range(file[f"mcmc/{key}"].id.get_num_chunks())
            for chunk in [file[f"mcmc/{key}"].id.get_chunk_info(i)]
            for at in np.linspace(0, chunk.size - 5, 12, dtype=int)
        ]
    assert len(spots) >= 36
    for key, at in spots:
        damaged = bytearray(whole)
        damaged[at] ^= 0x40
        path.write_bytes(damaged)
        with pytest.raises(OSError, match="read"):
            HDFBackend(path).get_value(key)
    path.write_bytes(whole)
    assert HDFBackend(path).get_chain().shape == (400, 12, 3)


# Sizes.


def size_per_draw(path):
    """Bytes of the file beside the bytes of its draws."""
    with h5py.File(path) as file:
        group = file["mcmc"]
        draws = sum(group[key].nbytes for key in ("chain", "log_prob", "blobs") if key in group)
    return os.path.getsize(path) / draws


@pytest.mark.parametrize(
    ("steps", "shape", "most"),
    [(100, (32, 5), 1.3), (500, (32, 5), 1.1), (3000, (32, 5), 1.02), (30, (512, 64), 1.01)],
)
def test_the_file_is_hardly_larger_than_its_draws(tmp_path, steps, shape, most):
    save(HDFBackend(tmp_path / "a.h5"), steps, shape)
    assert size_per_draw(tmp_path / "a.h5") < most


def test_the_file_of_a_few_steps_is_small(tmp_path):
    save(HDFBackend(tmp_path / "a.h5"), 1, (32, 5))
    assert os.path.getsize(tmp_path / "a.h5") < 100_000


@pytest.mark.parametrize(
    ("steps", "shape"),
    [(10_000, (32, 5)), (500, (200, 40)), (20, (1000, 20)), (5, (1000, 150))],
)
def test_chunks_are_whole_rows_of_a_good_size(tmp_path, steps, shape):
    backend = HDFBackend(tmp_path / "a.h5")
    save(backend, 1, shape, announce=steps)
    backend.close()
    with h5py.File(tmp_path / "a.h5") as file:
        chain = file["mcmc/chain"]
        assert chain.chunks[1:] == shape
        bytes_per_chunk = chain.chunks[0] * shape[0] * shape[1] * 8
        assert 2**18 <= bytes_per_chunk <= 2**20 or chain.chunks[0] == 1
        assert chain.fletcher32
        assert file["mcmc/log_prob"].fletcher32


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=str)
@pytest.mark.parametrize(("walkers", "ndim"), [(1100, 128), (17_000, 128), (2, 1)])
def test_rows_of_any_size(tmp_path, walkers, ndim, options):
    backend = HDFBackend(tmp_path / "a.h5", dtype="f4" if walkers == 17_000 else "f8", **options)
    save(backend, 3, (walkers, ndim))
    save(backend, 2, (walkers, ndim), seed=9)
    expected = [
        state.coords
        for seed, n in ((3, 3), (9, 2))
        for state in made_up_states(n, (walkers, ndim), seed)
    ]
    np.testing.assert_array_equal(backend.get_chain(), np.array(expected, backend.dtype))
    np.testing.assert_array_equal(backend.get_chain(thin=2), backend.get_chain()[1::2])
    assert steps_in(tmp_path / "a.h5") == 5


@pytest.mark.parametrize(
    ("options", "most"), [({}, 1.1), ({"compression": "gzip"}, 0.8)], ids=["plain", "gzip"]
)
def test_a_drain_for_each_step_leaks_nothing(tmp_path, options, most):
    """As a slow likelihood does: the last chunk grows by one row at a time."""
    backend = HDFBackend(tmp_path / "a.h5", flush_interval=60.0, **options)
    sampler = sampler_on(backend, log_prob_blobs, (32, 5))
    for _ in sampler.sample(start_points((32, 5)), iterations=300):
        backend.flush()
    assert size_per_draw(tmp_path / "a.h5") < most


def test_a_growing_chunk_lies_raw_and_is_compressed_when_the_next_begins(tmp_path):
    path = tmp_path / "a.h5"
    backend = HDFBackend(path, compression="gzip", flush_interval=60.0)
    backend.reset(40, 20)
    backend.grow(200, None)
    expected = []
    for i, state in enumerate(made_up_states(200, (40, 20))):
        backend.save_step(state, np.ones(40, bool))
        expected.append(state.coords)
        if i % 19 != 18:
            continue
        backend.flush()
        with h5py.File(path) as file:
            chain = file["mcmc/chain"]
            np.testing.assert_array_equal(chain[...], expected)
            chunks = [chain.id.get_chunk_info(k) for k in range(chain.id.get_num_chunks())]
            assert [chunk.filter_mask for chunk in chunks] == [0] * (len(chunks) - 1) + [1]
    assert len(chunks) > 1
