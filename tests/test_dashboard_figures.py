"""The figures of a run's page: what they show, against what is computed plainly."""

import arviz
import emcee
import numpy as np
import pytest
import scipy.stats
from bokeh.models import Axis, PlainText
from bokeh.models.annotations import Title

import drawstore
from cli_runs import make, save
from dashboard_figures import (
    applying,
    ask,
    autoregressive,
    extend,
    run_of,
    show,
    stats,
    view_of,
)
from drawstore.autocorr import function_1d, integrated_time
from drawstore.dashboard.figures import autocorrelation, convergence, figures
from drawstore.dashboard.figures.ranks import chance, rank_shares
from drawstore.dashboard.figures.sampler import bfmi
from drawstore.dashboard.themes import THEMES
from drawstore.emcee import HDFBackend
from drawstore.monitor.following import FollowedChain
from drawstore.pymc import TraceBackend
from drawstore.reports.mixing import split_rhat
from pymc_runs import QUIET, line_model, mixed_model, sample

OF_CHAINS = ["convergence", "ranks", "autocorrelation", "pairs"]
OF_STATS = ["sampler", "acceptance"]


@pytest.fixture
def chains():
    return [autoregressive((600, 3), 0.6, seed) for seed in range(3)]


def hold(walker, after):
    def change(i, before, state, moved):
        if i > after:
            state.coords[walker], moved[walker] = before[walker], False

    return change


def walk(path, steps=300, **options):
    save(HDFBackend(path), steps, **options).close()
    return view_of(drawstore.open(path).get_run("mcmc"))


# Which figures there are.


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("directory", [*OF_CHAINS, "sampler"]),
        ("hdf5", [*OF_CHAINS, "sampler"]),
        ("ensemble", ["convergence", "autocorrelation", "pairs", "acceptance"]),
        ("ensemble in hdf5", ["convergence", "autocorrelation", "pairs", "acceptance"]),
        ("emcee", ["convergence", "autocorrelation", "pairs", "acceptance"]),
        ("emcee's own", ["convergence", "autocorrelation", "pairs", "acceptance"]),
    ],
)
def test_a_run_of_any_kind_has_the_figures_that_make_sense(tmp_path, kind, names):
    with drawstore.open(make(kind, tmp_path / "store")) as backend:
        (info,) = backend.get_runs()
        view = view_of(backend.get_run(info.rid))
        assert applying(view) == names
        for name in names:
            show(name, view)


@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize("make_model", [line_model, mixed_model])
def test_runs_of_pymc(make_model):
    backend = drawstore.MemoryBackend()
    with make_model():
        sample(TraceBackend(backend), discard_tuned_samples=False)
    view = view_of(backend.get_run(backend.get_runs()[0].rid))
    assert applying(view) == [*OF_CHAINS, *OF_STATS]
    answers = {name: show(name, view) for name in applying(view)}
    assert answers["sampler"].sources["sampler-warmup"]["right"].tolist() == [8]


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_runs_of_few_draws(n):
    view = view_of(run_of([np.zeros((n, 2)) + np.arange(n)[:, None], np.ones((n, 2))]))
    for name in applying(view):
        show(name, view)


@pytest.mark.parametrize("steps", [1, 2, 60])
def test_ensembles_of_few_steps(tmp_path, steps):
    view = walk(tmp_path / "walk.h5", steps)
    for name in applying(view):
        show(name, view)


def test_a_run_without_chains():
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": ("float64", ())}))
    view = view_of(run)
    for name in applying(view):
        figures()[name].layout(view, (), THEMES["dark"])


def test_a_run_without_stats_is_answered_all_the_same():
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": ("float64", ())}))
    run.init_chain(0).extend({"x": np.arange(9.0)})
    view = view_of(run)
    assert applying(view) == ["convergence", "autocorrelation", "pairs"]
    for name in OF_STATS:
        figures()[name].layout(view, view.names, THEMES["light"])
        ask(name, view)


def test_values_that_are_not_finite_and_parameters_that_never_move(chains):
    chains[0][5, 0] = np.nan
    chains[1][7, 0] = np.inf
    chains[2][:, 1] = 4
    chains[2][3, 2] = 1e308
    chains[2][4, 2] = -1e308
    view = view_of(run_of(chains))
    answers = {name: show(name, view) for name in applying(view)}
    mark = answers["autocorrelation"].sources["autocorrelation-1-mark"]
    assert mark["text"] == ["no τ: 1 of 3 never moved, or are not finite"]
    assert "1 values that are not a number are left out." in answers["ranks"].notes
    assert "not finite" in " ".join(answers["pairs"].notes)


