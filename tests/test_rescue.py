"""`drawstore rescue`: what can be read of broken files of emcee, and nothing else."""

import contextlib
import functools
import os
import random
import shutil
import signal
import struct
import textwrap
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
from drawstore.rescue import rescue, rescue_with
from drawstore.rescue.reader import Reader
from emcee_files import NUMBERS, SHAPE, contents, foreign, sample, with_numbers, with_text, write
from hdf_files import made_up_states, save
from reports import report
from scripting import run, start, wait_for

ROUNDS = 100
STEPS = 2000


def made_up(path, **options):
    """A file of emcee's layout of 2000 steps, without padding, in chunks with checksums."""
    with drawstore.emcee.HDFBackend(str(path), journal=False) as backend:
        save(backend, STEPS, SHAPE)
    repack(path, **options)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    path = tmp_path_factory.mktemp("checked") / "chain.h5"
    made_up(path)
    return path


@pytest.fixture(scope="module")
def of_emcee(tmp_path_factory):
    """A file as emcee writes it, without compression, of which 300 of 400 steps were sampled."""
    path = tmp_path_factory.mktemp("emcee") / "chain.h5"
    write(path, 300, announced=400)
    return path


@pytest.fixture
def path(checked, tmp_path):
    return shutil.copy(checked, tmp_path / "chain.h5")


@pytest.fixture
def to(tmp_path):
    return tmp_path / "saved.h5"


@pytest.fixture(scope="module")
def reader():
    with Reader(timeout=20.0) as reader:
        yield reader


@pytest.fixture
def rescued(reader):
    """`rescue`, without a new process each time."""
    return functools.partial(rescue_with, reader)


