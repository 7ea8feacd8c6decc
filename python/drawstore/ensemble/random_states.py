"""States of NumPy's RandomState, as rows hold them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .describing import RANDOM_STATE

__all__ = ["encode_state", "state_at"]


class _Chain(Protocol):
    def get_stats_at(self, i: int, names: list[str]) -> dict[str, NDArray[Any]]: ...


def encode_state(state: Any) -> NDArray[np.void] | None:
    """Give a state as a row holds it; None where it is not one of the Mersenne twister."""
    if not isinstance(state, tuple | list) or len(state) != 5 or state[0] != "MT19937":
        return None
    encoded = np.empty((), dtype=RANDOM_STATE)
    encoded["key"], encoded["position"], encoded["has_gauss"], encoded["gauss"] = state[1:]
    return encoded


def state_at(chain: _Chain, i: int) -> tuple[str, NDArray[np.uint32], int, int, float] | None:
    """Give the state after a step as RandomState takes it; None where the step had none."""
    value = chain.get_stats_at(i, ["random_state"])["random_state"]
    if isinstance(value, np.ma.MaskedArray) or value["position"] < 0:
        return None
    key = np.array(value["key"])
    return (
        "MT19937",
        key,
        int(value["position"]),
        int(value["has_gauss"]),
        float(value["gauss"]),
    )
