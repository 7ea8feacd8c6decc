"""`drawstore summary` and `drawstore diff`: what they say of posteriors."""

import os

import numpy as np
import pytest

import drawstore
from cli_runs import META, fill, reported, said, save
from drawstore.autocorr import integrated_time
from drawstore.cli.summary import _ORDERS
from drawstore.emcee import HDFBackend
from drawstore.reports.difference import compare, difference
from drawstore.reports.mixing import common_stretch, split_rhat
from drawstore.reports.statistics import statistics
from drawstore.summary import Posterior


def walk(rng, phi, *shape):
    """A stationary first-order autoregression, whose autocorrelation time is (1+phi)/(1-phi)."""
    noise = rng.normal(size=shape)
    x = np.empty(shape)
    x[0] = noise[0]
    for i in range(1, len(x)):
        x[i] = phi * x[i - 1] + np.sqrt(1 - phi**2) * noise[i]
    return x


def keep(backend, chains, rid="ours", names=("x",)):
    """Keep series of shape (n, n_chains, n_params) as a run."""
    if isinstance(backend, os.PathLike):
        backend = drawstore.FileBackend(backend)
    run = backend.init_run(drawstore.make_meta(dict.fromkeys(names, (float, ())), rid=rid))
    for number in range(chains.shape[1]):
        with run.init_chain(number) as chain:
            chain.extend({name: chains[:, number, i] for i, name in enumerate(names)})
    return run


def test_tau_ess_and_rhat(tmp_path):
    draws = walk(np.random.default_rng(1), 0.8, 5000, 4, 2)
    draws[:, 3, 1] += 3
    keep(tmp_path, draws, names=("x", "y"))
    report = statistics(tmp_path)
    x, y = report.parameters
    tau = integrated_time(draws, tol=0)
    np.testing.assert_allclose([x.tau, y.tau], tau, rtol=1e-10)
    np.testing.assert_allclose([x.ess, y.ess], 20_000 / tau, rtol=1e-10)
    assert x.tau == pytest.approx(9, rel=0.15)
    assert x.rhat == pytest.approx(1, abs=0.01)
    assert y.rhat > 1.5
    assert report.is_reliable


def test_rhat_is_that_of_the_book():
    draws = np.random.default_rng(2).normal(size=(1, 3, 10))
    halves = [half for chain in draws[0] for half in (chain[:5], chain[5:])]
    within = np.mean([np.var(half, ddof=1) for half in halves])
    between = 5 * np.var([np.mean(half) for half in halves], ddof=1)
    expected = np.sqrt((4 / 5 * within + between / 5) / within)
    np.testing.assert_allclose(split_rhat(draws), [expected])
    assert np.isnan(split_rhat(draws[:, :1])).all()
    assert np.isnan(split_rhat(draws[..., :3])).all()


def test_tau_of_an_ensemble_is_over_its_walkers_and_no_rhat_is_given(tmp_path):
    with save(HDFBackend(tmp_path / "walk.h5")) as backend:
        tau = integrated_time(backend.get_chain(discard=50), tol=0)
    report = statistics(tmp_path / "walk.h5", discard=50)
    np.testing.assert_allclose([p.tau for p in report.parameters], tau, rtol=1e-10)
    np.testing.assert_allclose([p.ess for p in report.parameters], 8 * 250 / tau, rtol=1e-10)
    assert {p.rhat for p in report.parameters} == {None}


def test_chains_of_different_lengths_are_cut_and_a_short_one_is_left_out():
    draws = np.arange(5 + 4 + 1)
    stretch = common_stretch(draws, [5, 4, 1])
    assert stretch.tolist() == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert common_stretch(draws[:0], []).shape == (0, 0)


def test_discard_leaves_out_draws_behind_the_warm_up(tmp_path):
    run = fill(drawstore.FileBackend(tmp_path))
    report = statistics(tmp_path, discard=100, var_names=["slope"])
    assert set(report.chains.values()) == {260}
    draws = [chain.get_draws("slope")[140:] for chain in run.get_chains()]
    np.testing.assert_allclose(report.parameters[0].mean, np.mean(draws), rtol=1e-12)
    assert set(statistics(tmp_path, discard=10_000).chains.values()) == {0}


def test_variables_are_chosen_by_globs_and_sorted(capsys, tmp_path):
    fill(drawstore.FileBackend(tmp_path))

    def names(*options):
        report = reported(capsys, "summary", tmp_path, *options)
        return [parameter["name"] for parameter in report["parameters"]]

    assert names() == ["slope", "effect[0]", "effect[1]"]
    assert names("--var-names", "s*") == ["slope"]
    assert names("--var-names", "slope", "--var-names", "e?fect")[1:] == ["effect[0]", "effect[1]"]
    assert names("--sort", "name") == ["effect[0]", "effect[1]", "slope"]
    assert names("--sort", "mean")[-1] == "slope"
    for order in _ORDERS:
        assert sorted(names("--sort", order)) == sorted(names())
    code, _, err = said(capsys, "summary", tmp_path, "--var-names", "z*")
    assert code == 1
    assert err == "drawstore: no variable is called 'z*'; there are: 'slope', 'effect'\n"


@pytest.mark.parametrize("option", ["--quantiles=2", "--quantiles=a", "--sort=x", "--discard=-1"])
def test_options_that_make_no_sense(capsys, tmp_path, option):
    assert said(capsys, "summary", tmp_path, option)[0] == 2


