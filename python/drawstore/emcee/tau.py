"""Autocorrelation times with emcee's own error and log."""

from __future__ import annotations

from typing import Any

import emcee.autocorr
from numpy.typing import NDArray

__all__ = ["autocorr_time"]


def autocorr_time(chain: NDArray[Any], **kwargs: Any) -> NDArray[Any]:
    """Estimate the integrated autocorrelation time of each parameter of a chain."""
    tau: NDArray[Any] = emcee.autocorr.integrated_time(chain, **kwargs)
    return tau
