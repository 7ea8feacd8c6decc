"""`drawstore rescue` where reading goes wrong, and as a command."""

import os
import signal
import textwrap
import time

import pytest

import drawstore
import drawstore.emcee
from drawstore.cli import main
from drawstore.rescue import rescue
from emcee_files import SHAPE, contents, foreign
from hdf_files import save
from reports import report
from rescue_files import STEPS, check_stretches, chunks_of, overwrite
from scripting import run, start, wait_for


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
