"""How small files of emcee become."""

from __future__ import annotations

import os
from pathlib import Path

import emcee
import numpy as np
from numpy.typing import NDArray

from drawstore.repacking import repack
from table import Bar, Table


def _log_prob(theta: NDArray[np.float64]) -> float:
    return -0.5 * float(np.sum(theta**2))


def bench_repack_a_file_of_emcee(tmp_path: Path, quick: bool, table: Table) -> None:
    steps = 150 if quick else 1_500
    path = str(tmp_path / "chain.h5")
    backend = emcee.backends.HDFBackend(path, compression="gzip")
    backend.reset(32, 5)
    sampler = emcee.EnsembleSampler(32, 5, _log_prob, backend=backend)
    sampler.run_mcmc(np.random.default_rng(1).standard_normal((32, 5)), steps)
    done = repack(path)
    os.unlink(path)
    table.number(
        f"size of a file of {steps:,} steps of 32 × 5, `gzip`, after `repack`",
        "emcee's file",
        done.bytes_after / done.bytes_before,
        Bar("at most", 0.1),
        remark=f"{done.bytes_before / 1e6:.3g} MB before, {done.bytes_after / 1e6:.3g} MB after",
    )
