"""Bars of progress, by tqdm where it is there."""

import logging
import re
import sys

import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.convert import convert
from drawstore.emcee import Backend
from drawstore.monitor import LongEnough
from drawstore.progress import NoBar, make_bar, told, told_by_run
from drawstore.recovery import recover
from drawstore.reports.check import check
from emcee_runs import SHAPE, log_prob, sampler_on, start_points

SOON = LongEnough(n_taus=5, change=0.5)


@pytest.fixture
def source(tmp_path):
    with drawstore.FileBackend(tmp_path / "runs") as backend:
        for rid in ("first", "second\x1b[31m"):
            run = backend.init_run(drawstore.make_meta({"x": (float, ())}, rid=rid))
            with run.init_chain(0) as chain:
                chain.extend({"x": np.zeros(300)})
    return tmp_path / "runs"


@pytest.fixture
def no_tqdm(monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] == "tqdm":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [WithoutTqdm, *sys.meta_path])


class WithoutTqdm:
    """Looks for modules, and is sure that this one is nowhere."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "tqdm":
            raise ModuleNotFoundError("No module named 'tqdm'", name="tqdm")


def sample(**options):
    backend = Backend()
    result = drawstore.emcee.run(sampler_on(backend), start_points(), **options)
    return backend, result


class TestSampling:
    def test_how_far_from_convergence(self, capsys):
        backend, result = sample(converged=SOON, progress=True)
        assert result.outcome == "converged"
        bars = capsys.readouterr().err.split("\r")
        n = backend.iteration
        assert f"100%|██████████| {n}/{n} [" in bars[-1]
        assert re.search(rf"tau={result.status.longest_tau:.4g}, converged\]", bars[-1])

    def test_how_many_steps_are_expected(self, capsys):
        calls = []

        def failing(x):
            calls.append(1)
            return log_prob(x) if len(calls) <= 501 * SHAPE[0] else 1 / 0

        backend = Backend()
        sampler = sampler_on(backend, failing)
        rule = LongEnough(n_taus=1e6)
        options = {"converged": rule, "thin_by": 2, "progress": True}
        with pytest.raises(ZeroDivisionError):
            drawstore.emcee.run(sampler, start_points(), **options)
        last = capsys.readouterr().err.split("\r")[-1]
        done, total = map(int, re.search(r"(\d+)/(\d+) \[", last).groups())
        assert done == 2 * backend.iteration == 500
        assert total > 2 * 1e6
        assert re.search(r"tau=[\d.]+, [\d.]+ of 1e\+06 tau\]", last)

    def test_a_total_counts_what_there_is(self, capsys):
        backend, _ = sample(total=20)
        drawstore.emcee.run(sampler_on(backend), None, total=50, progress=True)
        bars = capsys.readouterr().err.split("\r")
        assert " 40%|" in bars[1]
        assert " 20/50 " in bars[1]
        assert "50/50" in bars[-1]

    def test_a_rule_of_one_s_own(self, capsys):
        sample(converged=lambda status, _: status.n_steps >= 200, progress=True)
        last = capsys.readouterr().err.split("\r")[-1]
        assert re.search(r"200/200 .*tau=[\d.]+, converged\]", last)

    def test_the_chain_is_the_same(self, capsys):
        options = {"converged": SOON, "total": 1000}
        with_bar, without = sample(**options, progress=True)[0], sample(**options)[0]
        assert with_bar.get_chain().tobytes() == without.get_chain().tobytes()
        assert with_bar.get_log_prob().tobytes() == without.get_log_prob().tobytes()

    def test_the_kind_of_bar_as_emcee_takes_it(self):
        with pytest.raises(AttributeError, match="tqdm_unheard_of"):
            sample(total=5, progress="unheard_of")

    @pytest.mark.usefixtures("no_tqdm")
    def test_without_tqdm(self, caplog, capsys):
        backend, _ = sample(converged=SOON, progress=True)
        assert backend.iteration > 0
        assert capsys.readouterr().err == ""
        (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert record.getMessage() == "there is no bar of progress without tqdm: pip install tqdm"


class TestStores:
    def test_converting(self, source, tmp_path, capsys):
        convert(source, tmp_path / "copy.h5", progress=True)
        last = capsys.readouterr().err.split("\r")[-1]
        assert "100%" in last
        assert "600/600" in last
        assert "rows/s" in last

    def test_converting_without_a_bar(self, source, tmp_path, capsys):
        convert(source, tmp_path / "copy.h5")
        convert(source, tmp_path / "again.h5", progress=False)
        assert capsys.readouterr().err == ""

    def test_a_bar_for_each_run(self, source, tmp_path, capsys):
        check(source, progress=True)
        recover(str(source), to=tmp_path / "copy", progress=True)
        said = capsys.readouterr().err
        assert len(re.findall("first: 100%.*300/300", said)) == 2
        assert said.count("second\\x1b[31m: 100%") == 2
        assert "\x1b[31m" not in said

    def test_whoever_is_to_be_told(self, source):
        told_of = []
        check(source, progress=lambda *args: told_of.append(args))
        assert told_of == [("first", 300, 300), ("second\x1b[31m", 300, 300)]

    @pytest.mark.usefixtures("no_tqdm")
    def test_without_tqdm(self, source, tmp_path, caplog):
        convert(source, tmp_path / "copy.h5", progress=True)
        check(source, progress=True)
        assert caplog.text.count("pip install tqdm") == 3
        assert len(drawstore.open(tmp_path / "copy.h5").get_runs()) == 2


def test_a_tqdm_that_is_broken_is_not_hidden(monkeypatch):
    monkeypatch.delitem(sys.modules, "tqdm.auto", raising=False)
    monkeypatch.setitem(sys.modules, "tqdm.std", None)
    for name in ("tqdm.autonotebook", "tqdm.asyncio", "tqdm"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"tqdm\.std"):
        make_bar(True)


def test_nothing_is_shown():
    assert isinstance(make_bar(False), NoBar)
    with told(None, "rows") as nobody, told_by_run(False) as tell:
        assert nobody is None
        tell("a run", 1, 2)
