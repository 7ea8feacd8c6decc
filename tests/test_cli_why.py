"""`drawstore why`: what a run was doing when it ended."""

import numpy as np
import pytest

import drawstore
from cli_runs import META, blocks, reported, said, save
from drawstore.emcee import Backend, HDFBackend
from drawstore.ensemble import steps_of
from drawstore.reports.steps import still_walkers, stuck_walkers, window_of


def hold(*walkers, after):
    """Have walkers stay where they are from a step on."""

    def change(i, before, state, moved):
        if i > after:
            for walker in walkers:
                state.coords[walker], moved[walker] = before[walker], False

    return change


@pytest.mark.parametrize("kind", ["file", "store"])
def test_walkers_that_are_stuck_are_named(capsys, tmp_path, kind):
    def change(i, before, state, moved):
        hold(2, after=-1)(i, before, state, moved)
        hold(5, after=100)(i, before, state, moved)

    if kind == "file":
        backend = HDFBackend(tmp_path / "walk.h5")
    else:
        backend = Backend(store=drawstore.HDF5Backend(tmp_path / "walk.h5"))
    with save(backend, change=change) as backend:
        chain = backend.get_chain()
        accepted = backend.accepted / 300
    report = reported(capsys, "why", tmp_path / "walk.h5")
    ensemble = report["ensemble"]
    moved = np.flatnonzero(np.any(np.diff(chain[:, 5], axis=0), axis=1))
    assert ensemble["stuck"] == [
        {"walker": 2, "since": 0},
        {"walker": 5, "since": int(moved[-1]) + 1},
    ]
    np.testing.assert_allclose(ensemble["acceptance"], accepted)
    (finding,) = report["findings"]
    assert finding.startswith("2 of 8 walkers did not move in the last ")
    assert f"2 since step 0, 5 since step {moved[-1] + 1}" in finding
    assert finding in said(capsys, "why", tmp_path / "walk.h5")[1]


def test_a_walker_is_stuck_after_five_autocorrelation_times(tmp_path):
    with save(HDFBackend(tmp_path / "walk.h5"), change=hold(1, after=249)):
        pass
    steps = steps_of(drawstore.open(tmp_path / "walk.h5").get_run("mcmc"))
    window = window_of(steps)
    assert 50 <= window < 100
    assert stuck_walkers(steps, 45)[0].walker == 1
    assert stuck_walkers(steps, 60) == []
    assert still_walkers(steps, 45).tolist() == [1]
    assert still_walkers(steps, 60).tolist() == []


def test_a_run_of_few_steps_says_nothing_of_stuck_walkers(capsys, tmp_path):
    with save(HDFBackend(tmp_path / "walk.h5"), 30, change=hold(1, after=0)):
        pass
    ensemble = reported(capsys, "why", tmp_path / "walk.h5")["ensemble"]
    assert (ensemble["window"], ensemble["stuck"]) == (None, [])


def test_log_probabilities_that_are_not_finite(capsys, tmp_path):
    def change(i, before, state, moved):
        if i == 7:
            state.log_prob[[1, 4]] = -np.inf

    with save(HDFBackend(tmp_path / "walk.h5"), 60, change=change):
        pass
    report = reported(capsys, "why", tmp_path / "walk.h5")
    assert report["not_finite"] == 2
    assert "2 log-probabilities are not finite" in report["findings"]


def test_divergences_and_chains_that_ended_early(capsys, tmp_path):
    run = drawstore.FileBackend(tmp_path).init_run(META)
    for number, n in enumerate([400, 400, 150]):
        with run.init_chain(number) as chain:
            chain.extend(*blocks(number, n))
    report = reported(capsys, "why", tmp_path)
    assert report["ended_early"] == {"2": 150}
    assert report["divergences"] == {"n": 8 + 8 + 3 - 3 * 0, "of": 360 + 360 + 135}
    early, diverged = report["findings"]
    assert early.endswith("the longest, which has 400 draws: chain 2 at 150")
    assert diverged.startswith("19 of 855 draws diverged")


def test_the_rate_is_that_of_the_sampler_where_it_says_how_long_a_draw_took(capsys, tmp_path):
    meta = drawstore.make_meta({"x": (float, ())}, {"sampler_0__perf_counter_diff": (float, ())})
    run = drawstore.FileBackend(tmp_path).init_run(meta)
    seconds = np.where(np.arange(1000) < 900, 0.01, 0.1)
    for number in range(2):
        with run.init_chain(number) as chain:
            chain.extend({"x": np.zeros(1000)}, {"sampler_0__perf_counter_diff": seconds})
    report = reported(capsys, "why", tmp_path)
    assert report["rate"] == pytest.approx(2 * 1000 / 19)
    assert report["rate_at_end"] == pytest.approx(20)
    assert report["findings"] == ["at the end a draw took 5.26 times as long"]


def test_a_disk_that_is_full(capsys, tmp_path, monkeypatch):
    with save(HDFBackend(tmp_path / "walk.h5"), 60):
        pass
    assert reported(capsys, "why", tmp_path / "walk.h5")["disk_free"] > 2**24
    monkeypatch.setattr("drawstore.reports.why._FULL_BYTES", 2**80)
    (finding,) = reported(capsys, "why", tmp_path / "walk.h5")["findings"]
    assert finding.startswith("the disk is full now: ")
