"""`drawstore repack`: small files, with every value as it was."""

import errno
import os
import random
import shutil
import signal
import stat
import time

import arviz
import emcee
import h5py
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.cli import main
from drawstore.repacking import repack
from emcee_files import NUMBERS, SHAPE, contents, foreign, sample, with_numbers, with_text, write
from hdf_files import save
from hdf_runs import META, check, fill, stored
from reports import report
from scripting import finish, run, start, wait_for

JOB = """
import sys
from drawstore.repacking import repack
print("go", flush=True)
repack(sys.argv[1], *sys.argv[2:])
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file of emcee, of which 60 of 100 announced steps were sampled."""
    path = tmp_path_factory.mktemp("made") / "chain.h5"
    write(path, announced=100, compression="gzip")
    return path


@pytest.fixture
def path(made, tmp_path):
    return shutil.copy(made, tmp_path / "chain.h5")


def beside(path):
    return sorted(os.listdir(os.path.dirname(path)))


def test_a_file_of_emcee_takes_a_tenth(tmp_path):
    path = tmp_path / "chain.h5"
    write(path, 100, shape=(32, 5), compression="gzip")
    before = contents(path)
    done = repack(path)
    assert done.bytes_after == os.path.getsize(path) <= done.bytes_before / 10
    assert contents(path) == before
    assert repack(path).bytes_after == done.bytes_after


@pytest.mark.parametrize("compression", ["gzip", "lzf", "none"])
def test_padding_goes_and_values_stay(path, compression, tmp_path):
    before = contents(path)
    done = repack(path, tmp_path / "small.h5", compression=compression)
    assert [(rows.rows, rows.padding) for rows in done.datasets] == [(60, 40)] * 2
    assert contents(done.to) == before == contents(path)
    with h5py.File(done.to) as file:
        assert file["mcmc/chain"].shape == (60, *SHAPE)
        assert file["mcmc/chain"].maxshape == (None, *SHAPE)
        assert file["mcmc/chain"].fletcher32
        assert (file["mcmc/chain"].compression or "none") == compression
    chain = drawstore.open(done.to).get_run("mcmc").get_chains()[0]
    assert len(chain) == 60
    data = arviz.from_emcee(
        emcee.EnsembleSampler(*SHAPE, len, backend=emcee.backends.HDFBackend(done.to))
    )
    assert data.posterior.sizes["draw"] == 60


@pytest.mark.parametrize("of", [emcee.backends.HDFBackend, drawstore.emcee.HDFBackend])
@pytest.mark.parametrize(
    ("function", "dtype"), [(with_text, "S8"), (with_numbers, NUMBERS)], ids=["text", "numbers"]
)
def test_a_run_goes_on_bit_for_bit(of, function, dtype, tmp_path):
    whole, path = tmp_path / "whole.h5", tmp_path / "chain.h5"
    write(path, 30, announced=50, function=function, dtype=dtype)
    shutil.copy(path, whole)
    repack(path)
    sample(emcee.backends.HDFBackend(str(whole)), 25, function=function, dtype=dtype)
    backend = of(str(path))
    sample(backend, 25, function=function, dtype=dtype)
    if of is drawstore.emcee.HDFBackend:
        backend.close()
    assert contents(path) == contents(whole)
    assert contents(path)["iteration"] == 55


