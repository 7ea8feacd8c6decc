"""A journal goes into the run that it is of, and into no other one."""

import os
import shutil
import warnings

import pytest
from rows import Rows
from stores import LAZY
from workloads import fill, leave_journal

LAYOUTS = [Rows(3, True), Rows(2000, False)]
STORED, APPENDED, OTHER = 40, 100, 60


@pytest.fixture(params=LAZY)
def name(request):
    return request.param


@pytest.fixture(params=LAYOUTS, ids=str)
def left(request, nursery, name, tmp_path):
    """A store whose process died: its kind, where it is, and the layouts of it and of another."""
    path, layout = str(tmp_path / "it.h5"), request.param
    assert nursery.start(leave_journal, name, path, layout, STORED, APPENDED).wait() == -9
    assert os.path.exists(f"{path}-journal")
    return LAZY[name], path, layout, Rows(layout.width, layout.ragged, mark=10**6)


@pytest.fixture
def another(nursery, name, tmp_path):
    """Make another run, of a layout, in a file of its own."""

    def make(layout):
        path = str(tmp_path / "another.h5")
        nursery.start(fill, name, path, layout, OTHER).finish()
        return path

    return make


def check(store, path, layout, n, warned):
    """All n rows are there and no others; the journal is gone, or set aside with one warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert store.check(path, layout) == n
    left = [name for name in os.listdir(os.path.dirname(path)) if name.startswith("it.h5-journal")]
    assert left == (["it.h5-journal.set-aside"] if warned else [])
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == warned
    assert all("it.h5-journal.set-aside" in message for message in messages)


def test_the_run_itself(left):
    store, path, layout, _ = left
    check(store, path, layout, APPENDED, warned=0)


def test_reading_shows_it_and_changes_nothing(left):
    store, path, layout, _ = left

    def contents():
        folder = os.path.dirname(path)
        found = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        return found

    before = contents()
    assert store.read(path, layout) == APPENDED
    assert contents() == before
    check(store, path, layout, APPENDED, warned=0)


def test_deleted(left, another):
    store, path, _, foreign = left
    os.rename(another(foreign), path)
    check(store, path, foreign, OTHER, warned=1)


def test_deleted_and_begun_anew(left):
    store, path, _, foreign = left
    os.remove(path)
    with pytest.warns(RuntimeWarning, match="set-aside") as caught:
        store.create(path, foreign)
    assert len(caught) == 1
    assert store.check(path, foreign) == 0


def test_begun_anew(left):
    store, path, _, foreign = left
    store.begin_anew(path, foreign)
    check(store, path, foreign, 0, warned=0)


def test_another_file_in_the_same_inode(left, another):
    store, path, _, foreign = left
    inode = os.stat(path).st_ino
    shutil.copyfile(another(foreign), path)
    assert os.stat(path).st_ino == inode
    check(store, path, foreign, OTHER, warned=1)


def test_a_copy_has_what_the_file_had(left):
    store, path, layout, _ = left
    copy = shutil.copyfile(path, path.replace("it.h5", "copy.h5"))
    assert store.check(copy, layout) == STORED
    check(store, path, layout, APPENDED, warned=0)


def test_a_copy_of_both(left):
    store, path, layout, _ = left
    copy = path.replace("it.h5", "copy.h5")
    for end in "", "-journal":
        shutil.copyfile(path + end, copy + end)
    assert store.check(copy, layout) == APPENDED
    check(store, path, layout, APPENDED, warned=0)


def test_the_file_renamed(left, another):
    store, path, layout, foreign = left
    renamed = path.replace("it.h5", "renamed.h5")
    os.rename(path, renamed)
    assert store.check(renamed, layout) == STORED
    os.rename(another(foreign), path)
    check(store, path, foreign, OTHER, warned=1)


def test_an_older_copy_put_back(left):
    store, path, layout, _ = left
    older, journal = shutil.copyfile(path, path + ".older"), f"{path}-journal"
    kept = shutil.copyfile(journal, f"{journal}.kept")
    writer = store.resume(path, layout)  # heals
    writer.append(APPENDED, 50)
    writer.close()
    assert store.read(path, layout) == APPENDED + 50
    # The older file and the journal belong together; the newer one has these rows already.
    for file in older, path:
        shutil.copyfile(kept, f"{file}-journal")
    assert store.check(older, layout) == APPENDED
    os.remove(kept)
    os.remove(older)
    assert store.check(path, layout) == APPENDED + 50


@pytest.mark.parametrize("name", ["emcee-lazy"], indirect=True)
def test_continued_by_emcee(left):
    store, path, layout, _ = left
    store.go_on_with_emcee(path, layout, 7)
    check(store, path, layout, STORED + 7, warned=1)
