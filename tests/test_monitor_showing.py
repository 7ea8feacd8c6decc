"""A monitor that is shown: on a terminal, line by line, and until a run ends."""

import signal
import sys
import threading
import time

import emcee
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.monitor import LongEnough
from drawstore.monitor.history import History
from emcee_runs import sampler_on, start_points
from html_parsing import words
from terminal import Terminal

SOON = LongEnough(n_taus=5, change=0.5)


def monitored(rule=SOON, backend=None):
    sampler = sampler_on(backend if backend is not None else drawstore.emcee.Backend())
    return sampler, drawstore.Monitor(sampler, rule=rule)


def sample(sampler, monitor, steps):
    start = sampler.get_last_sample() if sampler.backend.iteration else start_points()
    for _ in sampler.sample(start, iterations=steps):
        if monitor.converged():
            break


class TestLines:
    def test_a_line_after_the_other(self, capsys):
        sampler, monitor = monitored()
        with monitor.show(interval=0):
            sample(sampler, monitor, 1000)
        first, *others = capsys.readouterr().out.splitlines()
        assert first == "0 steps"
        assert others[0].startswith("1 steps")
        assert others[-1] == f"{sampler.iteration} steps, converged"

    def test_not_too_often(self, capsys):
        sampler, monitor = monitored(LongEnough())
        with monitor.show(interval=1000) as showing:
            sample(sampler, monitor, 150)
            assert capsys.readouterr().out == "0 steps\n"
            assert showing.status.n_steps == 100
        assert capsys.readouterr().out.startswith("150 steps, long enough at ")

    def test_news_is_told_at_once(self, capsys):
        sampler, monitor = monitored()
        monitor.show(interval=1000)
        sample(sampler, monitor, 1000)
        assert capsys.readouterr().out == f"0 steps\n{sampler.iteration} steps, converged\n"

    def test_the_costs_are_bounded(self):
        sampler, monitor = monitored(LongEnough())
        looks = []
        look = monitor._update

        def slow():
            looks.append(time.monotonic())
            time.sleep(0.02)
            return look()

        monitor._update = slow
        with monitor.show(interval=0):
            sample(sampler, monitor, 99)
            assert len(looks) <= 1 + (time.monotonic() - looks[0]) / 0.02 / 25 + 1

    def test_trouble_is_shown_and_ends_nothing(self, capsys):
        sampler, monitor = monitored(LongEnough())
        look = monitor._update
        showing = monitor.show(interval=0)

        def fail():
            raise OSError("the disk \x1b[31m is gone")

        showing._look = fail
        sample(sampler, monitor, 20)
        showing._look = look
        showing.close()
        lines = capsys.readouterr().out.splitlines()
        assert lines[1] == "0 steps; cannot be looked at: the disk \\x1b[31m is gone"
        assert lines[-1].startswith("20 steps")

    def test_nobody_reads(self, monkeypatch):
        sampler, monitor = monitored(LongEnough())
        monitor.show(interval=0)

        class Closed:
            def write(self, text):
                raise BrokenPipeError

            def flush(self):
                raise BrokenPipeError

        monkeypatch.setattr(sys, "stdout", Closed())
        sample(sampler, monitor, 20)
        assert sampler.iteration == 20

    def test_the_draws_decide_all_the_same(self):
        shown, hidden = monitored(), monitored()
        with shown[1].show(interval=0):
            sample(*shown, 2000)
        sample(*hidden, 2000)
        assert shown[0].iteration == hidden[0].iteration
        np.testing.assert_array_equal(shown[0].get_chain(), hidden[0].get_chain())

    def test_one_at_a_time(self, capsys):
        sampler, monitor = monitored(LongEnough())
        first = monitor.show(interval=0)
        with monitor.show(interval=0):
            sample(sampler, monitor, 2)
        first.refresh()
        assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
            "0 steps",
            "0 steps",
            "1 steps",
            "2 steps",
        ]


def test_run_keeps_it_up_to_date(capsys):
    backend = drawstore.emcee.Backend()
    sampler, monitor = monitored(backend=backend)
    monitor.show(interval=0)
    drawstore.emcee.run(sampler, start_points(), converged=monitor)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{backend.iteration} steps, converged"


ON_A_TERMINAL = """
import emcee, numpy as np, drawstore
sampler = emcee.EnsembleSampler(32, 2, lambda x: -0.5 * x @ x)
monitor = drawstore.Monitor(sampler)
with monitor.show(interval=0):
    for _ in sampler.sample(np.random.default_rng(1).normal(size=(32, 2)), iterations=120):
        monitor.converged()
print("done")
"""