def test_everything_else_in_the_file_is_kept(tmp_path):
    path = tmp_path / "chain.h5"
    with h5py.File(path, "w", userblock_size=512, track_order=True) as file:
        file.attrs["title"] = "Ünï"
        group = file.create_group("notes", track_order=True)
        group["z"] = np.arange(10_000).reshape(100, 100)
        group["a"] = h5py.SoftLink("/notes/z")
        group["same"] = group["z"]
        group["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
        group["empty"] = h5py.Empty("f4")
        group["text"] = ["one", "zwölf", ""]
        group["none"] = np.zeros((0, 3))
        group["kind"] = np.dtype([("a", "i1"), ("b", "f8")])
        group["up"] = file["/"]
        padded = np.dtype([("a", "i1"), ("b", "f8")], align=True)
        group.attrs["padded"] = np.zeros(3, padded)
        group.attrs["void"] = h5py.Empty("S10")
        group.create_dataset("zipped", data=np.ones((50, 50)), compression="gzip", shuffle=True)
        group["x"] = np.arange(3.0)
        group["x"].make_scale("x")
        group["y"] = np.arange(3.0)
        group["y"].dims[0].attach_scale(group["x"])
    with open(path, "r+b") as file:
        file.write(b"#!/bin/sh\n")
    write(path, 12)
    write(path, 8, name="deep/second", announced=20)
    with h5py.File(path, "a") as file:
        file["mcmc"].attrs["labels"] = ["a", "b", "c"]
        file["mcmc/chain"].attrs["unit"] = "mm"
        file["mcmc/mine"] = np.arange(4)
        file["another name"] = file["deep/second/chain"]
        file["a"] = file["deep/second/chain"]
        file["outside"] = h5py.ExternalLink("other.h5", "/mcmc")
    write(path.with_name("other.h5"), 5, announced=9)
    before = {name: contents(path, name) for name in ("mcmc", "deep/second")}
    repack(path)
    assert before == {name: contents(path, name) for name in before}
    assert path.read_bytes().startswith(b"#!/bin/sh\n")
    with h5py.File(path) as file:
        assert file.userblock_size == 512
        assert file.attrs["title"] == "Ünï"
        notes = file["notes"]
        assert list(notes)[:3] == ["z", "a", "same"]
        assert notes["same"] == notes["z"]
        assert notes["up"] == file["/"]
        assert notes["z"][99, 99] == 9999
        assert notes.get("a", getlink=True).path == "/notes/z"
        assert notes.get("elsewhere", getlink=True).filename == "other.h5"
        assert isinstance(notes["empty"][()], h5py.Empty)
        assert notes["text"].asstr()[...].tolist() == ["one", "zwölf", ""]
        assert notes.attrs["padded"].dtype == padded
        assert notes["kind"].dtype == np.dtype([("a", "i1"), ("b", "f8")])
        assert notes["zipped"].shuffle
        assert notes["y"].dims[0]["x"] == notes["x"]
        assert file["mcmc"].attrs["labels"].tolist() == ["a", "b", "c"]
        assert file["mcmc/chain"].attrs["unit"] == "mm"
        assert file["mcmc/mine"][3] == 3
        assert file["deep/second/chain"] == file["another name"] == file["a"]
        assert file["a"].shape[0] == 8
        assert file.get("outside", getlink=True).filename == "other.h5"


def test_references_are_refused(path):
    with h5py.File(path, "a") as file:
        file["mcmc"].attrs["points"] = file["mcmc/chain"].ref
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"references"):
        repack(path)
    assert path.read_bytes() == before
    assert beside(path) == ["chain.h5"]


def test_files_of_ours(tmp_path):
    path = str(tmp_path / "chain.h5")
    with drawstore.emcee.HDFBackend(path, compression="gzip") as backend:
        for _ in range(5):
            save(backend, 7, SHAPE)
            backend.flush()
    with drawstore.HDF5Backend(path).init_run(META).init_chain(0) as chain:
        fill(chain, 0, 300)
    before = contents(path)
    repack(path)
    assert contents(path) == before
    check(stored(path), 300)
    with drawstore.HDF5Backend(path).get_run("ours").init_chain(0, resume=True) as chain:
        fill(chain, 300, 50)
    with drawstore.emcee.HDFBackend(path) as backend:
        save(backend, 7, SHAPE)
    check(stored(path), 350)
    assert contents(path)["iteration"] == 42


def test_what_a_dead_process_left_goes_in_first(tmp_path):
    path = str(tmp_path / "chain.h5")
    run(
        """
        import os, sys
        sys.path[:0] = sys.argv[2:]
        from drawstore.emcee import HDFBackend
        from hdf_files import save
        backend = HDFBackend(sys.argv[1], flush_interval=1000)
        save(backend, 20, (8, 3), announce=100)
        os.kill(os.getpid(), 9)
        """,
        path,
        os.path.dirname(__file__),
        code_expected=-9,
    )
    repack(path)
    assert contents(path)["iteration"] == 20
    assert beside(path) == ["chain.h5"]


def test_mode_and_times_stay(path):
    os.chmod(path, 0o640)
    os.utime(path, (1e9, 1e9))
    link = path.with_name("link.h5")
    link.symlink_to(path)
    repack(link)
    assert link.is_symlink()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert os.stat(path).st_mtime == 1e9


def test_a_file_with_two_names(path, tmp_path):
    os.link(path, tmp_path / "other.h5")
    with pytest.raises(ValueError, match="hard links"):
        repack(path)
    assert repack(path, tmp_path / "new.h5").bytes_after < os.path.getsize(path)


def test_a_writer_of_ours_is_named(tmp_path):
    path = str(tmp_path / "chain.h5")
    writer = start(
        """
        import sys
        from drawstore.emcee import HDFBackend
        sys.path[:0] = sys.argv[2:]
        from hdf_files import save
        backend = HDFBackend(sys.argv[1])
        save(backend, 20, (8, 3), announce=100)
        print("saved", flush=True)
        input()
        """,
        path,
        os.path.dirname(__file__),
    )
    wait_for(writer, "saved")
    for to in ([], [tmp_path / "new.h5"]):
        with pytest.raises(BlockingIOError, match=f"written by process {writer.pid}"):
            repack(path, *to)
    finish_with_a_line(writer)


def finish_with_a_line(process):
    process.stdin.write("\n")
    process.stdin.flush()
    finish(process)