def test_chains_of_different_lengths_and_one_that_begins_later():
    draws = [autoregressive((n, 2), 0.5, n) for n in (500, 480, 40)]
    draws.append(np.empty((0, 2)))
    view = view_of(run_of(draws))
    answers = {name: show(name, view) for name in applying(view)}
    left_out = "Chains less than half as long as the longest are left out."
    assert left_out in answers["autocorrelation"].notes
    assert left_out in answers["convergence"].notes
    (x, *_) = answers["convergence"].sources["convergence"]["xs"]
    assert x[-1] == 480


def test_only_what_is_asked_for_is_read(monkeypatch, chains):
    names = [f"x{i}" for i in range(300)]
    wide = [np.repeat(draws[:, :1], 300, axis=1) for draws in chains[:2]]
    view = view_of(run_of(wide, names=names))
    asked = []
    read = FollowedChain.read

    def counted(self, start, stop, step=1, columns=None):
        asked.append(columns)
        return read(self, start, stop, step, columns)

    monkeypatch.setattr(FollowedChain, "read", counted)
    for name in applying(view):
        ask(name, view, "x7", "x123")
    assert asked
    assert all(columns == [7, 123] for columns in asked)


def test_names_are_never_read_as_tex_nor_as_more_than_a_line():
    names = ["$$x$$", "<img src=x onerror=alert(1)>", "\u202eabc\n\\[y\\]", "n" * 10_000]
    view = view_of(run_of([np.zeros((9, 4)), np.ones((9, 4))], names=names))
    for name in applying(view):
        layout = figures()[name].layout(view, names, THEMES["light"])
        texts = [title.text for title in layout.select({"type": Title})]
        texts += [axis.axis_label for axis in layout.select({"type": Axis})]
        assert all(not text or isinstance(text, PlainText) for text in texts)
        shown = [model.text for model in layout.select({"type": PlainText})]
        assert all(len(text) <= 40 and text.isprintable() for text in shown)
        show(name, view, *names)


# Ranks.


def test_ranks_are_counted_as_in_plain(chains):
    x = [draws[:, 0] for draws in chains]
    ranks = scipy.stats.rankdata(np.concatenate(x)).reshape(3, -1)
    counts = [np.histogram(each, 20, (0.5, 1800.5))[0] / 600 for each in ranks]
    np.testing.assert_allclose(rank_shares(x, 20), counts, atol=1e-12)
    shown = ask("ranks", view_of(run_of(chains)), "x0").sources["ranks-0-2"]
    np.testing.assert_allclose(shown["y"][:-1], np.array(counts[2]) * 20)


