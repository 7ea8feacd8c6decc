"""The figure of traces: what it is made of, and what it answers."""

import json

import numpy as np
import pytest
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, PlainText

import drawstore
from drawstore import ensemble
from drawstore.dashboard.figures.figure import Colours, Question
from drawstore.dashboard.figures.traces import Traces
from drawstore.dashboard.view import RunView
from drawstore.levels import Builder, Levels

COLOURS = Colours(*["#808080"] * 7, series=("#0072b2", "#d55e00"))
HOSTILE = ["$$x^2$$", "<script>alert(1)</script>", "a\u202eb", "\"'", "n" * 10_000 + "[0]"]


@pytest.fixture
def backend():
    with drawstore.MemoryBackend() as backend:
        yield backend


def chains(backend, lengths, names=("x", "y"), n_tune=0):
    meta = drawstore.make_meta(
        dict.fromkeys(names, ("float64", ())), {"tune": ("bool", ())}, rid="run"
    )
    run = backend.init_run(meta)
    rng = np.random.default_rng(1)
    for number, n in enumerate(lengths):
        draws = {name: rng.normal(size=n) for name in names}
        run.init_chain(number).extend(draws, {"tune": np.arange(n) < n_tune})
    return run


def walkers(backend, n):
    named = ensemble.parameters(2, ["a", "b"], {})
    run = backend.init_run(ensemble.ensemble_meta(30, 2, "float64", named, rid="run"))
    chain = run.init_chain(0)
    coords = np.random.default_rng(2).normal(size=(n, 30, 2))
    chain.extend({"coords": coords, "log_prob": np.zeros((n, 30))})
    return run, coords


def answered(view, parameters, *asked):
    with view.lock:
        answer = Traces().data(view, Question(tuple(parameters), *asked))
    for columns in answer.sources.values():
        assert len({len(values) for values in columns.values()}) == 1
    return answer


def sources_of(view, parameters):
    layout = Traces().layout(view, parameters, COLOURS)
    json.dumps(json_item(layout), allow_nan=False)
    models = layout.select({"type": ColumnDataSource})
    return {model.name: set(model.data) for model in models}


@pytest.mark.parametrize("lengths", [[5_000, 3_000, 0], [1], [0], []])
def test_each_source_of_the_layout_gets_its_columns(backend, lengths):
    view = RunView.of(chains(backend, lengths))
    assert Traces().applies(view) == bool(lengths)
    if lengths:
        answer = answered(view, view.names)
        found = {name: set(columns) for name, columns in answer.sources.items()}
        assert found == sources_of(view, view.names)
        assert answer.notes == ()


def test_each_source_of_an_ensemble_gets_its_columns(backend):
    run, coords = walkers(backend, 4_000)
    view = RunView.of(run)
    far = answered(view, ["b", "a"], None, None, 400)
    found = {name: set(columns) for name, columns in far.sources.items()}
    assert found == sources_of(view, ["b", "a"])
    assert far.sources["walkers-0-0"]["draw"].size == 0
    assert far.sources["band-0-0"]["highest"].max() == coords[:, :, 1].max()
    assert far.sources["extent-0"]["value"].tolist() == [coords[..., 1].min(), coords[..., 1].max()]

    near = answered(view, ["b"], 1_000, 1_100, 400)
    single = near.sources["walkers-0-0"]
    assert np.count_nonzero(np.isnan(single["draw"])) == 16
    np.testing.assert_array_equal(single["value"][:100], coords[1_000:1_100, 0, 1])
    assert near.sources["extent-0"]["value"].tolist() == [
        coords[1_000:1_100, :, 1].min(),
        coords[1_000:1_100, :, 1].max(),
    ]