def overwrite(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def chunks_of(path, name):
    """The place of each chunk of a dataset, by its first step."""
    with h5py.File(path) as file:
        found = []
        file[name].id.chunk_iter(found.append)
        return [(info.chunk_offset[0], info.byte_offset, info.size) for info in found]


def steps_of(path, name="mcmc"):
    with h5py.File(path) as file:
        group = file[name]
        assert len(group["chain"]) == len(group["log_prob"]) == group.attrs["iteration"]
        return group["chain"][...], group["log_prob"][...]


def check_stretches(done, whole):
    """Every step that was saved is, bit for bit, the one that it is said to be."""
    chain, log_prob = steps_of(whole)
    saved = 0
    for found in done.runs:
        for stretch in found.stretches:
            rows = slice(stretch.start, stretch.stop)
            for values, expected in zip(
                steps_of(done.to, stretch.name), (chain[rows], log_prob[rows]), strict=True
            ):
                assert np.isnan(values).all() or values.tobytes() == expected.tobytes()
            saved += stretch.stop - stretch.start
    return saved


def test_a_good_file(of_emcee, to):
    done = rescue(of_emcee, to)
    assert done.is_complete
    assert contents(to) == contents(of_emcee)
    with h5py.File(to) as file:
        assert file["mcmc/chain"].shape == (300, *SHAPE)
    assert [data.is_checked for data in done.runs[0].datasets] == [False, False]
    other = to.with_name("other.h5")
    shutil.copy(of_emcee, other)
    for path in (to, other):
        sample(emcee.backends.HDFBackend(str(path)), 5)
    assert contents(to) == contents(other)
    arviz.from_emcee(emcee.EnsembleSampler(*SHAPE, len, backend=emcee.backends.HDFBackend(to)))


@pytest.mark.parametrize(
    ("function", "dtype"),
    [(with_text, "S8"), (with_text, object), (with_numbers, NUMBERS)],
    ids=["text", "text of any length", "numbers"],
)
def test_blobs(function, dtype, path, to, rescued):
    path.unlink()
    if dtype is object:
        with drawstore.emcee.HDFBackend(str(path)) as backend:
            backend.reset(*SHAPE)
            sample(backend, 20, function=function, dtype=dtype)
    else:
        write(path, 20, function=function, dtype=dtype, announced=30)
    assert rescued(path, to).is_complete
    assert contents(to) == contents(path)


def test_one_bad_chunk_loses_itself_alone(path, checked, to, rescued):
    chunks = chunks_of(path, "mcmc/chain")
    first, at, size = chunks[4]
    overwrite(path, at + size // 2, b"\xff\x00\xff")
    done = rescued(path, to)
    assert not done.is_complete
    assert done.runs[0].datasets[0].lost[0].start == first
    assert done.runs[0].datasets[0].lost[0].stop == chunks[5][0]
    assert [(s.name, s.start, s.stop) for s in done.runs[0].stretches] == [
        ("mcmc", 0, first),
        (f"mcmc_from_{chunks[5][0]}", chunks[5][0], STEPS),
    ]
    assert check_stretches(done, checked) == STEPS - (chunks[5][0] - first)
    with h5py.File(to) as file:
        assert "random_state_0" not in file["mcmc"].attrs
        assert file[done.runs[0].stretches[1].name].attrs["first_step"] == chunks[5][0]
    # What ends with the last step can be gone on with.
    backend = emcee.backends.HDFBackend(str(to), name=done.runs[0].stretches[1].name)
    whole = emcee.backends.HDFBackend(str(path), name="mcmc")
    for one, other in zip(backend.random_state, whole.random_state, strict=True):
        np.testing.assert_array_equal(one, other)
    moves = (np.diff(steps_of(to)[0], axis=0) != 0).any(axis=2).sum(axis=0)
    np.testing.assert_array_equal(emcee.backends.HDFBackend(str(to)).accepted, moves)


def test_what_is_lost_can_be_nan(path, checked, to, rescued):
    first, at, size = chunks_of(path, "mcmc/chain")[4]
    stop = chunks_of(path, "mcmc/chain")[5][0]
    overwrite(path, at + size // 2, b"\xff\x00\xff")
    done = rescued(path, to, fill=True)
    assert not done.is_complete
    chain, log_prob = steps_of(checked)
    chain[first:stop] = np.nan
    saved = steps_of(to)
    np.testing.assert_array_equal(saved[0], chain)
    np.testing.assert_array_equal(saved[1], log_prob)


@pytest.mark.parametrize("name", ["chain", "log_prob", "accepted"])
def test_a_dataset_that_is_gone(name, path, checked, to, rescued):
    with h5py.File(path, "a") as file:
        del file["mcmc"][name]
    done = rescued(path, to)
    assert not done.is_complete
    assert check_stretches(done, checked) == STEPS
    saved = dict(zip(("chain", "log_prob"), steps_of(to), strict=True))
    assert [key for key in saved if np.isnan(saved[key]).all()] == [name][: name != "accepted"]
    assert drawstore.open(to).get_run("mcmc").get_chains()[0].get_draws("var_0").shape == (STEPS,)


@pytest.mark.parametrize("wrong", [17, -1, 10**9, 500, None])
def test_a_wrong_count(wrong, of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    with h5py.File(path, "a") as file:
        if wrong is None:
            del file["mcmc"].attrs["iteration"]
        else:
            file["mcmc"].attrs["iteration"] = wrong
    done = rescued(path, to)
    assert not done.is_complete
    assert steps_of(to)[0].tobytes() == steps_in(of_emcee).tobytes()


def test_steps_that_were_never_written(of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    with h5py.File(path, "a") as file:
        file["mcmc"].attrs["iteration"] = 350
    done = rescued(path, to)
    assert {lost.start for data in done.runs[0].datasets for lost in data.lost} == {300}
    assert "never written" in done.runs[0].datasets[0].lost[0].why
    assert steps_of(to)[0].tobytes() == steps_in(of_emcee).tobytes()


def steps_in(path):
    with h5py.File(path) as file:
        return file["mcmc/chain"][:300]


def test_more_than_one_run(path, to, rescued):
    write(path, 7, name="deep/second")
    assert len(rescued(path, to).runs) == 2
    assert contents(to, "deep/second") == contents(path, "deep/second")


def test_a_run_without_steps(to, tmp_path, rescued):
    path = str(tmp_path / "chain.h5")
    emcee.backends.HDFBackend(path).reset(*SHAPE)
    emcee.backends.HDFBackend(path).grow(100, None)
    assert rescued(path, to).is_complete
    sample(emcee.backends.HDFBackend(str(to)), 5)
    assert contents(to)["iteration"] == 5


def test_what_is_no_run_is_named(path, to, rescued):
    with h5py.File(path, "a") as file:
        file["table"] = np.arange(3)
    done = rescued(path, to)
    assert not done.is_complete
    assert "'table' is no run of emcee" in done.notes[0]


@pytest.mark.parametrize("begin", [0, 4, 9, 20, 40])
def test_a_superblock_in_pieces(begin, of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    overwrite(path, begin, b"\x5a" * 8)
    rescued(path, to)
    assert contents(to) == contents(of_emcee)


def test_a_newer_superblock_in_pieces(to, tmp_path, rescued):
    path, whole = tmp_path / "chain.h5", tmp_path / "whole.h5"
    made_up(path)
    with h5py.File(path) as old, h5py.File(whole, "w", libver=("v110", "v110")) as file:
        old.copy("mcmc", file)
    for at, data in ((11, b"\x05"), (0, b"\0" * 44), (28, struct.pack("<Q", 10**7)), (44, b"abcd")):
        shutil.copy(whole, path)
        overwrite(path, at, data)
        with pytest.raises(OSError):  # noqa: PT011
            h5py.File(path)
        done = rescued(path, to)
        assert done.is_complete
        assert "superblock" in done.how
        assert contents(to) == contents(whole)
        to.unlink()


@pytest.mark.parametrize("part", [0.99, 0.9, 0.6, 0.3])
def test_a_file_that_was_cut_off(part, of_emcee, to, tmp_path, rescued):
    path = shutil.copy(of_emcee, tmp_path / "chain.h5")
    os.truncate(path, int(part * os.path.getsize(path)))
    done = rescued(path, to)
    assert not done.is_complete
    chain = steps_in(of_emcee)
    for stretch in done.runs[0].stretches:
        saved = steps_of(to, stretch.name)[0]
        assert saved.tobytes() == chain[stretch.start : stretch.stop].tobytes()


KILLED = """
import os, sys
sys.path[:0] = sys.argv[2:]
import emcee
from hdf_files import save
backend = emcee.backends.HDFBackend(sys.argv[1])
for i in range(10_000):
    save(backend, 1, (8, 3), seed=i, announce=10)
    if i == 10:
        print("begun", flush=True)
"""


def test_kills_of_emcee(to, tmp_path, rescued):
    """What such a file holds that can be read is saved; emcee may have torn its last chunk."""
    saved = 0
    for k in range(3):
        path = str(tmp_path / f"chain-{k}.h5")
        process = start(KILLED, path, os.path.dirname(__file__))
        wait_for(process, "begun")
        time.sleep(0.05 * k)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with contextlib.suppress(OSError):
            for stretch in rescued(path, to).runs[0].stretches:
                chain = steps_of(to, stretch.name)[0]
                for step, values in enumerate(chain, start=stretch.start):
                    (state,) = made_up_states(1, SHAPE, seed=step)
                    assert values.tobytes() == state.coords.tobytes()
                saved += len(chain)
            to.unlink()
    assert saved >= 10


def flipped(chance, data):
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)


def flipped_in_front(chance, data):
    at = chance.randrange(min(4096, len(data)))
    data[at] = chance.randrange(256)


def cut_off(chance, data):
    del data[chance.randrange(len(data)) :]


def zeroed(chance, data):
    at = chance.randrange(len(data)) // 512 * 512
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))


def garbled(chance, data):
    for _ in range(20):
        flipped(chance, data)


DAMAGES = (flipped, flipped, flipped_in_front, cut_off, zeroed, garbled)


@pytest.mark.parametrize("is_checked", [True, False])
def test_damage(is_checked, request, reader, checked, of_emcee, tmp_path):
    """Nothing crashes, and where there are checksums what is saved is what was there."""
    rounds = request.config.getoption("rounds") or ROUNDS
    whole = checked if is_checked else of_emcee
    data = whole.read_bytes()
    path, to = tmp_path / "chain.h5", tmp_path / "saved.h5"
    saved = 0
    for k in range(rounds):
        chance = random.Random(f"{is_checked} {k}")
        broken = bytearray(data)
        chance.choice(DAMAGES)(chance, broken)
        path.write_bytes(broken)
        to.unlink(missing_ok=True)
        try:
            done = rescue_with(reader, path, to)
        except OSError:
            assert not to.exists()
            continue
        if is_checked:
            saved += check_stretches(done, checked)
        elif done.runs[0].stretches:
            saved += len(steps_of(to, done.runs[0].stretches[0].name)[0])
        assert path.read_bytes() == broken
    assert saved > rounds * (STEPS if is_checked else 300) / 2


@pytest.fixture
def faulty(tmp_path_factory, monkeypatch):
    """Has the process that reads begin with some code of its own."""

    def begin(code):
        script = tmp_path_factory.mktemp("child") / "child.py"
        script.write_text(f"{textwrap.dedent(code)}\nchild.main()\n")
        monkeypatch.setattr("drawstore.rescue.reader.CHILD", [str(script)])

    return begin


def test_a_process_that_crashes_or_hangs_is_one_answer(path, to, faulty):
    """What HDF5 does to who reads is done to a process of its own."""
    faulty("""
        import os, time
        from drawstore.rescue import child

        rows = child.Broken.rows

        def rows_of_a_bad_file(self, path, start, stop):
            if start == 0 and path.endswith("log_prob"):
                os.abort()
            if start == 0 and path.endswith("chain"):
                time.sleep(100)
            return rows(self, path, start, stop)

        child.Broken.rows = rows_of_a_bad_file
    """)
    done = rescue(path, to, timeout=2.0)
    lost = {data.name: data.lost[0] for data in done.runs[0].datasets}
    assert "crashes" in lost["log_prob"].why
    assert "takes longer than 2 s" in lost["chain"].why
    assert done.runs[0].stretches[0].stop == STEPS


def test_a_disk_that_cannot_be_read_somewhere(path, checked, to, faulty):
    first, at, size = chunks_of(path, "mcmc/chain")[4]
    stop = chunks_of(path, "mcmc/chain")[5][0]
    faulty(f"""
        import errno
        from drawstore.rescue import child, view

        read_into = view.read_into

        def read_a_bad_disk(fd, target, offset):
            if offset < {at + size} and offset + len(target) > {at}:
                raise OSError(errno.EIO, "Input/output error")
            return read_into(fd, target, offset)

        view.read_into = read_a_bad_disk
    """)
    done = rescue(path, to)
    assert [(lost.start, lost.stop) for lost in done.runs[0].datasets[0].lost] == [(first, stop)]
    assert done.runs[0].datasets[1].lost == []
    assert check_stretches(done, checked) == STEPS - (stop - first)


def test_the_command(path, to, capsys):
    first, at, size = chunks_of(path, "mcmc/chain")[4]
    code, found = report(capsys, "rescue", path, to)
    assert (code, found["is_complete"]) == (0, True)
    overwrite(path, at + size // 2, b"\xff\x00\xff")
    code, found = report(capsys, "rescue", path, str(to) + "-2")
    assert (code, found["is_complete"]) == (1, False)
    assert found["runs"][0]["datasets"][0]["lost"][0]["start"] == first
    assert main(["rescue", str(path), str(to) + "-3"]) == 1
    out = capsys.readouterr().out
    assert f"saved as mcmc: steps 0 to {first - 1:,}" in out
    assert "not everything could be saved" in out


def empty(path):
    path.touch()


def text(path):
    path.write_text("no HDF5")


def of_ours(path):
    drawstore.HDF5Backend(path).init_run(drawstore.make_meta({"x": ("f8", ())})).close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (None, "there is nothing at"),
        (empty, "there is no run of emcee"),
        (text, "there is no run of emcee"),
        (foreign, "there is no run of emcee"),
        (of_ours, "there is no run of emcee"),
        (os.mkdir, "recover --to"),
    ],
)
def test_what_has_nothing_to_be_saved(make, why, to, tmp_path, capsys):
    path = tmp_path / "chain.h5"
    if make is not None:
        make(path)
    assert main(["rescue", str(path), str(to)]) == 1
    assert why in capsys.readouterr().err
    assert os.listdir(tmp_path) == (["chain.h5"] if make else [])


def test_a_writer_of_ours_is_left_alone(to, tmp_path, rescued):
    path = str(tmp_path / "chain.h5")
    with drawstore.emcee.HDFBackend(path) as backend:
        save(backend, 5, SHAPE, announce=10)
        with pytest.raises(BlockingIOError, match="drawstore snapshot"):
            rescued(path, to)


def test_what_waits_in_a_journal_is_said(path, to, rescued):
    path.with_name("chain.h5-journal").touch()
    assert "drawstore recover" in rescued(path, to).notes[0]


def test_a_full_disk(path, to):
    code = """
    import resource, signal, sys
    from drawstore.cli import main
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    sys.exit(main(["rescue", *sys.argv[1:]]))
    """
    _, err = run(code, path, to, code_expected=1)
    assert err.startswith("drawstore: ")
    assert os.listdir(path.parent) == ["chain.h5"]


def test_kills_leave_no_half(path, checked, to):
    code = "import sys\nfrom drawstore.rescue import rescue\nprint('go', flush=True)\n"
    for k in range(3):
        process = start(code + "rescue(*sys.argv[1:])", path, to)
        wait_for(process, "go")
        time.sleep(0.1 * k)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert path.read_bytes() == checked.read_bytes()
        if to.exists():
            assert contents(to) == contents(checked)
            to.unlink()
