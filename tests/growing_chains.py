"""Chains that are to be followed as they grow."""

import numpy as np


def autoregressive(n, rho, seed):
    """Draws of a stationary series with autocorrelation rho**k, shape (n, 3)."""
    noise = np.random.default_rng(seed).normal(size=(n, 3))
    out = np.empty_like(noise)
    last = noise[0]
    for i, new in enumerate(noise):
        last = rho * last + np.sqrt(1 - rho**2) * new
        out[i] = last
    return out


DRAWS = [autoregressive(1100, 0.6, seed) for seed in range(3)]
META = {
    "variables": {"x": ("float64", ()), "y": ("float32", (2,)), "note": ("str", ())},
    "sample_stats": {
        "tune": ("bool", ()),
        "sampler_0__mean_tree_accept": ("float64", ()),
        "lp": ("float64", ()),
    },
}


def extend(chain, draws, tune, accept=0.8):
    n = len(draws)
    chain.extend(
        {"x": draws[:, 0], "y": draws[:, 1:], "note": ["n"] * n},
        {"tune": np.full(n, tune), "sampler_0__mean_tree_accept": np.full(n, accept)},
    )