def test_a_file_that_is_open_elsewhere(path):
    holder = start(
        """
        import h5py, sys
        file = h5py.File(sys.argv[1], "r+")
        print("open", flush=True)
        input()
        """,
        path,
    )
    wait_for(holder, "open")
    with pytest.raises(BlockingIOError, match="locked by another program"):
        repack(path)
    finish_with_a_line(holder)
    assert beside(path) == ["chain.h5"]


def test_emcee_goes_on_sampling_meanwhile(path, monkeypatch):
    """It is not hindered, and none of its steps is lost."""
    from drawstore import repacking

    copy = repacking.copy_contents

    def copy_while_sampling(*args):
        copy(*args)
        sample(emcee.backends.HDFBackend(str(path)), 5)

    monkeypatch.setattr(repacking, "copy_contents", copy_while_sampling)
    with pytest.raises(BlockingIOError, match="it changed while it was read"):
        repack(path)
    assert contents(path)["iteration"] == 65
    assert beside(path) == ["chain.h5"]


@pytest.mark.parametrize("in_place", [True, False])
def test_kills_leave_the_whole_old_or_the_whole_new_file(in_place, tmp_path):
    path, to = str(tmp_path / "chain.h5"), str(tmp_path / "new.h5")
    write(path, 40, shape=(32, 5))
    before = contents(path)
    whole = shutil.copy(path, tmp_path / "kept.h5")
    size, took = os.path.getsize(path), 0.3
    chance = random.Random(3)
    for _ in range(5):
        shutil.copy(whole, path)
        process = start(JOB, path, *([] if in_place else [to]))
        wait_for(process, "go")
        time.sleep(chance.uniform(0, took))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert contents(path) == before
        if os.path.exists(to):
            assert contents(to) == before
            os.unlink(to)
        assert in_place or os.path.getsize(path) == size
    repack(path)
    assert contents(path) == before


@pytest.mark.parametrize("room", [0, 5_000])
def test_a_full_disk(path, room):
    before = contents(path)
    size = os.path.getsize(path)
    code = f"""
    import resource, signal, sys
    from drawstore.cli import main
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
    sys.exit(main(["repack", "--compression", "none", *sys.argv[1:]]))
    """
    for to in ([], [path.with_name("new.h5")]):
        _, err = run(code, path, *to, code_expected=1)
        assert err.startswith("drawstore: ")
        assert os.strerror(errno.EFBIG) in err
        assert len(err.splitlines()) == 1
    assert contents(path) == before
    assert os.path.getsize(path) == size
    assert beside(path) == ["chain.h5"]


def test_the_command(path, capsys):
    assert main(["repack", str(path), str(path) + "-2"]) == 0
    assert "/mcmc/chain: 60 rows, 40 never sampled are gone" in capsys.readouterr().out
    code, found = report(capsys, "repack", path)
    assert code == 0
    assert found["bytes_after"] == os.path.getsize(path) < found["bytes_before"]
    assert found["datasets"][0]["padding"] == 40


def empty(path):
    path.touch()


def text(path):
    path.write_text("no HDF5")


def cut(path):
    write(path, 3)
    os.truncate(path, 3000)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (None, "there is nothing at"),
        (empty, "an empty file"),
        (text, "not HDF5"),
        (foreign, "other contents"),
        (os.mkdir, "not a file"),
        (cut, "is cut off"),
    ],
)
def test_what_cannot_be_repacked(make, why, tmp_path, capsys):
    path = tmp_path / "chain.h5"
    if make is not None:
        make(path)
    for to in ([], [tmp_path / "new.h5"]):
        assert main(["repack", str(path), *map(str, to)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("drawstore: ")
        assert why in error
    assert beside(path) == (["chain.h5"] if make else [])


def test_the_target_is_there_already(path, capsys):
    assert main(["repack", str(path), str(path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["repack", str(path), str(path.parent / "no" / "file.h5")]) == 1
    assert "no directory" in capsys.readouterr().err


def test_a_run_without_steps(tmp_path):
    path = tmp_path / "chain.h5"
    emcee.backends.HDFBackend(str(path), compression="gzip").reset(*SHAPE)
    repack(path)
    sample(emcee.backends.HDFBackend(str(path)), 5)
    assert contents(path)["iteration"] == 5


def test_damage_is_found_before_anything_is_changed(path, capsys):
    with h5py.File(path) as file:
        info = file["mcmc/chain"].id.get_chunk_info(0)
    with open(path, "r+b") as file:
        file.seek(info.byte_offset + info.size // 2)
        file.write(b"\xff\x00\xff")
    before = path.read_bytes()
    assert main(["repack", str(path)]) == 1
    assert "is damaged, or cannot be read" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert beside(path) == ["chain.h5"]


def test_a_wrong_count_is_damage(path):
    with h5py.File(path, "a") as file:
        file["mcmc"].attrs["iteration"] = 1000
    with pytest.raises(ValueError, match="drawstore rescue"):
        repack(path)
