"""Stan CSV into a store, beside those who read it only."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drawstore.convert import convert
from paired import Contender, Paired, measure, memcpy, replay, timed
from stan_files import row_bytes, write_chain
from table import Table

pytestmark = pytest.mark.benchmark(timer=replay)

_CHAINS = 4
_LOADS: dict[str, tuple[dict[str, tuple[int, ...]], int]] = {
    "1,000 scalar parameters": ({f"x{i}": () for i in range(1000)}, 8),
    "vectors and matrices": ({"mu": (), "theta": (50,), "Sigma": (10, 20), "y": (2, 5, 10)}, 8),
    "18 digits": ({"mu": (), "theta": (50,), "Sigma": (10, 20), "y": (2, 5, 10)}, 18),
}


def _peers(file: Path) -> Mapping[str, Contender]:
    import arviz as az

    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    import cmdstanpy

    return {
        "cmdstanpy": timed(lambda: cmdstanpy.from_csv([str(file)]).draws()),
        "ArviZ": timed(lambda: az.from_cmdstan([str(file)])),
    }


@pytest.fixture(scope="module", params=_LOADS)
def converted(
    request: pytest.FixtureRequest,
    quick: bool,
    table: Table,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    shapes, digits = _LOADS[request.param]
    n_bytes = 4_000_000 if quick else 1_000_000_000
    folder = tmp_path_factory.mktemp("stan")
    files = [folder / f"fit_{chain}.csv" for chain in range(1, _CHAINS + 1)]
    rows = n_bytes // _CHAINS // row_bytes(shapes, digits)
    for chain, file in enumerate(files, 1):
        write_chain(file, shapes, rows, digits, chain)
    size = sum(map(os.path.getsize, files))

    def drawstore() -> float:
        seconds = timed(lambda: convert(folder / "fit_*.csv", folder / "runs"))()
        shutil.rmtree(folder / "runs")
        return seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contenders = {
            "drawstore": drawstore,
            **_peers(files[0]),  # they take minutes for all of them
            "memcpy": memcpy(size),
        }
        paired = measure(contenders, 2 if quick else 3, warm_up=0)
    paired = paired.scaled(cmdstanpy=_CHAINS, ArviZ=_CHAINS)
    work = f"Stan CSV, {request.param}, {size / 1e6:,.0f} MB, to `FileBackend`"
    for peer in ("cmdstanpy", "ArviZ"):
        table.faster(work, f"{peer}'s reader", paired, 5.0, peer=peer)
    table.rate(f"{work}: rate", "–", size, paired.seconds["drawstore"])
    for file in files:
        file.unlink()
    return work, paired


@pytest.mark.parametrize("name", ["drawstore", "cmdstanpy", "ArviZ", "memcpy"])
def bench_stan_csv(benchmark: Any, converted: tuple[str, Paired], name: str) -> None:
    work, paired = converted
    replay.show(benchmark, paired, name, work)