def test_a_terminal_has_one_line():
    with Terminal([sys.executable, "-c", ON_A_TERMINAL], columns=60) as terminal:
        lines = terminal.wait_for("[ended]").split("\n")
    assert lines[0].startswith("120 steps, long enough at ")
    assert lines[1:3] == ["done", "[ended]"]


class TestWatching:
    def test_until_it_has_converged(self, capsys):
        sampler, monitor = monitored()
        sample(sampler, monitor, 300)
        status = monitor.watch(interval=0, until="converged")
        assert status.converged
        assert status.n_steps == sampler.iteration

    def test_until_i_say_so(self, tmp_path):
        run = drawstore.FileBackend(tmp_path).init_run(drawstore.make_meta({"x": (float, ())}))
        chain = run.init_chain(0)

        def enough(status):
            chain.append({"x": 1.0})
            return status.n_steps >= 3

        assert drawstore.Monitor(tmp_path).watch(interval=0, until=enough).n_steps == 3

    @pytest.mark.parametrize("kind", ["path", "backend", "run", "list"])
    @pytest.mark.parametrize("store", ["files", "hdf5"])
    def test_until_nobody_writes_it(self, tmp_path, store, kind, capsys):
        place = tmp_path / ("runs" if store == "files" else "runs.h5")
        make = drawstore.FileBackend if store == "files" else drawstore.HDF5Backend
        backend = make(place)
        run = backend.init_run(drawstore.make_meta({"x": (float, ())}, rid="r"))
        with run.init_chain(0) as chain:
            chain.extend({"x": np.arange(10.0)})
        backend.close()
        watched = {"path": place, "backend": backend, "run": run, "list": [run]}[kind]
        status = drawstore.Monitor(watched).watch(interval=0)
        assert status.n_steps == 10
        assert "; no process writes it any more" in capsys.readouterr().out

    def test_a_file_of_emcee(self, tmp_path, capsys):
        with drawstore.emcee.HDFBackend(tmp_path / "chain.h5", name="fit") as backend:
            sampler_on(backend).run_mcmc(start_points(), 20)
        for watched in (backend, drawstore.open(tmp_path / "chain.h5").get_run("fit")):
            assert drawstore.Monitor(watched).watch(interval=0).n_steps == 20
        assert capsys.readouterr().out.count("no process writes it") == 2

    def test_until_it_is_interrupted(self, capsys):
        monitor = drawstore.Monitor(sampled_by_emcee())
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
        assert monitor.watch(interval=0.01).n_steps == 20
        timer.join()

    def test_it_says_where_none_come(self, monkeypatch, capsys):
        monkeypatch.setattr("drawstore.monitor.showing._QUIET", 0.0)
        looks = iter(range(3))
        monitor = drawstore.Monitor(sampled_by_emcee())
        monitor.watch(interval=0, until=lambda status: next(looks) == 2)
        assert "; no draw for 0 s" in capsys.readouterr().out

    def test_an_unknown_end(self):
        with pytest.raises(ValueError, match="'ended', 'converged'"):
            drawstore.Monitor(sampled_by_emcee()).watch(until="soon")


def sampled_by_emcee():
    sampler = emcee.EnsembleSampler(12, 3, lambda x: -x @ x)
    sampler.run_mcmc(start_points(), 20)
    return sampler


def test_what_a_monitor_knows():
    sampler, monitor = monitored()
    assert monitor.status is None
    assert "nothing looked at yet" in words(monitor._repr_html_())
    monitor.update()
    sample(sampler, monitor, 1000)
    status = monitor.status
    assert status.converged
    assert status.n_steps == sampler.iteration
    assert [n for n, _ in status.history] == list(range(100, sampler.iteration + 1, 100))
    assert status.history[-1][1] == status.longest_tau
    assert status.n_taus == 5
    assert words(monitor._repr_html_()).startswith("● converged")


def test_a_history_is_bounded():
    history = History()
    for n in range(1, 10_001):
        history.add(n, float(n))
    points = history.points()
    assert len(points) <= 130
    assert points[0] == (1, 1.0)
    assert points[-1] == (10_000, 10_000.0)
    assert all(n == tau for n, tau in points)
    assert np.diff([n for n, _ in points])[:-1].min() >= 10_000 // 200
    history.add(10_000, float("nan"))
    assert history.points() == points
