"""Files for `drawstore rescue`, whole, and who reads them."""

import functools
import shutil

import pytest

from drawstore.rescue import rescue_with
from drawstore.rescue.reader import Reader
from emcee_files import write
from rescue_files import made_up


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
