"""What `convert` refuses."""

import os

import pytest

import drawstore
import drawstore.emcee
from convert_runs import (
    make_small,
)
from drawstore.convert import convert


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_sources_and_targets_that_make_no_sense():
    make_small()
    with pytest.raises(FileNotFoundError, match="nothing at 'nowhere'"):
        convert("nowhere", "run.nc")
    with pytest.raises(ValueError, match="the name does not say what it is to be"):
        convert("source", "run.docx")
    with pytest.raises(ValueError, match="format 'docx' is none of files, hdf5"):
        convert("source", "run.nc", format="docx")
    with pytest.raises(ValueError, match="is the source itself"):
        convert("source", "../" + os.path.basename(os.getcwd()) + "/source")
    with pytest.raises(ValueError, match="is no place for a netCDF file"):
        convert("source", "clickhouse://localhost/draws", format="netcdf")
    os.mkdir("empty")
    with pytest.raises(ValueError, match="there are no runs in 'empty'"):
        convert("empty", "run.nc")
    convert("source", "odd.name", format="netcdf")
    assert drawstore.open("odd.name").get_runs()[0].rid == "all of it"
