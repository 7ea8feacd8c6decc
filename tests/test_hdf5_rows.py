"""Rows of datasets, written and read past HDF5's cache: the same values as through it."""

import h5py
import numpy as np
import pytest

from drawstore._core import fletcher32
from drawstore.hdf5.rows import append_rows, chunk_rows, read_rows

LAYOUTS = {
    "checked": {"fletcher32": True},
    "plain": {},
    "gzip": {"compression": "gzip", "fletcher32": True},
    "lzf": {"compression": "lzf"},
    "shuffled": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "split": {"fletcher32": True, "chunks": (7, 3, 2)},
    "contiguous": None,
}
DTYPES = ["f8", "f4", ">i2", "c16", "longdouble", [("a", "f8", (2,)), ("b", "i4")], "S5", "?"]


def values(n, dtype="f8", seed=1):
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    out = np.zeros((n, 4, 5), dtype=dtype)
    for name in dtype.names or [...]:
        part = out[name]
        part[...] = rng.integers(0, 2 if dtype.kind == "?" else 100, part.shape)
    return out


def make(path, rows, layout):
    """A dataset in one of the layouts, grown by pieces of several sizes."""
    file = h5py.File(path, "w")
    if layout is None:
        return file.create_dataset("rows", data=rows)
    options = {"chunks": (7, 4, 5), **layout}
    dataset = file.create_dataset(
        "rows", (0, *rows.shape[1:]), maxshape=(None, *rows.shape[1:]), dtype=rows.dtype, **options
    )
    start = 0
    for n in [1, 1, 6, 20, 0, 3, len(rows)]:
        piece = rows[start : start + n]
        append_rows(dataset, start, piece)
        dataset = reopened(dataset)
        start += len(piece)
    return dataset


def reopened(dataset):
    path = dataset.file.filename
    dataset.file.close()
    return h5py.File(path, "r+")["rows"]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reads_what_was_appended_as_hdf5_does(tmp_path, dtype, layout):
    rows = values(50, dtype)
    dataset = make(tmp_path / "a.h5", rows, layout)
    np.testing.assert_array_equal(dataset[...], rows)
    for start, stop, step in [(0, 50, 1), (0, 50, 10), (3, 44, 6), (13, 14, 1), (49, 99, 7)]:
        read = read_rows(dataset, start, stop, step)
        assert read.dtype == rows.dtype
        np.testing.assert_array_equal(read, rows[start:stop:step])
    for start, stop in [(50, 50), (70, 90), (9, 3)]:
        assert read_rows(dataset, start, stop, 3).shape == (0, 4, 5)
    dataset.file.close()


def test_reads_blobs_whose_dtype_has_a_shape(tmp_path):
    dtype = np.dtype(("f8", (3,)))
    rows = np.arange(20 * 4 * 3.0).reshape(20, 4, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "blobs", (0, 4), maxshape=(None, 4), chunks=(8, 4), dtype=dtype, fletcher32=True
        )
        append_rows(dataset, 0, rows)
        np.testing.assert_array_equal(read_rows(dataset, 1, 20, 3), rows[1::3])
        np.testing.assert_array_equal(dataset[...], rows)


def test_chunks_that_were_never_written_are_read_as_zeros(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "rows", (0, 2), maxshape=(None, 2), chunks=(5, 2), dtype="f8", fletcher32=True
        )
        append_rows(dataset, 0, np.ones((5, 2)))
        dataset.resize(20, axis=0)
        np.testing.assert_array_equal(read_rows(dataset, 0, 20, 4)[:, 0], [1, 1, 0, 0, 0])


def test_rows_that_are_replaced_are_gone(tmp_path):
    rows = values(40)
    for layout in LAYOUTS.values():
        if layout is None:
            continue
        dataset = make(tmp_path / "a.h5", rows, layout)
        append_rows(dataset, 9, -rows[:3])
        dataset = reopened(dataset)
        np.testing.assert_array_equal(dataset[...], np.concatenate([rows[:9], -rows[:3]]))
        dataset.file.close()


@pytest.mark.parametrize("step", [1, 3])
def test_a_flipped_byte_is_an_error(tmp_path, step):
    dataset = make(tmp_path / "a.h5", values(52), LAYOUTS["checked"])
    chunks = [dataset.id.get_chunk_info(i) for i in range(dataset.id.get_num_chunks())]
    dataset.file.close()
    for chunk in chunks:
        for at in [0, chunk.size // 2, chunk.size - 5, chunk.size - 1]:
            flip(tmp_path / "a.h5", chunk.byte_offset + at)
            with h5py.File(tmp_path / "a.h5") as file, pytest.raises(OSError, match="read"):
                read_rows(file["rows"], 0, 52, step)
            flip(tmp_path / "a.h5", chunk.byte_offset + at)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def test_checksum_is_hdf5s(tmp_path):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for n in [*range(1, 20), 2879, 2880, 2881, 2895, 2896, 100_001, 524_288]:
            mixed = np.r_[np.full(n // 2, 255, "u1"), np.zeros(n - n // 2, "u1")]
            random = rng.integers(0, 256, n).astype("u1")
            for data in [random, np.full(n, 255, "u1"), np.zeros(n, "u1"), mixed]:
                dataset = file.create_dataset("x", data=data, chunks=(n,), fletcher32=True)
                file.flush()
                _, stored = dataset.id.read_direct_chunk((0,))
                assert fletcher32(data) == int.from_bytes(stored[-4:], "little"), n
                del file["x"]


@pytest.mark.parametrize("row_bytes", [1, 8, 1280, 300_000, 600_000, 2**20, 17 * 2**20])
def test_chunks_are_whole_rows_of_half_a_mebibyte(row_bytes):
    n = chunk_rows(row_bytes)
    assert n == 1 or 2**18 <= n * row_bytes <= 2**20
