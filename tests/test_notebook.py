"""What is seen in a real notebook, which is run as Jupyter runs it."""

import re
from collections import Counter

import nbclient
import nbformat
import pytest

from html_parsing import parse, words
from scripting import finish, start, wait_for

BEGIN = """
import warnings
warnings.simplefilter("error")
warnings.simplefilter("ignore", PendingDeprecationWarning)  # ipykernel's own, when it ends
import emcee, numpy as np, drawstore, drawstore.emcee, drawstore.convert
from drawstore.monitor import LongEnough
def log_prob(x):
    return -0.5 * np.sum(x**2, axis=1)
def sampler_on(backend):
    return emcee.EnsembleSampler(32, 2, log_prob, backend=backend, vectorize=True)
start = np.random.default_rng(1).normal(size=(32, 2))
"""

STORES = [
    """
meta = drawstore.make_meta({"<script>alert(1)</script>": (float, ())}, rid="$x$ שלום")
run = drawstore.FileBackend("runs").init_run(meta)
run
""",
    'drawstore.open("runs")',
    "run.init_chain(0)",
]

SAMPLING = """
sampler = sampler_on(drawstore.emcee.HDFBackend("chain.h5"))
monitor = drawstore.Monitor(sampler, rule=LongEnough(n_taus=20))
monitor.show(interval=0)
for sample in sampler.sample(start, iterations=5000):
    if monitor.converged():
        break
"""

GOING_ON = """
for sample in sampler.sample(sampler.get_last_sample(), iterations=50):
    monitor.converged()
"""

BARS = """
sampler = sampler_on(drawstore.emcee.Backend())
drawstore.emcee.run(sampler, start, converged=LongEnough(n_taus=20), progress=True)
drawstore.convert.convert("chain.h5", "copy.h5", progress=True);
"""

WATCHING = """
import os
watching = drawstore.Monitor("other")
status = watching.watch(interval=0.05)
(status.n_steps, os.path.exists("go"))
"""

WRITER = """
import os, sys, time
import numpy as np
import drawstore
meta = drawstore.make_meta({"x": (float, ())})
run = drawstore.FileBackend("other").init_run(meta)
chain = run.init_chain(0)
chain.append({"x": 0.0})
print("begun", flush=True)
rng = np.random.default_rng(1)
for _ in range(200):
    sys.stdin.readline()
    chain.extend({"x": rng.normal(size=10)})
run.close()
"""


class Client(nbclient.NotebookClient):
    """Runs a notebook, and counts what its cells send."""

    def process_message(self, msg, cell, cell_index):
        self.sent[cell_index, msg["msg_type"]] += 1
        self.seen(msg, cell_index)
        return super().process_message(msg, cell, cell_index)

    def run(self, seen=lambda msg, cell_index: None):
        self.sent, self.seen = Counter(), seen
        self.execute()
        return self.nb.cells


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    def make(*cells):
        notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
        place = tmp_path_factory.mktemp("notebook")
        return Client(
            notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": place}}
        )

    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield make


@pytest.fixture(scope="module")
def notebook(client):
    made = client(BEGIN, *STORES, SAMPLING, GOING_ON, BARS)
    made.run()
    return made


def html_of(cell):
    (shown,) = (output for output in cell.outputs if "text/html" in output.get("data", {}))
    return shown["data"]["text/html"]


def test_stores_are_tables(notebook):
    run, store, chain = notebook.nb.cells[1:4]
    assert words(html_of(run)).startswith("Run $x$ שלום no chains yet")
    assert "<script>alert(1)</script>" in words(html_of(run))
    assert "1 run" in words(html_of(store))
    assert words(html_of(chain)) == "Chain 0 of run $x$ שלום 0 draws"
    assert "Chain at 0x" in chain.outputs[0]["data"]["text/plain"]


def test_a_monitor_changes_in_its_place(notebook):
    sampling, going_on = notebook.nb.cells[4:6]
    assert notebook.sent[4, "display_data"] == 1
    assert notebook.sent[4, "update_display_data"] > 0  # how many says how busy the machine is
    assert notebook.sent[5, "update_display_data"] > 0
    (output,) = sampling.outputs
    assert going_on.outputs == []
    said = words(html_of(sampling))
    (steps,) = re.findall(r"mcmc : ([\d,]+) steps of 32 walkers", said)
    assert said.startswith("● converged")
    assert int(steps.replace(",", "")) % 100 == 50  # those of the next cell, too
    assert output["data"]["text/plain"].startswith(f"mcmc: {steps.replace(',', '')} steps")
    assert len(list(parse(html_of(sampling)).iter("polyline"))) == 2


def test_it_can_be_saved(notebook):
    saved = nbformat.reads(nbformat.writes(notebook.nb), as_version=4)
    nbformat.validate(saved)
    assert saved.cells[4].outputs == notebook.nb.cells[4].outputs


def test_bars_are_those_of_notebooks(notebook):
    shown = [output.get("data", {}) for output in notebook.nb.cells[6].outputs]
    assert sum("application/vnd.jupyter.widget-view+json" in data for data in shown) == 2
    widgets = notebook.nb.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    states = [widget["state"] for widget in widgets.values()]
    bars = [state for state in states if "bar_style" in state]
    assert [bar["bar_style"] for bar in bars] == ["success"] * 2
    assert all(bar["value"] == bar["max"] > 1 for bar in bars)
    texts = [state["value"] for state in states if state["_model_name"] == "HTMLModel"]
    assert any(re.search(r"tau=[\d.]+,\s+converged", text) for text in texts)
    assert any("rows" in text for text in texts)


def test_a_run_of_another_process_is_watched_to_its_end(client):
    notebook = client(BEGIN, WATCHING)
    place = notebook.resources["metadata"]["path"]
    writer = start(WRITER.replace('"other"', repr(str(place / "other"))))
    wait_for(writer, "begun")

    def seen(msg, cell_index):
        """Have draws come when something was seen."""
        if cell_index == 1 and msg["msg_type"] in ("display_data", "update_display_data"):
            go_on()

    def go_on():
        if writer.poll() is None and left:
            left.pop()
            writer.stdin.write("go\n" * 50)
            writer.stdin.flush()

    left = [1, 2, 3, 4]
    _, watching = notebook.run(seen)
    finish(writer)
    shown, last = watching.outputs
    assert last["data"]["text/plain"] == "(2001, False)"
    said = words(shown["data"]["text/html"])
    assert "chain 0 : 2,001 steps" in said
    assert "no process writes it any more" in said
    assert notebook.sent[1, "update_display_data"] >= 4
