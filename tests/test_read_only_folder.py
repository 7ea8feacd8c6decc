"""Commands that make files, where none may be made."""

import contextlib
import os
import tempfile

import pytest

# What commands import when they are asked to may be where nobody else may read.
import drawstore.cli.repack
import drawstore.cli.snapshot
import drawstore.repacking
import drawstore.snapshots  # noqa: F401
from drawstore.cli import main
from emcee_files import contents, write

_NOBODY = 65534


@pytest.fixture
def locked_folder():
    """A folder with a file of emcee, in which nothing may be made."""
    with tempfile.TemporaryDirectory() as folder:
        write(os.path.join(folder, "chain.h5"), 5)
        os.chmod(folder, 0o555)
        with _as_nobody():
            yield folder
        os.chmod(folder, 0o755)


@contextlib.contextmanager
def _as_nobody():
    """Give up what the superuser may do."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("command", ["repack", "snapshot"])
def test_nothing_can_be_made(command, locked_folder, capsys):
    path = os.path.join(locked_folder, "chain.h5")
    assert main([command, path, path + "-copy.h5"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("drawstore: ")
    assert "Permission denied" in error
    assert os.listdir(locked_folder) == ["chain.h5"]


def test_nothing_can_be_made_in_place(locked_folder, capsys):
    path = os.path.join(locked_folder, "chain.h5")
    assert main(["repack", path]) == 1
    assert path in capsys.readouterr().err
    assert os.listdir(locked_folder) == ["chain.h5"]


@pytest.mark.parametrize("command", ["repack", "snapshot"])
def test_elsewhere_it_can(command, locked_folder):
    path = os.path.join(locked_folder, "chain.h5")
    with tempfile.TemporaryDirectory() as folder:
        to = os.path.join(folder, "copy.h5")
        assert main([command, path, to]) == 0
        assert contents(to) == contents(path)