def test_a_range_is_shown_in_full_and_the_rest_coarsely(backend):
    run = chains(backend, [50_000, 30_000])
    view = RunView.of(run)
    x = run.get_chains()[0].get_draws("x")
    for start, stop in [(20_000, 20_500), (0, 300), (49_000, 50_000), (29_900, 30_100)]:
        line = answered(view, ["x"], start, stop, 600).sources["line-0-0"]
        assert np.all(np.diff(line["draw"]) >= 0)
        inside = (line["draw"] >= start) & (line["draw"] < stop)
        np.testing.assert_array_equal(line["draw"][inside], np.arange(start, stop))
        np.testing.assert_array_equal(line["value"][inside], x[start:stop])
        assert np.count_nonzero(~inside) <= 2 * 2 * 600 // 8 + 4
        assert line["draw"][0] < 500
        assert line["draw"][-1] > 49_500
    beyond = answered(view, ["x"], 40_000, 40_500, 600).sources["line-0-1"]
    assert 0 < beyond["draw"].size <= 2 * 600 // 8 + 4


def test_draws_that_came_are_in_the_next_answer(backend):
    run = chains(backend, [100], n_tune=40)
    view = RunView.of(run)
    assert answered(view, ["x"]).sources["line-0-0"]["draw"].size == 100
    run.get_chains()[0].extend({"x": [77.0], "y": [0.0]}, {"tune": [False]})
    answer = answered(view, ["x"])
    assert answer.sources["line-0-0"]["value"][-1] == 77.0
    assert answer.sources["extent-0"]["value"][1] == 77.0
    strips = answer.sources["warmup"]
    assert (strips["start"].tolist(), strips["stop"].tolist()) == ([0], [40])


def test_values_that_are_not_finite_are_gaps(backend):
    run = chains(backend, [0])
    x = np.arange(10.0)
    x[3], x[5:8] = np.inf, np.nan
    run.get_chains()[0].extend({"x": x, "y": np.full(10, np.nan)}, {"tune": np.zeros(10, bool)})
    sources = answered(RunView.of(run), ["x", "y"]).sources
    assert np.flatnonzero(np.isnan(sources["line-0-0"]["value"])).tolist() == [3, 5, 6, 7]
    assert sources["extent-0"]["value"].tolist() == [0, 9]
    assert sources["extent-1"]["value"].tolist() == []


def test_what_is_not_read_yet_is_said(backend):
    n = 3_000_000
    run = chains(backend, [0])
    run.get_chains()[0].extend({"x": np.ones(n), "y": np.ones(n)}, {"tune": np.zeros(n, bool)})
    view = RunView.of(run)
    levels = Levels(run, view.followed)
    with view.lock:
        view.kept["traces"] = Builder(levels, view.lock)
        view.kept["traces"].ask([0, 1])  # its thread waits for the lock
        answer = Traces().data(view, Question(("x", "y")))
    assert ["evenly spaced" in note for note in answer.notes] == [True]
    assert set(answer.sources["line-1-0"]["value"]) == {1.0}
    assert answer.sources["line-1-0"]["draw"].size > 10
    while levels.share([0, 1]) < 1:
        with view.lock:
            levels.build([0, 1], 0.1)
    assert answered(view, ["x", "y"]).notes == ()


def test_many_lines_share_the_points(backend):
    view = RunView.of(chains(backend, [3_000] * 40))
    answer = answered(view, ["x", "y"], None, None, 5_000)
    assert (
        sum(len(columns["draw"]) for name, columns in answer.sources.items() if "line" in name)
        <= 2**18
    )


def test_names_are_never_read_as_tex_or_markup(backend):
    view = RunView.of(chains(backend, [10], names=HOSTILE))
    layout = Traces().layout(view, HOSTILE, COLOURS)
    labels = [panel.yaxis[0].axis_label for panel, _, _ in layout.children]
    assert {type(label) for label in labels} == {PlainText}
    shown = ["$$x^2$$", "<script>alert(1…/script>", "a\\u202eb", "\"'", "n" * 15 + "…nnnnn[0]"]
    assert [label.text for label in labels] == shown
    for text in shown:
        assert json.dumps(json_item(layout)).count(json.dumps(text)) == 1  # nowhere else
