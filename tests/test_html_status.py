"""What notebooks show of how far sampling has come."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest

from drawstore.monitor import Diagnostics, Progress, Status
from drawstore.text import escaped
from html_parsing import HOSTILE, names, parse, rows, words


def status(**changes):
    given = {
        "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "chains": (Progress("0", 500, 100, 1, False, None), Progress("1", 600, 0, 1, False, None)),
        "names": ("x", "<b>"),
        "tau": np.array([10.0, 20.0]),
        "ess": np.array([110.0, 55.0]),
        "rhat": np.array([1.001, np.nan]),
        "rate": 12.5,
        "mean_rate": 12.5,
        "n_needed": 2100,
        "n_taus": 100,
    }
    return Status(**(given | changes))


class TestStatus:
    def test_a_run_that_goes_on(self):
        said = words(status()._repr_html_())
        assert "○ not converged yet 12.5 steps/s" in said
        assert "500 of about 2,100 steps: 25.0 of 100 autocorrelation times" in said
        assert "chain 0 : 500 steps, 100 left out" in said
        assert rows(status()._repr_html_()) == [
            ["", "τ", "N/τ", "ESS", "R̂"],
            ["x", "10", "50.0", "110", "1.0010"],
            ["<b>", "20", "25.0", "55", "–"],
        ]
        (bar,) = re.findall(r"width:([\d.]+)%;background", status()._repr_html_())
        assert float(bar) == pytest.approx(100 * 500 / 2100, abs=0.1)

    def test_one_that_has_converged(self):
        said = words(status(converged=True)._repr_html_())
        assert said.startswith("● converged")
        assert "of about" not in said

    def test_nothing_yet(self):
        assert "no draws yet" in words(status(chains=())._repr_html_())
        warming_up = (Progress("0", 0, 100, 1, False, None),)
        nan = np.full(2, np.nan)
        said = words(status(chains=warming_up, tau=nan, ess=nan, n_needed=None)._repr_html_())
        assert "warming up" in said

    def test_the_curve(self):
        def curve(history):
            drawn = parse(status(history=history)._repr_html_()).iter("polyline")
            return [line.get("points") for line in drawn]

        assert curve(()) == curve(((500, 20.0),)) == curve(((490, 20.0), (500, 20.0))) == []
        line, tau = curve(((100, 5.0), (300, 15.0), (500, 20.0)))
        # N/100 ends where 5 steps are, below tau of 20.
        points = np.array([point.split(",") for point in tau.split()], dtype=float)
        end = float(line.split()[1].split(",")[1])
        assert len(points) == 3
        assert np.all(np.diff(points[:, 0]) > 0)
        assert np.all(np.diff(points[:, 1]) < 0)
        assert end > points[-1, 1]

    def test_hostile_names(self):
        chains = tuple(Progress(name, 5, 0, 4, True, None) for name in HOSTILE[:8])
        many = np.ones(len(HOSTILE) + 1)
        named = (*HOSTILE, "lone \ud800 surrogate")
        shown = names(
            status(chains=chains, names=named, tau=many, ess=many, rhat=None)._repr_html_()
        )
        for name in named:
            assert escaped(name) in shown

    def test_no_more_than_so_much(self):
        many = np.ones(1000)
        chains = tuple(Progress(str(i), 5, 0, 1, False, None) for i in range(20))
        wide = status(
            chains=chains, names=tuple(map(str, many)), tau=many, ess=many, rhat=None
        )._repr_html_()
        assert len(rows(wide)) == 51
        assert "and 950 more parameters" in words(wide)
        assert "and 12 more" in words(wide)


def test_diagnostics():
    ones = np.ones(2)
    found = Diagnostics(("x", "<b>"), 100, ones, None, 2 * ones)
    assert rows(found._repr_html_()) == [
        ["", "R̂", "ESS tail"],
        ["x", "1.0000", "2"],
        ["<b>", "1.0000", "2"],
    ]
