"""Which files of Stan make a run."""

import shutil

import pytest

import drawstore
from stan_data import EIGHT


def rids(where):
    return {info.rid: list(info.chains) for info in drawstore.open(where).get_runs()}


def test_files_are_found_in_directories_and_by_patterns(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(EIGHT[0], tmp_path / folder / "fit-20261128_2.csv")
        shutil.copy(EIGHT[1], tmp_path / folder / "fit-20261128_10.csv")
    shutil.copy(EIGHT[0], tmp_path / "a" / "model-202611281346-1-03d1f2.csv")
    shutil.copy(EIGHT[0], tmp_path / "a" / "model-202611281346-2-5ae210.csv")
    shutil.copy(EIGHT[0], tmp_path / "a" / "alone-20261128093000.csv")
    (tmp_path / "a" / "profile.csv").write_text("name,thread_id,total_time\nx,1,2\n")
    (tmp_path / "a" / "notes.txt").write_text("lp__\n")
    fits = {"fit-20261128": [2, 10]}
    in_a = fits | {"model-202611281346": [1, 2], "alone-20261128093000": [0]}
    assert rids(tmp_path / "a") == in_a
    assert rids(f"{tmp_path}/a/*.csv") == in_a
    assert rids(f"{tmp_path}/a/fit*.csv") == fits
    assert rids(f"{tmp_path}/*/fit*_?.csv") == {"a/fit-20261128": [2], "b/fit-20261128": [2]}
    assert rids(f"{tmp_path}/a/fit-20261128_10.csv") == {"fit-20261128": [10]}
    shutil.copy(EIGHT[0], tmp_path / "a" / "fit-20261128.2.csv")
    with pytest.raises(ValueError, match="are both chain 2 of the run 'fit-20261128'"):
        drawstore.open(tmp_path / "a")


def test_a_list_is_one_run_whatever_the_names(tmp_path):
    for name in ("north.csv", "south.csv"):
        shutil.copy(EIGHT[0], tmp_path / name)
    assert rids([tmp_path / "north.csv", str(tmp_path / "south.csv")]) == {"north": [0, 1]}
    assert rids([EIGHT[1], EIGHT[0]]) == {"eight": [2, 1]}


def test_what_is_not_there_is_said(tmp_path):
    for where in ([], f"{tmp_path}/*.csv", [tmp_path / "none.csv"], tmp_path / "none.csv"):
        with pytest.raises(FileNotFoundError):
            drawstore.open(where)
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="not HDF5, no data frame, and not of Stan"):
        drawstore.open(tmp_path / "text.csv")
    with pytest.raises(ValueError, match="other contents"):
        drawstore.open(tmp_path)
    with pytest.raises(KeyError, match="there are 'eight'"):
        drawstore.open(EIGHT).get_run("nine")
