"""What `bench_convert.py` measures, apart from it so that a fresh process has little to import."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np

from child import status
from drawstore.convert import convert

WALKERS, NDIM = 64, 20
_BLOCK = 8192


def make_emcee_file(path: str, n_bytes: float) -> None:
    """Make a file of about so many bytes, with the datasets and the chunks of emcee 3.1."""
    n = round(n_bytes / (8 * WALKERS * (NDIM + 1)))
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        group = file.create_group("mcmc")
        group.attrs["version"] = "3.1.6"
        group.attrs["nwalkers"], group.attrs["ndim"] = WALKERS, NDIM
        group.attrs["has_blobs"], group.attrs["iteration"] = False, n
        group.create_dataset("accepted", data=np.zeros(WALKERS))
        # As emcee's reset does, so that h5py chooses the chunks.
        for name, shape in (("chain", (WALKERS, NDIM)), ("log_prob", (WALKERS,))):
            rows = group.create_dataset(name, (0, *shape), maxshape=(None, *shape), dtype="f8")
            rows.resize(n, axis=0)
            block = rng.normal(size=(_BLOCK, *shape))
            for start in range(0, n, _BLOCK):
                stop = min(n, start + _BLOCK)
                rows[start:stop] = block[: stop - start] + start


def converted(source: str, target: str) -> list[float]:
    """Convert; gives the seconds, and the most bytes of memory that the process had meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now on
    start = time.perf_counter()
    convert(source, target)
    return [time.perf_counter() - start, float(status("VmHWM"))]
