"""Files of Stan as cmdstan writes them, made up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

_CONFIG = """\
# stan_version_major = 2
# stan_version_minor = 36
# stan_version_patch = 0
# model = made_up_model
# start_datetime = 2026-11-28 09:00:00 UTC
# method = sample (Default)
#   sample
#     num_samples = {rows}
#     num_warmup = 1000 (Default)
#     save_warmup = false (Default)
#     thin = 1 (Default)
#     adapt
#       engaged = true (Default)
#       gamma = 0.05 (Default)
#       delta = 0.8 (Default)
#       kappa = 0.75 (Default)
#       t0 = 10 (Default)
#       init_buffer = 75 (Default)
#       term_buffer = 50 (Default)
#       window = 25 (Default)
#       save_metric = false (Default)
#     algorithm = hmc (Default)
#       hmc
#         engine = nuts (Default)
#           nuts
#             max_depth = 10 (Default)
#         metric = diag_e (Default)
#         metric_file =  (Default)
#         stepsize = 1 (Default)
#         stepsize_jitter = 0 (Default)
#     num_chains = 1 (Default)
# id = {chain}
# data
#   file = made_up.json
# init = 2 (Default)
# random
#   seed = 12345
# output
#   file = {name}
#   diagnostic_file =  (Default)
#   refresh = 100 (Default)
#   sig_figs = {digits}
#   profile_file = profile.csv (Default)
#   save_cmdstan_config = false (Default)
# num_threads = 1 (Default)
# stanc_version = stanc3 v2.36.0
# stancflags =
"""
_STATS = "lp__,accept_stat__,stepsize__,treedepth__,n_leapfrog__,divergent__,energy__"
_TIMES = """\
#
#  Elapsed Time: 1.5 seconds (Warm-up)
#                2.25 seconds (Sampling)
#                3.75 seconds (Total)
#
"""
_DIFFERENT = 200  # rows; then they come again


def write_chain(
    path: Path, shapes: Mapping[str, tuple[int, ...]], rows: int, digits: int, chain: int
) -> None:
    """Write the file of a chain of NUTS.

    Parameters
    ----------
    path : Path
    shapes : mapping of str to tuple of int
        Of each parameter.
    rows : int
        Draws.
    digits : int
        Significant ones of each number; 8 is Stan's default.
    chain : int
        Its number.
    """
    rng = np.random.default_rng(chain)
    names = [name for item in shapes.items() for name in _names(*item)]
    lines = []
    for _ in range(min(rows, _DIFFERENT)):
        depth = int(rng.integers(2, 6))
        lp, accept, energy = rng.normal(-500, 20), rng.uniform(0.6, 1), rng.normal(1000, 30)
        stats = [lp, accept, 0.2345678, depth, 2**depth - 1, 0, energy]
        values = rng.normal(size=len(names)) * 10.0 ** rng.integers(-3, 4, len(names))
        lines.append(",".join(f"{x:.{digits}g}" for x in [*stats, *values.tolist()]) + "\n")
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(_CONFIG.format(rows=rows, chain=chain, name=path.name, digits=digits))
        file.write(",".join([_STATS, *names]) + "\n")
        file.write("# Adaptation terminated\n# Step size = 0.2345678\n")
        file.write("# Diagonal elements of inverse mass matrix:\n")
        file.write("# " + ", ".join(["1.25"] * len(names)) + "\n")
        file.writelines(itertools.islice(itertools.cycle(lines), rows))
        file.write(_TIMES)


def row_bytes(shapes: Mapping[str, tuple[int, ...]], digits: int) -> int:
    """Say about how many bytes a row of a file takes."""
    return (digits + 4) * (7 + sum(map(math.prod, shapes.values())))


def _names(name: str, shape: tuple[int, ...]) -> Iterator[str]:
    """Give the names of a parameter's columns: the first index runs fastest."""
    for index in itertools.product(*(range(1, n + 1) for n in reversed(shape))):
        yield ".".join([name, *map(str, reversed(index))])
