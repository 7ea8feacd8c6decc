"""Sampling the demo's posterior, with a stopwatch on every step that is saved."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import emcee
import emcee.backends
import numpy as np
from numpy.typing import NDArray

from drawstore.emcee import HDFBackend, run

from .posterior import LineWithOutliers

__all__ = ["Result", "sample"]

_WALKERS = 32
_PEER_STEPS = 300
_FEWEST = 20  # steps for any estimate of tau
_SEED = 2010


@dataclass
class Result:
    """What came out of the demo."""

    posterior: LineWithOutliers
    path: Path
    steps: int
    burn_in: int
    """Steps at the start that are left out of the estimates."""
    chain: NDArray[np.float64]
    """Positions of the walkers, burn-in included, shape (steps, walkers, 5)."""
    tau: NDArray[np.float64]
    """Autocorrelation times after the burn-in, in steps, shape (5,); NaN where unknown."""
    converged: bool
    """Whether the chain is long enough for tau to be trusted."""
    acceptance: float
    draw_bytes: int
    save_seconds: float
    """Mean cost of saving a step, completing the file included."""
    peer_save_seconds: float
    """The same of emcee's own backend."""
    peer_steps: int

    @property
    def draws(self) -> NDArray[np.float64]:
        """Parameters after the burn-in, shape (n, 5)."""
        return self.chain[self.burn_in :].reshape(-1, self.chain.shape[2])


def sample(posterior: LineWithOutliers, steps: int, path: Path) -> Result:
    """Sample with emcee into a new file, and a few steps more with emcee's own backend.

    Parameters
    ----------
    posterior : LineWithOutliers
    steps : int
    path : Path
        Of the HDF5 file.

    Returns
    -------
    Result
    """
    with HDFBackend(path) as backend:
        sampler, last, saving = _run(
            posterior, backend, posterior.start(_WALKERS, _SEED), steps, progress=True
        )
        tau, _ = _autocorr_time(backend, 0)
        burn_in = _burn_in(tau, steps)
        tau, converged = _autocorr_time(backend, burn_in)
        chain, log_prob = backend.get_chain(), backend.get_log_prob()
    peer_steps = min(steps, _PEER_STEPS)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="peer-") as folder:
        peer = emcee.backends.HDFBackend(Path(folder, "peer.h5"))
        _, _, peer_saving = _run(posterior, peer, last, peer_steps, progress=False)
    return Result(
        posterior=posterior,
        path=path,
        steps=steps,
        burn_in=burn_in,
        chain=chain,
        tau=tau,
        converged=converged,
        acceptance=float(np.mean(sampler.acceptance_fraction)),
        draw_bytes=chain.nbytes + log_prob.nbytes,
        save_seconds=saving.seconds / steps,
        peer_save_seconds=peer_saving.seconds / peer_steps,
        peer_steps=peer_steps,
    )


class _Stopwatch:
    """Adds up the time that calls of a function take."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        start = time.perf_counter()
        try:
            return self._function(*args)
        finally:
            self.seconds += time.perf_counter() - start


def _run(
    posterior: LineWithOutliers, backend: Any, start: Any, steps: int, progress: bool
) -> tuple[Any, Any, _Stopwatch]:
    backend.reset(_WALKERS, len(posterior.names))
    backend.save_step = saving = _Stopwatch(backend.save_step)
    sampler = emcee.EnsembleSampler(
        _WALKERS, len(posterior.names), posterior.log_prob, backend=backend, vectorize=True
    )
    sampler.random_state = np.random.RandomState(_SEED).get_state()  # emcee's kind
    if progress:
        return sampler, run(sampler, start, total=steps, progress=True), saving
    return sampler, sampler.run_mcmc(start, steps), saving


def _autocorr_time(backend: Any, discard: int) -> tuple[NDArray[np.float64], bool]:
    """Estimate tau, and say whether the chain is long enough to trust it."""
    if backend.iteration - discard < _FEWEST:
        return np.full(backend.ndim, np.nan), False
    try:
        return backend.get_autocorr_time(discard=discard), True
    except emcee.autocorr.AutocorrError as error:
        return error.tau, False


def _burn_in(tau: NDArray[np.float64], steps: int) -> int:
    """Leave out ten autocorrelation times, but half of the chain at most."""
    longest = float(np.max(tau))
    return min(int(np.ceil(10 * longest)), steps // 2) if np.isfinite(longest) else steps // 2
