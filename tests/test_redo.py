"""Every moment at which a change of a file can be cut short, and what the next open makes of it."""

import os
import threading
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from drawstore.hdf5 import capture, change, redo
from drawstore.hdf5.locks import try_lock
from drawstore.hdf5.redo import RedoFile, left_behind, redo_path
from drawstore.hdf5.store_file import store_file
from scripting import run


def write_first(file):
    file.create_dataset("rows", data=np.arange(3000.0), maxshape=(None,), chunks=(1000,))
    file.create_dataset("packed", data=np.arange(3000), compression="gzip")
    file["rows"].attrs["iteration"] = 1


def write_more(file):
    file["rows"].resize(9000, axis=0)
    file["rows"][2500:] = np.arange(6500.0)
    file["packed"][:1000] = 7
    file["rows"].attrs.modify("iteration", 2)


def write_in_place(file):
    file["rows"][:500] = -1.0


def begin_anew(file):
    file["other"] = np.arange(10)


def update(path, change, **kwargs):
    file = store_file(path)
    with file.owned():
        return file.update(change, timeout=1.0, **kwargs)


def content(path):
    with store_file(path).reading() as file:
        return {key: file[key][...].tobytes() for key in file}


def read_files(path):
    """Give the bytes of a store and of its redo file; None where there is no such file."""
    names = path, redo_path(path)
    return tuple(Path(name).read_bytes() if os.path.exists(name) else None for name in names)


class Recorder:
    """Copies store and redo file before each write, in the middle of it, and at the end."""

    def __init__(self, path, monkeypatch):
        self._path = path
        self.moments = []
        self._write_pieces = capture.write_pieces
        for module in (capture, change, redo):
            monkeypatch.setattr(module, "write_pieces", self.write_pieces)

    def look(self):
        self.moments.append(read_files(self._path))

    def write_pieces(self, fd, pieces, sync=False):
        for offset, data in pieces:
            self.look()
            half = len(data) // 1024 * 512
            self._write_pieces(fd, [(offset, memoryview(data)[:half])])
            self.look()
            self._write_pieces(fd, [(offset + half, memoryview(data)[half:])])
            self.look()
        self._write_pieces(fd, [], sync)


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "a.h5")
    update(path, write_first, create=True)
    return path


def put(path, moment):
    for name, data in zip((path, redo_path(path)), moment, strict=True):
        if data is not None:
            with open(name, "wb") as file:
                file.write(data)


@pytest.mark.parametrize("change", [write_more, write_in_place, begin_anew])
def test_a_change_happens_whole_or_not_at_all(tmp_path, path, monkeypatch, change):
    before = content(path)
    with open(path, "rb") as file:
        before_bytes = file.read()
    with monkeypatch.context() as patched:
        recorder = Recorder(path, patched)
        assert update(path, change, replaces=lambda _: change is begin_anew)
        recorder.look()
    after = content(path)
    after_bytes = recorder.moments[-1][0]
    assert after != before
    seen = set()
    for i, moment in enumerate(recorder.moments):
        copy = str(tmp_path / f"{i}.h5")
        put(copy, moment)
        found = content(copy)
        assert found in (before, after)
        seen.add(found == after)
        assert read_files(copy) == moment
        with store_file(copy).owned():
            pass
        assert content(copy) == found
        with open(copy, "rb") as file:
            data = file.read()
        # Bytes behind the end that nothing refers to yet are not part of the file.
        assert data == after_bytes if found == after else data.startswith(before_bytes)
        with h5py.File(copy, "r") as file:
            assert set(file) == set(found)
        assert update(copy, lambda file: file.attrs.create("more", 1))
        assert content(copy) == found
        assert not os.path.exists(redo_path(copy))
    assert seen == {False, True}


def test_a_new_file_is_there_whole_or_empty(tmp_path, monkeypatch):
    path = str(tmp_path / "a.h5")
    with monkeypatch.context() as patched:
        recorder = Recorder(path, patched)
        update(path, write_first, create=True)
    for i, moment in enumerate(recorder.moments):
        copy = str(tmp_path / f"{i}.h5")
        put(copy, moment)
        with store_file(copy).owned():
            pass
        if moment[0] is not None and os.path.getsize(copy):
            assert content(copy) == content(path)


@pytest.mark.parametrize("change", [write_more, begin_anew])
def test_who_reads_a_half_changed_file_writes_nothing(path, change):
    interrupted(path, change)
    before = read_files(path)
    found = content(path)
    assert ("other" in found) == (change is begin_anew)
    assert change is begin_anew or len(found["rows"]) == 9000 * 8
    assert read_files(path) == before
    with store_file(path).owned():
        assert content(path) == found
    assert content(path) == found
    assert read_files(path) != before


def test_a_change_that_its_writer_may_give_up_is_not_seen(path):
    with store_file(path).owned(), open(path, "rb") as held:
        assert try_lock(held.fileno(), shared=True)
        thread = threading.Thread(
            target=store_file(path).update, args=(write_in_place,), kwargs={"timeout": 0.5}
        )
        thread.start()
        code = """
        import os, sys, time
        from drawstore.hdf5.redo import redo_path
        from drawstore.hdf5.store_file import store_file
        while os.path.getsize(redo_path(sys.argv[1])) < 1024:
            time.sleep(0.001)
        with store_file(sys.argv[1]).reading() as file:
            print(file["rows"][0], file["rows"][1])
        """
        assert run(code, path)[0].split() == ["0.0", "1.0"]
        thread.join()


