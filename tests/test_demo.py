"""The command ``drawstore demo``, run as a user runs it."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import emcee
import numpy as np
import pytest

from cli_runs import said
from drawstore.demo.posterior import LineWithOutliers, read_points
from hdf_files import steps_in, wait_until

STEPS = 400


COMMAND = [Path(sysconfig.get_path("scripts"), "drawstore")]


def run(*arguments, cwd):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=300,
    )


def value(pattern, text):
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in:\n{text}"
    return [float(group.replace(",", "")) for group in found.groups()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, run("demo", "--steps", STEPS, "--out", "out", cwd=folder)


@pytest.fixture(scope="module")
def backend(demo):
    return emcee.backends.HDFBackend(demo[0] / "out" / "line.h5", read_only=True)


def test_it_runs_with_a_progress_bar(demo):
    assert demo[1].returncode == 0, demo[1].stderr
    assert f"{STEPS}/{STEPS}" in demo[1].stderr
    assert not re.search("Traceback|Warning|WARNING", demo[1].stderr)


def test_emcee_reads_what_it_wrote(backend):
    assert backend.iteration == STEPS
    assert backend.shape == (32, 5)
    log_prob = LineWithOutliers(*read_points()).log_prob
    np.testing.assert_allclose(
        log_prob(backend.get_chain(flat=True)), backend.get_log_prob(flat=True)
    )


def test_it_prints_what_is_in_the_file(demo, backend):
    printed = demo[1].stdout
    (burn_in,) = value(r"burn-in +([\d,]+) of 400 steps", printed)
    draws = backend.get_chain(discard=int(burn_in), flat=True)
    for i, name in enumerate(["slope m", "intercept b"]):
        mean, spread = value(rf"{name} +([-.\d]+) ± ([.\d]+)", printed)
        digit = 0.01 if i == 0 else 1
        assert mean == pytest.approx(draws[:, i].mean(), abs=0.51 * digit)
        assert spread == pytest.approx(draws[:, i].std(), abs=0.51 * digit)
    (acceptance,) = value(r"acceptance +([.\d]+)", printed)
    assert acceptance == pytest.approx(np.mean(backend.accepted / STEPS), abs=0.0051)
    shown = value(r"file +([.\d]+) MB, ([.\d]+) × its draws \(([.\d]+) MB", printed)
    size, draw_bytes = os.path.getsize(backend.filename), STEPS * 32 * 6 * 8
    np.testing.assert_allclose(shown, [size / 1e6, size / draw_bytes, draw_bytes / 1e6], atol=0.051)


def test_it_prints_tau_and_that_the_chain_is_too_short_for_it(demo, backend):
    printed = demo[1].stdout
    (burn_in,) = value(r"burn-in +([\d,]+) of", printed)
    tau = backend.get_autocorr_time(discard=int(burn_in), quiet=True)
    shown = value(r"tau +m (\d+), b (\d+), P_bad (\d+), Y_bad (\d+), ln V_bad (\d+) steps", printed)
    np.testing.assert_allclose(shown, tau, atol=0.51)
    (per_tau,) = value(r"steps per tau +(\d+)", printed)
    assert per_tau == pytest.approx((STEPS - burn_in) / tau.max(), abs=0.51)
    assert "too short for tau to be trusted" in printed


def test_it_stands_beside_the_paper_and_emcee(demo):
    printed = demo[1].stdout
    assert value(r"slope m +\S+ ± \S+ +([.\d]+) ± ([.\d]+)", printed) == [2.24, 0.11]
    assert value(r"intercept b +\S+ ± \S+ +([.\d]+) ± ([.\d]+)", printed) == [34, 18]
    (ours,) = value(r"saving a step +([.\d]+) [µm]s", printed)
    theirs, steps = value(r"emcee's HDFBackend +([.\d]+) [µm]s over (\d+) steps", printed)
    assert ours > 0
    assert theirs > 0
    assert steps == 300


def test_the_folder_holds_the_file_and_two_pictures(demo):
    folder = demo[0] / "out"
    assert {path.name for path in folder.iterdir()} == {"line.h5", "trace.png", "corner.png"}
    for name in ("trace.png", "corner.png"):
        picture = (folder / name).read_bytes()
        assert picture.startswith(b"\x89PNG\r\n\x1a\n")
        assert picture.endswith(b"IEND\xaeB`\x82")
        width, height = np.frombuffer(picture, dtype=">u4", count=2, offset=16)
        assert min(width, height) > 900


def test_it_writes_over_nothing(demo, monkeypatch, capsys):
    monkeypatch.chdir(demo[0])
    code, _, err = said(capsys, "demo", "--steps", 1, "--out", "out")
    assert code == 1
    assert err.strip() == (
        f"drawstore: {str(Path('out', 'line.h5'))!r} is there already; delete it, or name another "
        "folder with --out"
    )
    backend = emcee.backends.HDFBackend(demo[0] / "out" / "line.h5", read_only=True)
    assert backend.iteration == STEPS


@pytest.mark.parametrize("steps", [1, 50])
def test_few_steps_work_and_by_default_each_run_has_a_folder_of_its_own(tmp_path, steps):
    (tmp_path / "demo-out").mkdir()
    result = run("demo", "--steps", steps, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "the chain is too short" in result.stdout
    assert len(list((tmp_path / "demo-out-2").iterdir())) == 3
    assert not list((tmp_path / "demo-out").iterdir())


@pytest.mark.parametrize("steps", ["0", "-3", "many", "2.5"])
def test_steps_that_are_none(tmp_path, monkeypatch, capsys, steps):
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "demo", f"--steps={steps}")
    assert code == 2
    assert f"'--steps': {steps!r} is no number of steps; give 1 or more" in err
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_folder_should_be(tmp_path, monkeypatch, capsys):
    (tmp_path / "out").write_text("")
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "demo", "--steps", 1, "--out", "out")
    assert (code, out) == (1, "")
    assert err.strip() == "drawstore: 'out' is a file, not a folder"


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # A name that no file system takes: permissions would not stop root.
    code, _, err = said(capsys, "demo", "--steps", 1, "--out", "x" * 300)
    assert code == 1
    assert err.startswith("drawstore: ")
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_an_interrupt_leaves_the_steps_in_the_file(tmp_path):
    path = tmp_path / "line.h5"
    process = subprocess.Popen(
        [*COMMAND, "demo", "--steps", "1000000", "--out", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: path.exists() and path.stat().st_size > 0 and steps_in(path) > 0)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    # emcee itself shows a traceback before it, where the signal meets the likelihood.
    assert errors.endswith("\ndrawstore: interrupted\n")
    assert steps_in(path) > 0


def test_no_command_and_a_wrong_one(tmp_path):
    assert run(cwd=tmp_path).returncode == 2
    assert "No such command" in run("demon", cwd=tmp_path).stderr
    assert re.match(r"drawstore \d+\.\d+", run("--version", cwd=tmp_path).stdout)


@pytest.mark.parametrize("missing", ["emcee", "matplotlib", "corner", "tqdm"])
def test_a_missing_extra_is_named(tmp_path, missing):
    # None in sys.modules is how Python marks a module that is not to be found.
    script = (
        f"import sys; sys.modules[{missing!r}] = None; "
        "from drawstore.cli import main; sys.exit(main(['demo', '--steps', '1']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"drawstore: the demo needs {missing}: pip install 'drawstore[demo]'\n"
    )
    assert not list(tmp_path.iterdir())