def test_equal_draws_share_their_ranks():
    chains = [np.array([0.0, 1, 1, 0] * 25), np.array([1.0, 0, 0, 1] * 40)]
    np.testing.assert_allclose(rank_shares(chains, 10), 0.1)
    apart = rank_shares([np.zeros(50), np.ones(50)], 4)
    np.testing.assert_allclose(apart, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_chains_that_agree_are_within_the_band_nearly_always(rho):
    n_inside = 0
    draws = autoregressive((500, 4, 100), rho, 5)
    for i in range(100):
        chains = list(draws[:, :, i].T)
        off = np.abs(rank_shares(chains, 20) * 20 - 1)
        n_inside += bool(np.all(off <= chance(chains, 20)))
    assert 82 <= n_inside <= 100


def test_a_chain_elsewhere_is_outside_the_band(chains):
    chains[1] += 1
    sources = ask("ranks", view_of(run_of(chains)), "x0").sources
    band, y = sources["ranks-0-band"], sources["ranks-0-1"]["y"][:-1]
    assert y[0] < band["low"][0]
    assert y[-1] > band["high"][-1]


# Autocorrelation.


@pytest.mark.parametrize("kind", ["chains", "ensemble"])
def test_the_function_and_its_window_are_those_of_the_estimate(tmp_path, chains, kind):
    if kind == "chains":
        view, draws = view_of(run_of(chains)), np.stack(chains, axis=1)
    else:
        view = walk(tmp_path / "walk.h5", 400)
        draws = emcee.backends.HDFBackend(tmp_path / "walk.h5", read_only=True).get_chain()
    answer = ask("autocorrelation", view, view.names[1])
    (tau,) = integrated_time(draws[:, :, 1:2], tol=0)
    mean = np.mean([function_1d(series) for series in draws[:, :, 1].T], axis=0)
    shown, mark = (answer.sources[f"autocorrelation-0-{part}"] for part in ("mean", "mark"))
    np.testing.assert_allclose(shown["y"], mean[shown["x"]], atol=1e-12)
    window = int(mark["x"][0])
    assert mark["text"] == [f"τ = {tau:.3g}"]
    assert window == np.flatnonzero(np.arange(len(mean)) >= 5 * (2 * np.cumsum(mean) - 1))[0]
    each = answer.sources["autocorrelation-0-each"]
    for x, y, series in zip(each["xs"], each["ys"], draws[:, :, 1].T, strict=True):
        np.testing.assert_allclose(y, function_1d(series)[x.astype(int)], atol=1e-6)
    assert answer.notes == ()


def test_of_many_draws_the_last_are_taken(monkeypatch, chains):
    monkeypatch.setattr(autocorrelation, "_MOST", 1200)
    answer = ask("autocorrelation", view_of(run_of(chains)), "x0")
    assert answer.notes == ("From the last 400 draws.",)
    (tau,) = integrated_time(np.stack([draws[200:, :1] for draws in chains], axis=1), tol=0)
    assert answer.sources["autocorrelation-0-mark"]["text"] == [f"τ = {tau:.3g}"]


# Convergence.


@pytest.mark.parametrize("kind", ["chains", "ensemble"])
def test_the_history_is_that_of_the_first_draws(tmp_path, chains, kind):
    if kind == "chains":
        view, draws = view_of(run_of(chains)), np.stack(chains, axis=1)
    else:
        view = walk(tmp_path / "walk.h5", 400)
        draws = emcee.backends.HDFBackend(tmp_path / "walk.h5", read_only=True).get_chain()
    answer = ask("convergence", view, *view.names[:2])
    lines = answer.sources["convergence"]
    for i in range(2):
        assert 16 <= len(lines["xs"][i]) <= 32
        assert lines["xs"][i][-1] == len(draws)
        for n, tau, rhat in zip(lines["xs"][i], lines["taus"][i], lines["rhats"][i], strict=True):
            first = draws[: int(n), :, i : i + 1]
            np.testing.assert_allclose(tau, integrated_time(first, tol=0)[0])
            if kind == "chains":
                np.testing.assert_allclose(
                    rhat, max(1e-4, split_rhat(first.transpose(2, 1, 0))[0] - 1)
                )
    assert answer.sources["convergence-rule"]["y"] == [0, len(draws) / 100]
    assert len(applying(view)) > 2


def test_the_history_goes_on_and_begins_anew_with_other_draws(chains):
    run = run_of([draws[:300] for draws in chains])
    view = view_of(run)
    before = ask("convergence", view, "x0").sources["convergence"]["xs"][0]
    for i, chain in enumerate(run.get_chains()):
        extend(chain, chains[i][300:], 0, i)
    after = ask("convergence", view, "x0").sources["convergence"]
    late = ask("convergence", view_of(run), "x0").sources["convergence"]
    assert before[-1] == 300
    assert after["xs"][0][-1] == 600
    for name in ("xs", "taus", "rhats"):
        np.testing.assert_array_equal(after[name], late[name])


def test_of_many_draws_the_history_takes_some(monkeypatch):
    monkeypatch.setattr(convergence, "_MOST", 2**15)
    rho = 0.9
    draws = autoregressive((20_000, 2), rho, 3)
    answer = ask("convergence", view_of(run_of([draws[:, :1], draws[:, 1:]])))
    assert answer.notes == ("From every 2nd draw of each chain.",)
    (taus,) = answer.sources["convergence"]["taus"]
    np.testing.assert_allclose(taus[-1], (1 + rho) / (1 - rho), rtol=0.1)


# Pairs.


def test_pairs_are_draws_after_warmup_and_divergent_ones_are_marked(chains):
    run = run_of(chains, 100)
    sources = ask("pairs", view_of(run), "x2", "x0").sources
    counted = np.concatenate([draws[100:] for draws in chains])
    shown = np.column_stack([sources["pairs-draws"][f"p{i}"] for i in (0, 1)])
    np.testing.assert_array_equal(shown, counted[:, [2, 0]])
    np.testing.assert_array_equal(sources["pairs-draws"]["series"], np.repeat([0, 1, 2], 500))
    counts, _ = np.histogram(counted[:, 2], 30)
    np.testing.assert_array_equal(sources["pairs-0"]["top"], counts)
    diverging = [np.flatnonzero(stats(600, 100, i)["diverging"]) for i in range(3)]
    marked = [c[at[at >= 100]] for c, at in zip(chains, diverging, strict=True)]
    found = np.column_stack([sources["pairs-divergent"][f"p{i}"] for i in (0, 1)])
    np.testing.assert_array_equal(found, np.concatenate(marked)[:, [2, 0]])


def test_pairs_of_many_parameters_and_of_a_far_start(tmp_path):
    draws = autoregressive((9000, 8), 0.3, 1)
    draws[:5] += 1000
    answer = ask("pairs", view_of(run_of([draws])), *(f"x{i}" for i in range(8)))
    assert answer.notes == (
        "From every 4th draw of each chain.",
        "Without 2 of 2,250 draws, not finite or far from all others.",
        "The first 6 of 8 parameters.",
    )
    assert np.max(answer.sources["pairs-draws"]["p5"]) < 10


# The sampler's stats.


def test_bfmi_is_that_of_arviz(chains):
    run = run_of(chains, 100)
    energies = np.array([chain.get_stats("energy")[100:] for chain in run.get_chains()])
    expected = arviz.bfmi(energies)
    for energy, value in zip(energies, expected, strict=True):
        np.testing.assert_allclose(bfmi(np.column_stack([energy[:-1], energy[1:]])), value)
    worst = int(np.argmin(expected))
    answer = ask("sampler", view_of(run))
    assert answer.sources["sampler-bfmi"]["text"] == [
        f"BFMI ≥ {expected[worst]:.2f} (chain {worst})"
    ]
    widths = answer.sources["sampler-marginal"]
    area = np.sum((widths["right"] - widths["left"]) * widths["top"])
    np.testing.assert_allclose(area, 1)


def test_energies_that_are_explored_slowly_are_told(chains):
    backend = drawstore.MemoryBackend()
    meta = drawstore.make_meta({"x": ("float64", ())}, {"energy": ("float64", ())})
    run = backend.init_run(meta)
    for i, rho in enumerate([0.0, 0.99]):
        energy = autoregressive((600,), rho, i)
        run.init_chain(i).extend({"x": chains[i][:, 0]}, {"energy": energy})
    (value,) = np.ravel(arviz.bfmi(energy[None]))
    assert ask("sampler", view_of(run)).notes == (f"BFMI of chain 1 is {value:.2f}: below 0.3.",)


def test_divergences_are_counted_after_warmup_and_shown_where_they_are(chains):
    run = run_of(chains, 100)
    view = view_of(run)
    answer = ask("sampler", view)
    diverging = [chain.get_stats("diverging") for chain in run.get_chains()]
    counts = [int(np.sum(each[100:])) for each in diverging]
    assert answer.sources["sampler-counts"]["text"] == [str(count) for count in counts]
    assert answer.notes == (f"{sum(counts)} divergent draws after warm-up.",)
    at = np.concatenate([np.flatnonzero(each) for each in diverging])
    np.testing.assert_array_equal(answer.sources["sampler-divergences"]["x"], at)
    assert answer.sources["sampler-warmup"]["left"].tolist() == [0]
    assert answer.sources["sampler-warmup"]["right"].tolist() == [100]
    for i, chain in enumerate(run.get_chains()):
        extend(chain, chains[i], 0, i)
    more = [c + int(np.sum(stats(600, 0, i)["diverging"])) for i, c in enumerate(counts)]
    assert ask("sampler", view).sources["sampler-counts"]["text"] == [str(n) for n in more]


def test_stats_over_draws_are_means_of_stretches(chains):
    run = run_of([draws[:500] for draws in chains[:1]])
    (chain,) = run.get_chains()
    lines = ask("sampler", view_of(run)).sources["sampler-acceptance_rate"]
    means = chain.get_stats("acceptance_rate").reshape(100, 5).mean(axis=1)
    np.testing.assert_allclose(lines["ys"][0], means)
    np.testing.assert_allclose(lines["xs"][0], np.arange(100) * 5 + 2)


# Acceptance.


def test_the_acceptance_of_chains_is_that_after_warmup(chains):
    run = run_of(chains, 100)
    shown = ask("acceptance", view_of(run)).sources["acceptance-usual"]
    means = [np.mean(chain.get_stats("acceptance_rate")[100:]) for chain in run.get_chains()]
    np.testing.assert_allclose(shown["share"], means)


def test_walkers_that_are_stuck_or_unusual_are_told_apart(tmp_path):
    view = walk(tmp_path / "walk.h5", change=hold(5, after=200))
    answer = ask("acceptance", view)
    backend = emcee.backends.HDFBackend(tmp_path / "walk.h5", read_only=True)
    shares = backend.accepted / 300
    assert answer.notes == ("1 of 8 walkers is stuck.",)
    assert answer.sources["acceptance-stuck"]["x"].tolist() == [5]
    for kind, is_usual in (("usual", True), ("unusual", False)):
        points = answer.sources[f"acceptance-{kind}"]
        np.testing.assert_array_equal(points["share"], shares[points["x"]])
        assert all((0.2 <= shares[x] <= 0.5) == is_usual for x in points["x"])
    n = sum(len(points["x"]) for points in answer.sources.values())
    assert n == 8