def test_posteriors_that_are_alike_are_said_to_differ_as_rarely_as_alpha():
    rng = np.random.default_rng(5)
    names = ("x", "y", "z")
    least = []
    for _ in range(200):
        chains = (walk(rng, 0.5, 400, 4, 3) for _ in range(2))
        runs = (keep(drawstore.MemoryBackend(), draws, names=names) for draws in chains)
        a, b = map(Posterior, runs)
        least.append(compare(a, b, names)[0].p)
    # At most a share of p is expected below p; 3 standard deviations more are allowed.
    for p in (0.02, 0.05, 0.2):
        assert np.mean(np.array(least) < p) < p + 3 * np.sqrt(p * (1 - p) / 200)
    assert min(least) < 0.2


@pytest.mark.parametrize(
    ("change", "statistic"),
    [
        (lambda x: x + 0.3, "mean"),
        (lambda x: 1.3 * x, "sd"),
        (lambda x: np.where(x < -1.5, 2 * x + 1.5, x) + 0.02, "5%"),
    ],
)
def test_posteriors_that_differ(capsys, tmp_path, change, statistic):
    rng = np.random.default_rng(6)
    a, b = walk(rng, 0.5, 3000, 4, 2), walk(rng, 0.5, 3000, 4, 2)
    b[..., 1] = change(b[..., 1])
    keep(tmp_path / "a", a, names=("x", "y"))
    keep(tmp_path / "b", b, names=("x", "y"))
    report = reported(capsys, "diff", tmp_path / "a", tmp_path / "b", code=1)
    found = [item for item in report["compared"] if item["p"] < 0.01]
    assert {item["name"] for item in found} == {"y"}
    assert statistic == "5%" or statistic in {item["statistic"] for item in found}
    code, out, _ = said(capsys, "diff", tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert "the posteriors differ: " in out
    code, _, _ = said(capsys, "diff", tmp_path / "a", tmp_path / "b", "--var-names", "x")
    assert code == 0


def test_the_error_counts_correlated_draws_as_few(tmp_path):
    draws = walk(np.random.default_rng(7), 0.9, 20_000, 4, 1)
    keep(tmp_path / "a", draws)
    keep(tmp_path / "b", draws[::-1])
    items = difference(tmp_path / "a", tmp_path / "b").compared
    mean = next(item for item in items if item.statistic == "mean")
    expected = np.sqrt(2 * draws.var() * integrated_time(draws, tol=0)[0] / draws.size)
    assert mean.error == pytest.approx(expected, rel=0.01)


def test_settings_that_differ_are_told_and_are_no_difference_of_posteriors(capsys, tmp_path):
    other = drawstore.RunMeta()
    other.CopyFrom(META)
    other.attributes["model"].string_value = "curve"
    other.data[0].value.data = np.array([1.0, 3.0]).tobytes()
    fill(drawstore.FileBackend(tmp_path / "a"))
    fill(drawstore.FileBackend(tmp_path / "b"), other)
    report = reported(capsys, "diff", tmp_path / "a", tmp_path / "b")
    assert [setting["what"] for setting in report["settings"]] == [
        "observed data 'y'",
        "attribute 'model'",
    ]
    assert report["settings"][1]["a"] == "'line'"
    assert "curve" in said(capsys, "diff", tmp_path / "a", tmp_path / "b")[1]


def test_runs_with_other_variables_differ(capsys, tmp_path):
    draws = walk(np.random.default_rng(8), 0, 100, 2, 2)
    keep(tmp_path / "a", draws, names=("x", "y"))
    keep(tmp_path / "b", draws, names=("x", "z"))
    report = reported(capsys, "diff", tmp_path / "a", tmp_path / "b", code=1)
    assert (report["only_in_a"], report["only_in_b"]) == (["y"], ["z"])
    assert said(capsys, "diff", tmp_path / "a", tmp_path / "b", "--var-names=x")[0] == 0


def test_one_run_of_several_is_named_on_each_side(capsys, tmp_path):
    draws = walk(np.random.default_rng(9), 0, 500, 2, 1)
    keep(tmp_path, draws, "first")
    keep(tmp_path, draws + 1, "second")
    where = [tmp_path, tmp_path, "--run-a", "first"]
    assert said(capsys, "diff", *where, "--run-b", "first")[0] == 0
    assert said(capsys, "diff", *where, "--run-b", "second")[0] == 1
    code, _, err = said(capsys, "diff", tmp_path, tmp_path)
    assert code == 1
    assert "there are several runs" in err


def test_a_run_without_draws_or_with_values_that_are_no_numbers_differs(capsys, tmp_path):
    draws = walk(np.random.default_rng(10), 0, 100, 2, 1)
    keep(tmp_path, draws, "full")
    keep(tmp_path, draws[:0], "empty")
    keep(tmp_path, np.where(draws == draws[3, 0, 0], np.nan, draws), "nan")
    keep(tmp_path, np.where(draws == draws[3, 0, 0], np.inf, draws), "inf")
    for other in ("empty", "nan", "inf"):
        where = [tmp_path, tmp_path, "--run-a=full", f"--run-b={other}"]
        assert reported(capsys, "diff", *where, code=1)["differs"]
        where = [tmp_path, tmp_path, f"--run-a={other}", f"--run-b={other}"]
        assert not reported(capsys, "diff", *where)["differs"]
        reported(capsys, "summary", tmp_path, other)


def test_the_walkers_of_a_file_are_walkers_also_where_they_were_copied(capsys, tmp_path):
    save(HDFBackend(tmp_path / "walk.h5")).close()
    reported(capsys, "recover", tmp_path / "walk.h5", "--to", tmp_path / "copy")
    report = reported(capsys, "summary", tmp_path / "copy")
    expected = reported(capsys, "summary", tmp_path / "walk.h5")
    assert {**report, "where": ""} == {**expected, "where": ""}
    (run,) = reported(capsys, "ls", tmp_path / "copy")["runs"]
    assert (run["walkers"], run["draws"]) == (8, {"0": 300})
    for command in ("show", "check", "why"):
        reported(capsys, command, tmp_path / "copy")
