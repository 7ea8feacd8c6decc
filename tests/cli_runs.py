"""Stores of every kind for the tests of the command, and the command as they call it."""

import json
from functools import cache
from pathlib import Path

import emcee
import jsonschema
import numpy as np

import drawstore
import drawstore.cli
import drawstore.emcee
from drawstore.cli import main

SCHEMAS = Path(drawstore.cli.__file__).parent / "schemas"
N, WALKERS, STEPS = 400, 8, 100  # emcee's own backend takes its time
KINDS = ["directory", "hdf5", "ensemble", "ensemble in hdf5", "emcee", "emcee's own", "clickhouse"]

META = drawstore.make_meta(
    {"slope": ("float64", ()), "effect": ("float32", (2,), ("city",)), "label": ("str", ())},
    {"tune": ("bool", ()), "diverging": ("bool", ()), "lp": ("float64", ())},
    coords={"city": ["Ulm", "Łódź"]},
    observed_data={"y": ([1.0, 2.0], ("city",))},
    attributes={"model": "line"},
    rid="ours",
)


def blocks(number, n=N):
    """Draws and stats of a chain; a tenth is warm-up."""
    rng = np.random.default_rng(number)
    draws = {"slope": rng.normal(3, 2, n), "effect": rng.normal(size=(n, 2)), "label": ["a"] * n}
    rows = np.arange(n)
    return draws, {
        "tune": rows < n // 10,
        "diverging": rows % 50 == 49,
        "lp": -(draws["slope"] ** 2),
    }


def fill(backend, meta=META, chains=3, n=N):
    """Fill a run with independent chains."""
    run = backend.init_run(meta)
    for number in range(chains):
        with run.init_chain(number) as chain:
            chain.extend(*blocks(number, n))
    return run


def step(positions, rng):
    """One step of all walkers of a made-up ensemble: half of them move, on a unit normal."""
    moved = rng.random(len(positions)) < 0.5
    there = 0.6 * positions + 0.8 * rng.normal(size=positions.shape)
    positions = np.where(moved[:, None], there, positions)
    state = emcee.State(positions, log_prob=-0.5 * np.square(positions).sum(axis=1))
    state.random_state = np.random.RandomState(1).get_state()
    return state, moved


def save(backend, steps=300, walkers=WALKERS, seed=1, change=None):
    """Save made-up steps of a walk in two dimensions; change(i, state, moved) may alter each."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(walkers, 2))
    backend.reset(walkers, 2)
    backend.grow(steps, None)
    for i in range(steps):
        before = positions
        state, moved = step(positions, rng)
        if change is not None:
            change(i, before, state, moved)
        positions = state.coords
        backend.save_step(state, moved)
    return backend


def make(kind, path, clickhouse=None):
    """Make a store of a kind, which has one run; gives what names it to the command."""
    if kind == "clickhouse":
        url = f"clickhouse://127.0.0.1:{clickhouse.http}/cli_{path.parent.name}"
        clickhouse.query(f"DROP DATABASE IF EXISTS cli_{path.parent.name}")
        with drawstore.ClickHouseBackend(url) as backend:
            fill(backend)
        return url
    if kind == "directory":
        fill(drawstore.FileBackend(path))
    elif kind == "hdf5":
        with drawstore.HDF5Backend(path) as backend:
            fill(backend)
    elif kind == "emcee":
        save(drawstore.emcee.HDFBackend(path), STEPS).close()
    elif kind == "emcee's own":
        save(emcee.backends.HDFBackend(path), STEPS)
    else:
        store = drawstore.HDF5Backend(path) if "hdf5" in kind else drawstore.FileBackend(path)
        names = ["slope", "offset"]
        backend = drawstore.emcee.Backend(store=store, rid="walk", parameter_names=names)
        save(backend, STEPS).close()
        store.close()
    return str(path)


def said(capsys, *arguments):
    """Run the command; gives its exit code and what it printed."""
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@cache
def schema(command):
    found = json.loads((SCHEMAS / f"{command}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def reported(capsys, command, *arguments, code=0):
    """Run the command with --json; gives its report, which fits the schema."""
    found, out, err = said(capsys, command, *arguments, "--json")
    assert (found, err) == (code, ""), err
    report = json.loads(out)
    schema(command).validate(report)
    return report
