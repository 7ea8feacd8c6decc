"""`drawstore show` and `drawstore recover`: what is there, and what of it is intact."""

import os
import re
import signal

import numpy as np
import pytest

import drawstore
from drawstore.cli import main
from drawstore.emcee import HDFBackend
from drawstore.recovery.salvage import damaged_rows
from hdf_files import save
from scripting import run

META = {"x": ("float64", (50,)), "label": ("str", ())}


def write(backend, n=20_000):
    run = backend.init_run(drawstore.make_meta(META, {"tune": ("bool", ())}, rid="first"))
    with run.init_chain(0) as chain:
        chain.extend(
            {"x": np.arange(n)[:, None] * np.ones(50), "label": [f"draw {i}" for i in range(n)]},
            {"tune": np.arange(n) < 10},
        )
    with run.init_chain(1) as chain:
        chain.append({"x": np.ones(50), "label": "the only one"})
    run.add_groups(posterior_predictive={"y": np.zeros((2, 3))})


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def said(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().out


@pytest.fixture
def runs(tmp_path):
    write(drawstore.FileBackend(tmp_path / "runs"))
    return tmp_path / "runs"


def test_damage_is_found_stretch_by_stretch():
    bad = {*range(5000, 5100), 9000, 9999}

    def read(rows):
        if not bad.isdisjoint(range(10_000)[rows]):
            raise OSError("bad")

    stretches = [list(rows) for rows, _ in damaged_rows(read, 10_000)]
    assert stretches[0] == list(range(5000, 5100))
    assert set().union(*stretches) >= bad
    assert sum(map(len, stretches)) < 1200


def test_show_lists_runs_and_chains(capsys, runs):
    code, out = said(capsys, "show", runs)
    assert code == 0
    assert "a directory of runs" in out
    assert "run 'first'" in out
    assert re.search(rf"0 +20,000 +10 +ended +last written by process {os.getpid()} on ", out)


def test_show_of_a_file_of_emcee(capsys, tmp_path):
    save(HDFBackend(tmp_path / "a.h5"), 5, (32, 2))
    code, out = said(capsys, "show", tmp_path / "a.h5")
    assert code == 0
    assert "an HDF5 file of emcee" in out
    assert "an ensemble of 32 walkers, 5 steps" in out


def test_show_of_nothing_is_an_error(capsys, tmp_path):
    assert main(["show", str(tmp_path / "none")]) == 1
    assert "there is nothing at" in capsys.readouterr().err


def test_show_names_a_run_that_cannot_be_read(capsys, runs):
    flip(runs / "first" / "run.meta", 40)
    code, out = said(capsys, "show", runs)
    assert code == 0
    assert "run 'first': cannot be read" in out


@pytest.mark.parametrize("make", [drawstore.FileBackend, drawstore.HDF5Backend])
def test_recover_of_an_intact_store_says_so(capsys, tmp_path, make):
    write(make(tmp_path / "runs"), n=100)
    code, out = said(capsys, "recover", tmp_path / "runs")
    assert code == 0
    assert "chain 0: 100 draws are intact" in out
    assert "damaged" not in out


def test_recover_brings_out_what_is_intact_and_names_the_rest(capsys, runs, tmp_path):
    file = runs / "first" / "chain-0.draws"
    flip(file, file.stat().st_size // 2)
    code, out = said(capsys, "recover", runs, "--to", tmp_path / "saved")
    assert code == 1
    assert "damaged: run 'first', chain 0, 'x', draws " in out
    saved = drawstore.FileBackend(tmp_path / "saved").get_run("first")
    chain, other = saved.get_chains()
    rows = chain.get_draws("x")
    assert 10_000 < len(rows) < 20_000
    np.testing.assert_array_equal(rows, rows[:, :1] * np.ones(50))
    assert [f"draw {i:.0f}" for i in rows[:, 0]] == list(chain.get_draws("label"))
    np.testing.assert_array_equal(np.flatnonzero(chain.get_stats("tune")), np.arange(10))
    assert other.get_draws_at(0, ["label"]) == {"label": "the only one"}
    assert set(saved._load_groups()) == {"posterior_predictive"}


@pytest.mark.parametrize("journal", ["chain.h5-journal", "elsewhere"])
def test_recover_writes_what_a_killed_process_left_in_a_journal(capsys, tmp_path, journal):
    path, journal = tmp_path / "chain.h5", tmp_path / journal
    run(SAVE_AND_DIE, path, journal, code_expected=-signal.SIGKILL)
    stored = path.read_bytes()
    code, out = said(capsys, "recover", path, "--dry-run", "--journal", journal)
    assert code == 0
    assert "30 rows of 'mcmc' would be written" in out
    assert path.read_bytes() == stored
    code, out = said(capsys, "recover", path, "--journal", journal)
    assert code == 0
    assert "30 rows of 'mcmc', which a process that died had left" in out
    assert "chains 0 to 3, each: 50 draws are intact" in out
    assert [other.name for other in tmp_path.iterdir()] == ["chain.h5"]


SAVE_AND_DIE = """
import os, signal, sys
import emcee, numpy as np
from drawstore.emcee import HDFBackend

path, journal = sys.argv[1:]
backend = HDFBackend(path, flush_interval=1000, journal=journal)
backend.reset(4, 3)
backend.grow(51, None)
for i in range(50):
    if i == 20:
        backend.flush()
    state = emcee.State(np.full((4, 3), float(i)), log_prob=np.full(4, float(i)))
    backend.save_step(state, np.ones(4, bool))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_dry_run_changes_nothing(capsys, runs, tmp_path):
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    code, _ = said(capsys, "recover", runs, "--dry-run", "--to", tmp_path / "saved")
    assert code == 0
    assert not (tmp_path / "saved").exists()
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


def test_a_place_for_the_copy_that_is_taken_is_refused(capsys, runs):
    assert main(["recover", str(runs), "--to", str(runs)]) == 1
    assert "is there already" in capsys.readouterr().err