def interrupted(path, change):
    """Leave a store as a process does that dies when its change is written down."""

    class Died(BaseException):
        pass

    def die(self, fd, check):
        raise Died

    apply = redo.Change.apply
    file = store_file(path)
    redo.Change.apply = die
    file.acquire()
    try:
        with pytest.raises(Died):
            file.update(change)
    finally:
        redo.Change.apply = apply
    with open(redo_path(path), "rb") as left:
        data = left.read()
    os.truncate(redo_path(path), 0)
    file.release()
    with open(redo_path(path), "wb") as left:
        left.write(data)


def test_a_foreign_change_since_is_kept(path):
    interrupted(path, write_more)
    assert left_behind(path)
    with h5py.File(path, "a") as file:
        file["foreign"] = np.arange(1000)
    found = content(path)
    assert "foreign" in found
    with (
        pytest.warns(RuntimeWarning, match="changed or replaced since") as caught,
        store_file(path).owned(),
    ):
        pass
    assert len(caught) == 1
    assert os.path.exists(redo_path(path) + ".set-aside")
    assert content(path) == found


def test_a_replaced_file_is_kept(tmp_path, path):
    interrupted(path, write_more)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["mine"] = np.arange(5000)
    os.replace(tmp_path / "b.h5", path)
    assert set(content(path)) == {"mine"}
    with pytest.warns(RuntimeWarning, match="set-aside"), store_file(path).owned():
        pass
    assert set(content(path)) == {"mine"}


def test_a_change_that_was_done_is_forgotten_though_the_next_one_had_begun(path):
    interrupted(path, write_more)
    with open(redo_path(path), "rb") as file:
        done = file.read()
    with store_file(path).owned():
        after = content(path)
    with open(path, "ab") as file:
        file.write(b"x" * 8192)
    with open(redo_path(path), "wb") as file:  # as a loss of power may bring it back
        file.write(done)
    assert content(path) == after
    assert update(path, begin_anew)
    assert not os.path.exists(redo_path(path) + ".set-aside")


def test_a_change_of_a_file_that_is_gone_is_set_aside(path):
    interrupted(path, write_more)
    os.remove(path)
    with pytest.warns(RuntimeWarning, match="the file is gone"):
        RedoFile(path).release()
    assert not os.path.exists(path)


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_redo_file_is_not_applied(path, how):
    before = content(path)
    interrupted(path, write_in_place)
    with open(redo_path(path), "r+b") as file:
        data = file.read()
        file.seek(0)
        file.truncate({"cut": len(data) - 1, "empty": 0}.get(how, len(data)))
        if how == "flipped":
            file.write(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        if how == "foreign":
            file.write(b"x" * len(data))
    assert not left_behind(path)
    assert content(path) == before
    assert update(path, write_in_place)


def test_another_versions_redo_file_is_left_to_it(path):
    interrupted(path, write_in_place)
    with open(redo_path(path), "r+b") as file:
        file.seek(redo._HEADER_AT + 8)
        file.write((99).to_bytes(4, "little"))
    with pytest.raises(OSError, match="format 99"):
        content(path)
    assert os.path.exists(redo_path(path))


@pytest.mark.parametrize("at", ["before", "half-way"])
def test_an_interrupted_process_finishes_its_change_itself(path, monkeypatch, at):
    whole = redo.Change.apply

    def stop(self, fd, check):
        if at == "half-way":
            capture.write_pieces(fd, self.runs[:1])
        raise KeyboardInterrupt

    file = store_file(path)
    with file.owned():
        monkeypatch.setattr(redo.Change, "apply", stop)
        with pytest.raises(KeyboardInterrupt):
            file.update(write_more)
        monkeypatch.setattr(redo.Change, "apply", whole)
        with file.reading() as opened:
            assert opened["rows"].attrs["iteration"] == 2
            assert len(opened["rows"]) == 9000
    assert not os.path.exists(redo_path(path))


def test_a_failed_change_leaves_nothing(tmp_path, path):
    before = content(path)

    def fail(file):
        write_more(file)
        raise ValueError("no")

    size = os.path.getsize(path)
    with pytest.raises(ValueError, match="no"):
        update(path, fail)
    assert os.path.getsize(path) == size
    assert content(path) == before
    new = str(tmp_path / "new.h5")
    with pytest.raises(ValueError, match="no"):
        update(new, lambda file: fail(file) if "rows" in file else int("no"), create=True)
    assert os.listdir(tmp_path) == ["a.h5"]


def test_only_a_reset_makes_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        update(str(tmp_path / "a.h5"), write_first)
    assert os.listdir(tmp_path) == []


def test_reading_leaves_an_empty_redo_file_alone(path):
    with open(redo_path(path), "wb"):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content(path)
    assert os.path.getsize(redo_path(path)) == 0
