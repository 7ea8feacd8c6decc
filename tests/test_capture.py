"""A captured file reads as if it had been changed, while the file is as it was."""

import os

import numpy as np
import pytest

from drawstore.hdf5.capture import PAGE, CapturedFile


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, 3 * PAGE + 17])
@pytest.mark.parametrize("seed", range(5))
def test_reads_what_was_written(tmp_path, size, seed):
    random = np.random.default_rng(seed)
    old = random.bytes(size)
    path = tmp_path / "file"
    path.write_bytes(old)
    model = bytearray(old)
    fd = os.open(path, os.O_RDWR)
    captured = CapturedFile(fd)
    for _ in range(30):
        at = int(random.integers(0, len(model) + PAGE))
        data = random.bytes(int(random.integers(1, 3 * PAGE)))
        captured.seek(at)
        assert captured.write(data) == len(data)
        model.extend(bytes(max(0, at + len(data) - len(model))))
        model[at : at + len(data)] = data
        at = int(random.integers(0, len(model)))
        found = bytearray(int(random.integers(1, 3 * PAGE)))
        captured.seek(at)
        n = captured.readinto(found)
        assert found[:n] == model[at : at + len(found)]
    assert captured.seek(0, os.SEEK_END) == captured.size == len(model)
    os.close(fd)
    assert path.read_bytes()[:size] == old
    if size == 0:
        assert path.read_bytes() == b""


def test_what_was_cut_off_reads_as_zeros(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3 * PAGE)
    fd = os.open(path, os.O_RDWR)
    captured = CapturedFile(fd)
    captured.truncate(0)
    captured.seek(PAGE + 10)
    captured.write(b"new")
    captured.seek(0)
    assert captured.read() == bytes(PAGE + 10) + b"new"
    os.close(fd)
    assert path.read_bytes() == b"x" * 3 * PAGE


def test_a_write_that_fails_is_kept_and_ends_the_writing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * PAGE)
    fd = os.open(path, os.O_RDONLY)
    captured = CapturedFile(fd)
    captured.seek(PAGE)
    assert captured.write(b"new") == 3
    with pytest.raises(OSError, match="Bad file descriptor"):
        captured.write_behind()
    assert captured.write(bytes(5 * 2**20)) == 5 * 2**20  # more than waits in memory
    assert isinstance(captured.take_error(), OSError)
    assert captured.take_error() is None
    captured.seek(0)
    captured.write(b"more")
    assert not captured.pages
    os.close(fd)
