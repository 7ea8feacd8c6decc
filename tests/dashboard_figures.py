"""Figures as the page asks for them, and runs to draw."""

import json

import numpy as np
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource
from scipy.signal import lfilter

import drawstore
from drawstore.dashboard.figures import figures
from drawstore.dashboard.figures.figure import Question
from drawstore.dashboard.themes import THEMES
from drawstore.dashboard.view import RunView

STATS = {
    "tune": ("bool", ()),
    "diverging": ("bool", ()),
    "acceptance_rate": ("float64", ()),
    "step_size": ("float64", ()),
    "tree_depth": ("int64", ()),
    "energy": ("float64", ()),
}


def autoregressive(shape, rho, seed):
    """Series along the first axis with autocorrelation rho**k."""
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[1:] *= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=0)


def stats(n, n_warmup, seed):
    """What a sampler says of n draws."""
    rng = np.random.default_rng(seed)
    return {
        "tune": np.arange(n) < n_warmup,
        "diverging": rng.random(n) < 0.05,
        "acceptance_rate": rng.beta(8, 2, n),
        "step_size": np.full(n, 0.1 + seed),
        "tree_depth": rng.integers(1, 6, n),
        "energy": rng.gamma(5, 1, n),
    }


def run_of(chains, n_warmup=0, backend=None, names=None):
    """Keep chains, each of shape (n, n_params), of which the first draws are warm-up."""
    names = names or [f"x{i}" for i in range(np.shape(chains[0])[1])]
    meta = drawstore.make_meta(dict.fromkeys(names, ("float64", ())), STATS, rid="r")
    run = (backend or drawstore.MemoryBackend()).init_run(meta)
    for i, draws in enumerate(chains):
        extend(run.init_chain(i), draws, n_warmup, i, names)
    return run


def extend(chain, draws, n_warmup, seed=0, names=None):
    columns = np.asarray(draws, dtype=float).T
    names = names or [f"x{i}" for i in range(len(columns))]
    chain.extend(dict(zip(names, columns, strict=True)), stats(len(draws), n_warmup, seed))


def ask(name, view, *parameters):
    """Ask for data until nothing changes any more; gives the last answer."""
    question = Question(tuple(parameters or view.names[:2]))
    figure = figures()[name]
    answer = figure.data(view, question)
    for _ in range(200):
        before, answer = answer, figure.data(view, question)
        if _same(before, answer):
            return answer
    raise AssertionError(f"{name} never comes to an end")


def show(name, view, *parameters):
    """Draw a figure, of which the data fit the layout and can be sent; gives the answer."""
    answer = ask(name, view, *parameters)
    layout = figures()[name].layout(view, parameters or view.names[:2], THEMES["light"])
    sources = {s.name: s for s in layout.select({"type": ColumnDataSource}) if s.name is not None}
    assert set(sources) == set(answer.sources)
    for each, columns in answer.sources.items():
        assert set(sources[each].data) == set(columns), each
        assert len({len(values) for values in columns.values()}) == 1, each
        sources[each].data = dict(columns)
    assert json.loads(json.dumps(json_item(layout)))
    return answer


def _same(one, other):
    return one.notes == other.notes and all(
        np.array_equal(a, b, equal_nan=True)
        if isinstance(a, np.ndarray)
        else list(map(str, a)) == list(map(str, b))
        for name, columns in one.sources.items()
        for a, b in zip(columns.values(), other.sources[name].values(), strict=True)
    )


def applying(view):
    """Name the figures that apply, but for traces, which have tests of their own."""
    found = [name for name, figure in figures().items() if figure.applies(view)]
    return [name for name in found if name != "traces"]


def view_of(run):
    return RunView.of(run)
