"""The options of ``pytest benchmarks``, on a benchmark made up for them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

MADE_UP = """
from table import Bar

def test_sizes(table, quick):
    table.number("small", "the bar", 1.0, Bar("at most", 1.1))
    table.number("large", "the bar", {large}, Bar("at most", 1.1))
"""


def run(folder, *options, large=1.5):
    for name in ("conftest.py", "table.py", "paired.py"):
        shutil.copy(BENCHMARKS / name, folder)
    (folder / "test_made_up.py").write_text(MADE_UP.format(large=large))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PATH": "", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(folder)},
        timeout=120,
    )


def test_a_missed_bar_is_shown_and_fails_only_where_it_is_insisted_on(tmp_path):
    shown = run(tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Bars missed: 1." in shown.stdout
    insisted = run(tmp_path, "--enforce")
    assert insisted.returncode == 1
    assert "Bars missed: 1." in insisted.stdout
    met = run(tmp_path, "--enforce", large=1.05)
    assert met.returncode == 0
    assert "Every bar was met." in met.stdout


def test_what_could_not_be_measured_is_missed(tmp_path):
    result = run(tmp_path, "--enforce", large="float('nan')")
    assert result.returncode == 1
    assert "not measured" in result.stdout


def test_quick_judges_nothing(tmp_path):
    result = run(tmp_path, "--quick")
    assert result.returncode == 0
    assert "these numbers mean nothing" in result.stdout
    assert "missed" not in result.stdout
    both = run(tmp_path, "--quick", "--enforce")
    assert both.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--quick judges nothing" in both.stderr


def test_the_table_is_written(tmp_path):
    file = tmp_path / "figures.md"
    result = run(tmp_path, "--table", str(file))
    text = file.read_text(encoding="utf-8")
    assert text in result.stdout
    assert text.startswith("| work ")
    assert len(text.splitlines()) == 4
