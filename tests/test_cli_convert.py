"""`drawstore convert`, in a terminal, piped, and as JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

import drawstore
from convert_runs import everything, fill
from drawstore.cli import main
from drawstore.cli.convert import command
from drawstore.convert import FORMATS

SCHEMA = json.loads(
    (Path(drawstore.__file__).parent / "cli" / "schemas" / "convert.json").read_text()
)


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(drawstore.FileBackend("source").init_run(everything(rid="[red]one[/]")), {0: 9, 1: 9})


def test_it_says_what_is_lost_and_then_converts(capsys):
    assert main(["convert", "source", "run.nc", "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert os.listdir() == ["source"]
    assert "source to run.nc, a netCDF file of ArviZ" in planned
    assert "run [red]one[/]: 18 draws in 2 chains" in planned
    assert "not kept: left out, because their shape differs" in planned
    assert main(["convert", "source", "run.nc"]) == 0
    assert capsys.readouterr().out == planned
    assert drawstore.open("run.nc").get_runs()[0].chains == {0: 9, 1: 9}


def test_json_is_of_its_schema(capsys):
    for options in (["--dry-run"], [], ["--force"]):
        assert main(["convert", "source", "run.parquet", "--json", *options]) == 0
        report = json.loads(capsys.readouterr().out)
        jsonschema.validate(report, SCHEMA)
        assert report["is_done"] == ("--dry-run" not in options)
        assert report["exists"] == ("--force" in options)
    assert report["runs"][0]["losses"]


def test_formats_are_those_of_the_library():
    (option,) = (p for p in command.params if p.name == "to_format")
    assert list(option.type.choices) == list(FORMATS) == SCHEMA["properties"]["format"]["enum"]


def test_errors_are_one_line_and_exit_codes_say_them(capsys):
    assert main(["convert", "nowhere", "run.nc"]) == 1
    assert "drawstore: there is nothing at 'nowhere'" in capsys.readouterr().err
    assert main(["convert", "source", "run.nc", "--run", "two"]) == 1
    assert main(["convert", "source"]) == 2
    assert main(["convert", "source", "run.nc", "--to-format", "docx"]) == 2
    assert main(["convert", "source", "copy.h5"]) == 0
    capsys.readouterr()
    assert main(["convert", "source", "copy.h5"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("drawstore: there is a run '[red]one[/]' in 'copy.h5' already")
    assert main(["convert", "source", "copy.h5", "--force"]) == 0


def test_a_terminal_shows_a_bar(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = CliRunner().invoke(command, ["source", "copy"])
    assert shown.exit_code == 0
    assert "100%" in shown.output


@pytest.mark.parametrize(
    ("missing", "target"),
    [("xarray", "a.nc"), ("h5netcdf", "a.nc"), ("zarr", "a.zarr"), ("pyarrow", "a.parquet")],
)
def test_a_missing_extra_is_named(missing, target):
    # None in sys.modules is how Python marks a module that is not to be found.
    code = f"import sys; sys.modules[{missing!r}] = None; from drawstore.cli import main; "
    command = [sys.executable, "-c", f"{code} sys.exit(main(['convert', 'source', {target!r}]))"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"drawstore: drawstore needs {missing} to write ")
    assert done.stderr.endswith(": pip install 'drawstore[convert]'\n")
    assert os.listdir() == ["source"]
