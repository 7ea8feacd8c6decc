"""A journal that `journal=` puts elsewhere: who opens the file finds it, or says where it is."""

import json
import os
import shutil

import numpy as np
import pytest

import drawstore
from cli_runs import reported, said, save
from drawstore import HDF5Backend
from drawstore.emcee import HDFBackend
from drawstore.hdf5.elsewhere import noted, record_path
from drawstore.recovery import recover
from drawstore.snapshots import snapshot
from hdf_runs import META, check, fill
from scripting import run as run_code


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.h5"


@pytest.fixture
def journal(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder / "rows"


# A process that leaves 20 rows in the file, and 30 in the journal.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from drawstore import HDF5Backend
from hdf_runs import META, fill
backend = HDF5Backend(sys.argv[1], journal=sys.argv[2], flush_interval=1000)
chain = backend.init_run(META).init_chain(0)
fill(chain, 0, 20)
chain.flush()
fill(chain, 20, 30)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def left(path, journal):
    run_code(KILLED, path, journal, os.path.dirname(__file__), code_expected=-9)
    return path


def chain_of(path, **options):
    return drawstore.open(path, **options).get_run("ours").get_chains()[0]


def test_it_is_noted_as_long_as_there_may_be_rows(path, journal):
    backend = HDF5Backend(path, journal=journal, flush_interval=1000)
    run = backend.init_run(META)
    assert not os.path.exists(record_path(path))
    chain = run.init_chain(0)
    (each,) = noted(path)
    assert (each.journal, each.file, each.is_there) == (str(journal), str(path), True)
    fill(chain, 0, 20)
    # Who is not told of it sees the rows.
    check(chain_of(path), 20)
    assert drawstore.open(path).get_runs()[0].chains == {0: 20}
    chain.close()
    assert sorted(os.listdir(path.parent)) == [path.name, journal.parent.name]
    assert not journal.exists()


def test_steps_of_emcee_are_seen_by_who_is_not_told(path, journal):
    backend = save(HDFBackend(path, journal=journal, flush_interval=1000), 30)
    backend.grow(10, None)
    backend.save_step(backend.get_last_sample(), np.ones(backend.nwalkers))
    reader = HDFBackend(path, read_only=True)
    np.testing.assert_array_equal(reader.get_chain(), backend.get_chain())
    assert len(drawstore.open(path).get_run("mcmc").get_chains()[0]) == 31
    backend.close()
    assert noted(path) == []


def test_what_a_killed_process_left_is_seen_and_delivered(left, journal, capsys):
    check(chain_of(left), 50)
    (run,) = reported(capsys, "show", left)["runs"]
    assert (run["state"], run["chains"][0]["draws"], run["waiting"]) == ("left", 50, 30)
    beside = {each["path"]: each["what"] for each in reported(capsys, "show", left)["beside"]}
    assert beside[str(journal)].startswith("the journal: draws on their way")
    assert beside[record_path(left)] == "says where its journal is"
    assert "left 30 draws in a journal" in reported(capsys, "why", left)["verdict"]
    copied = snapshot(left, left.parent / "snapshot.h5")
    assert copied.runs[0].draws == {0: 50}
    (line,) = recover(str(left), dry_run=True).said
    assert line.startswith("30 rows of")
    assert journal.exists()
    (line,) = recover(str(left)).said
    assert line.startswith("30 rows of")
    assert not journal.exists()
    assert not os.path.exists(record_path(left))
    check(chain_of(left), 50)


def test_a_run_goes_on_with_a_journal_beside_it(left, journal):
    with HDF5Backend(left) as backend:
        chain = backend.get_run("ours").init_chain(0, resume=True)
        assert len(chain) == 50
        fill(chain, 50, 5)
    check(chain_of(left), 55)
    assert not journal.exists()


def test_one_that_cannot_be_reached_is_named(left, journal, capsys):
    away = journal.with_name("rows-of-another-node")
    journal.rename(away)
    with pytest.warns(RuntimeWarning, match="rows of .* may wait in the journal .*/rows' on host"):
        chain = chain_of(left)
    check(chain, 20)
    (each,) = (x for x in reported(capsys, "show", left)["beside"] if x["path"] == str(journal))
    assert each["is_trouble"]
    assert "cannot be reached from here" in each["what"]
    report = reported(capsys, "why", left)
    assert report["verdict"].startswith("died: ")
    assert "every one" not in report["verdict"]
    assert f"draws may wait in the journal '{journal}' on host" in report["findings"][0]
    assert said(capsys, "why", left)[2] == ""
    assert "cannot be reached from here" in recover(str(left)).said[0]
    with pytest.warns(RuntimeWarning, match="cannot be reached from here"):
        snapshot(left, left.parent / "snapshot.h5")
    # Whatever lies there now is not taken for it, and once it is back it is delivered.
    other = HDF5Backend(left.parent / "other.h5", journal=journal)
    fill(other.init_run(META).init_chain(0), 0, 5)
    with pytest.warns(RuntimeWarning, match="cannot be reached from here"):
        check(chain_of(left), 20)
    other.close()
    away.rename(journal)
    check(chain_of(left), 50)
    HDF5Backend(left).get_run("ours").init_chain(1).close()
    check(chain_of(left), 50)
    assert noted(left) == []


def test_a_copy_reads_it_and_leaves_it_to_the_first(left, journal):
    copy = left.parent / "copy.h5"
    shutil.copy(left, copy)
    check(chain_of(copy), 20)  # alone it knows of no journal
    shutil.copy(record_path(left), record_path(copy))
    check(chain_of(copy), 50)
    HDF5Backend(copy).get_run("ours").init_chain(1).close()
    assert journal.exists()
    check(chain_of(left), 50)
    HDF5Backend(left).get_run("ours").init_chain(1).close()
    assert not journal.exists()
    check(chain_of(left), 50)


def test_a_file_that_was_moved_takes_it_along(left, journal):
    moved = left.parent / "moved.h5"
    left.rename(moved)
    os.rename(record_path(left), record_path(moved))
    HDF5Backend(moved).get_run("ours").init_chain(1).close()
    assert not journal.exists()
    check(chain_of(moved), 50)


def test_a_second_one_does_not_forget_the_first(left, journal):
    journal.rename(journal.with_name("away"))
    second = journal.with_name("second")
    run = HDF5Backend(left, journal=second).get_run("ours")
    with pytest.warns(RuntimeWarning, match="cannot be reached"):
        chain = run.init_chain(1)
    assert [each.journal for each in noted(left)] == [str(journal), str(second)]
    fill(chain, 0, 5)
    chain.close()
    assert [each.journal for each in noted(left)] == [str(journal)]


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"journals": [{"journal": "x"}]})])
def test_a_note_that_was_damaged_is_told(left, text):
    with open(record_path(left), "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(ValueError, match=r"does not say where the journal of .* delete it"):
        drawstore.open(left)
