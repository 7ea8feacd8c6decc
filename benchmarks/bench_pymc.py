"""A whole `pm.sample` into files, beside PyMC's own trace."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pymc as pm
import pytest

import drawstore
from drawstore.pymc import TraceBackend
from paired import Paired, measure, memcpy, replay, timed
from table import Table

# How PyMC was installed, and what it is going to change, is no news here.
pytestmark = [pytest.mark.benchmark(timer=replay), pytest.mark.filterwarnings("ignore")]

_PEER = "PyMC's own trace"


def _model(n_variables: int) -> Any:
    """Normal variables, independent: about as cheap as a model of so many can be."""
    with pm.Model() as model:
        for i in range(n_variables):
            pm.Normal(f"x{i}")
    return model


@pytest.fixture(scope="module")
def whole_run(
    tmp_path_factory: pytest.TempPathFactory, quick: bool, rounds: int, table: Table
) -> tuple[str, Paired]:
    n_variables, chains, draws = (5, 2, 20) if quick else (50, 4, 1_000)
    folder = tmp_path_factory.mktemp("pymc") / "runs"

    def run(folder: Path | None) -> None:
        trace = None if folder is None else TraceBackend(drawstore.FileBackend(folder))
        pm.sample(
            draws,
            tune=draws,
            chains=chains,
            cores=1,
            random_seed=1,
            trace=trace,
            nuts_sampler="pymc",
            discard_tuned_samples=False,
            compute_convergence_checks=False,
            quiet=True,
        )

    def into_files() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        return timed(lambda: run(folder))()

    with _model(n_variables), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paired = measure(
            {
                "drawstore": into_files,
                "PyMC": timed(lambda: run(None)),
                "memcpy": memcpy(chains * 2 * draws * n_variables * 8),
            },
            rounds,
        )
    work = f"`pm.sample`, {chains} chains × ({draws:,} + {draws:,}) draws, {n_variables} variables"
    table.slower(f"{work}, into files", _PEER, paired, "PyMC", 1.05)
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "PyMC", "memcpy"])
def bench_whole_run(benchmark: Any, whole_run: tuple[str, Paired], name: str) -> None:
    work, paired = whole_run
    replay.show(benchmark, paired, name, work)
