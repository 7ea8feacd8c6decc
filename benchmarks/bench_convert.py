"""What converting a large file of emcee takes, in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np

import convert_work
from child import in_child
from table import Bar, Table


def bench_emcee_to_netcdf(quick: bool, table: Table, tmp_path: Path) -> None:
    source, target = tmp_path / "chain.h5", tmp_path / "chain.nc"
    in_child(convert_work.make_emcee_file, str(source), 5e7 if quick else 5e9)
    seconds, peak = in_child(convert_work.converted, str(source), str(target))
    size = os.path.getsize(source)
    with h5py.File(source) as ours, h5py.File(target) as theirs:
        for rows in (slice(0, 100), slice(-100, None)):
            expected = ours["mcmc/chain"][rows][:, :, 7]
            np.testing.assert_array_equal(theirs["posterior/var_7"][rows], expected)
    for path in (source, target):
        path.unlink()
    table.number(
        f"an emcee file of {size / 1e9:.2g} GB to netCDF: peak memory, the interpreter's included",
        "–",
        peak / 1e6,
        Bar("under", 500.0, "MB"),
        remark=f"{seconds:.3g} s, {size / seconds / 1e6:.0f} MB/s",
    )
